"""The owner's command, by real processes."""

import asyncio
import sys
from pathlib import Path

import pytest

from voice_node.runtime import indicator
from voice_node.runtime.indicator import Indicator

WRITE = "import sys; open(sys.argv[1], 'a').write(sys.argv[2] + '\\n')"


def shown(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


async def test_the_state_is_the_last_argument(tmp_path: Path) -> None:
    await Indicator([sys.executable, "-c", WRITE, str(tmp_path / "log")]).show("listening")
    assert shown(tmp_path / "log") == ["listening"]


async def test_of_states_that_come_faster_than_the_command_the_last_is_shown(tmp_path: Path) -> None:
    shows = Indicator([sys.executable, "-c", WRITE, str(tmp_path / "log")])
    async with asyncio.TaskGroup() as group:
        for state in ("listening", "thinking", "speaking", "idle"):
            group.create_task(shows.show(state))
            await asyncio.sleep(0)
    assert shown(tmp_path / "log") in (["idle"], ["listening", "idle"])


async def test_a_command_that_hangs_is_ended_and_one_that_fails_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(indicator, "COMMAND_S", 0.2)
    await Indicator(["sleep", "60"]).show("0")
    assert "did not end within" in caplog.text
    failing = Indicator(["false"])
    await failing.show("idle")
    await failing.show("listening")
    assert caplog.text.count("false ended with 1") == 1


async def test_a_command_that_is_not_there_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    await Indicator(["/no/such/program"]).show("idle")
    assert "/no/such/program cannot be run: No such file" in caplog.text
