import subprocess
import sys
from importlib.metadata import version

from voice_node.version import VERSION


def test_it_is_the_installed_package_s() -> None:
    assert version("voice-node") == VERSION


def test_the_package_itself_imports_nothing_that_takes_time() -> None:
    code = "import sys; before = {*sys.modules}; import voice_node; print({*sys.modules} - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "{'voice_node'}\n"
