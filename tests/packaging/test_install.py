"""`script/install`: parts of it, by themselves. All of it is tried in tests/systemd."""

import os
import pty
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

INSTALL = Path(__file__).parents[2] / "script" / "install"
pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")


def part(*names: str) -> str:
    """Functions of the script, as they stand there."""
    text = INSTALL.read_text(encoding="utf-8")
    found = [re.search(rf"^{name}\(\) \{{(.*\}}$|[^}}]*?\n(.*\n)*?\}}$)", text, re.MULTILINE) for name in names]
    assert all(found), names
    return "\n".join(match.group() for match in found if match is not None)


UPGRADE = f"""set -euo pipefail
{part("say", "step", "fail", "leave", "go_back")}
switch_to() {{ echo "$1" >current; sleep 1; }}
are_ready_again() {{ echo ready >rooms; }}
home=$PWD version=new unproven=old ran=(kitchen)
trap leave EXIT
echo new >current
echo begun >began
sleep 2 # the rooms start
"""


def until_begun(folder: Path) -> None:
    command = ["bash", "-c", "until [ -e began ]; do sleep 0.05; done"]
    subprocess.run(command, cwd=folder, timeout=20, check=True)


def test_an_upgrade_whose_terminal_goes_away_goes_back(tmp_path: Path) -> None:
    terminal, other = pty.openpty()
    program = ["setsid", "--ctty", "bash", "-c", UPGRADE]
    with subprocess.Popen(program, cwd=tmp_path, stdin=other, stdout=other, stderr=other) as upgrade:
        os.close(other)
        until_begun(tmp_path)
        os.close(terminal)
        upgrade.wait(20)
    assert (tmp_path / "current").read_text() == "old\n"
    assert (tmp_path / "rooms").exists()


def test_the_way_back_is_not_interrupted(tmp_path: Path) -> None:
    program = ["bash", "-c", UPGRADE]
    with subprocess.Popen(program, cwd=tmp_path, stderr=subprocess.DEVNULL, start_new_session=True) as upgrade:
        until_begun(tmp_path)
        os.killpg(upgrade.pid, signal.SIGINT)
        waits = ["bash", "-c", "until grep -q old current; do sleep 0.05; done"]
        subprocess.run(waits, cwd=tmp_path, timeout=20, check=True)
        os.killpg(upgrade.pid, signal.SIGINT)
        upgrade.wait(20)
    assert (tmp_path / "rooms").exists()


def test_a_room_that_fails_is_not_forgotten_for_want_of_a_journal(tmp_path: Path) -> None:
    program = f"""set -euo pipefail
{part("are_ready_again")}
systemctl() {{ :; }}
is_ready() {{ [ "$1" = bedroom ]; }}
tell_why() {{ return 1; }}
are_ready_again kitchen bedroom || echo failed
"""
    done = subprocess.run(
        ["bash", "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=20, check=False
    )
    assert done.stdout == "failed\n"
