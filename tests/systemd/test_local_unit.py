"""The unit of the local engine, by systemd's own judgement."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "systemd" / "voice-node-local.service"
ANALYZE = shutil.which("systemd-analyze")

pytestmark = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    assert ANALYZE is not None
    return subprocess.run([ANALYZE, *arguments], capture_output=True, text=True, timeout=30, check=False)


def test_verify_is_silent(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    text = UNIT.read_text()
    assert "ExecStart=/opt/voice-node/current/bin/voice-node serve " in text
    # The program is not installed where the tests run; everything else is judged as it is shipped.
    unit.write_text(text.replace("/opt/voice-node/current/bin/voice-node", sys.executable))
    judged = analyze("verify", "--man=no", str(unit))
    assert (judged.returncode, judged.stdout, judged.stderr) == (0, "", "")


def test_exposure_is_low() -> None:
    judged = analyze("security", "--offline=true", "--no-pager", str(UNIT))
    found = re.search(r"Overall exposure level for .*: ([0-9.]+)", judged.stdout)
    assert found is not None, judged.stderr
    assert float(found[1]) <= 1.5


def test_its_command_is_one_that_the_program_takes() -> None:
    """And it opens no port that the unit does not let it open."""
    text = UNIT.read_text()
    (line,) = re.findall(r"^ExecStart=\S+ (.*)$", text, re.MULTILINE)
    known = subprocess.run(
        [sys.executable, "-m", "voice_node", "serve", "--help"], capture_output=True, text=True, timeout=60, check=True
    ).stdout
    options = re.findall(r"--[a-z-]+", line)
    assert options == ["--host", "--port", "--key-file"]
    assert all(option in known for option in options)
    (port,) = re.findall(r"--port (\d+)", line)
    assert f"SocketBindAllow=tcp:{port}" in text
    assert "LoadCredential=local_api_key:" in text
