"""The shipped unit, by systemd's own judgement."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "systemd" / "voice-node@.service"
DROP_INS = sorted((UNIT.parent / "drop-ins").glob("*.conf"))
KNOWN_SINCE = {"restart-steps.conf": 254}
ANALYZE = shutil.which("systemd-analyze")

pytestmark = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    assert ANALYZE is not None
    return subprocess.run([ANALYZE, *arguments], capture_output=True, text=True, timeout=30, check=False)


def installed(folder: Path, *drop_ins: Path) -> Path:
    """The unit with these drop-ins, as `systemd-analyze` finds it."""
    unit = folder / UNIT.name
    text = UNIT.read_text()
    assert "ExecStart=/opt/voice-node/current/bin/voice-node run /etc/voice-node/%i.yaml" in text
    # The program is not installed where the tests run; everything else is judged as it is shipped.
    unit.write_text(text.replace("/opt/voice-node/current/bin/voice-node", sys.executable))
    for drop_in in drop_ins:
        place = folder / f"{UNIT.name}.d"
        place.mkdir(exist_ok=True)
        shutil.copy(drop_in, place)
    return unit


def version() -> int:
    found = re.match(r"systemd (\d+)", analyze("--version").stdout)
    assert found is not None
    return int(found[1])


@pytest.mark.parametrize("drop_in", [None, *DROP_INS], ids=lambda path: "bare" if path is None else path.stem)
def test_verify_is_silent(tmp_path: Path, drop_in: Path | None) -> None:
    if drop_in is not None and version() < (since := KNOWN_SINCE.get(drop_in.name, 0)):
        pytest.skip(f"systemd {version()} does not know it; {since} does")
    unit = installed(tmp_path, *() if drop_in is None else (drop_in,))
    judged = analyze("verify", "--man=no", str(unit))
    assert (judged.returncode, judged.stdout, judged.stderr) == (0, "", "")


@pytest.mark.parametrize("drop_in", [None, *DROP_INS], ids=lambda path: "bare" if path is None else path.stem)
def test_exposure_is_low(tmp_path: Path, drop_in: Path | None) -> None:
    unit = installed(tmp_path, *() if drop_in is None else (drop_in,))
    judged = analyze("security", "--offline=true", "--no-pager", str(unit))
    found = re.search(r"Overall exposure level for .*: ([0-9.]+)", judged.stdout)
    assert found is not None, judged.stderr
    assert float(found[1]) <= 1.5


def test_what_the_architecture_demands_is_in_it() -> None:
    lines = UNIT.read_text().splitlines()
    for line in ("Type=notify", "WatchdogSec=30", "RestartPreventExitStatus=78 77", "Restart=always"):
        assert line in lines
