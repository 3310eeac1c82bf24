import shutil
import subprocess

import pytest

from voice_node.local.g711 import decode


@pytest.mark.skipif(shutil.which("sox") is None, reason="sox is not installed")
@pytest.mark.parametrize(("kind", "name"), [("audio/pcmu", "u-law"), ("audio/pcma", "a-law")])
def test_all_256_codes_are_those_of_sox(kind: str, name: str) -> None:
    codes = bytes(range(256))
    raw = ["-t", "raw", "-r", "8000", "-c", "1"]
    command = ["sox", "-D", *raw, "-e", name, "-b", "8", "-", *raw, "-e", "signed", "-b", "16", "-"]
    assert decode(codes, kind) == subprocess.run(command, input=codes, capture_output=True, check=True).stdout
