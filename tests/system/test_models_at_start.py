"""A room that runs says soon after its start which of its models the service ends, or does not have."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.broker import Broker
from tests.fakes.realtime_server import RealtimeServer, Script, Stay, greet
from tests.fakes.until import until
from tests.system.house import BASE, Program, event, events, home, online, write_room

KEY = "sk-canary-3141592653589793"
ENDS = {"object": "list", "data": [{"id": "old", "shutdown_date": "2027-01-20"}]}
QUIET: Script = [*greet(), Stay()]


def room_file(folder: Path, broker: Broker, url: str) -> Path:
    session = {"provider": "custom", "url": url, "model": "old", "transcription": None, "connect": "always"}
    return write_room(folder, broker.port, session=session)


def argv_and_environ(pid: int) -> list[bytes]:
    """Of this process and its children, as any other process of the same user may read them."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            stat = (place / "stat").read_text()
            if place.name == str(pid) or stat.rpartition(")")[2].split()[1] == str(pid):
                found.append((place / "cmdline").read_bytes())
                if place.name != str(pid):
                    found.append((place / "environ").read_bytes())
        except OSError:
            continue  # it has ended
    return found


@pytest.mark.slow
async def test_a_model_that_will_be_gone_is_told_at_the_start_once(tmp_path: Path, broker: Broker) -> None:
    seen: list[bytes] = []

    async def look(pid: int) -> None:
        while True:
            seen.extend(argv_and_environ(pid))
            await asyncio.sleep(0.01)

    async with RealtimeServer(QUIET, is_endless=True, models=[ENDS]) as server, home(broker.port) as spy:
        path = room_file(tmp_path, broker, server.url)
        with Program(tmp_path, "run", path, environ={"OPENAI_API_KEY": KEY}) as node:
            await online(spy)
            looking = asyncio.create_task(look(node.pid))
            told = await event(spy, "error", code="model")
            looking.cancel()
            assert told["detail"] == "session.model: old will be shut down on 2027-01-20"
            assert node.log.count(told["detail"]) == 1
            assert f"Bearer {KEY}" in server.models_asked[0].headers["Authorization"]
            await spy.publish(BASE + "request/reload", "")
            await until(lambda: len(server.models_asked) == 2, 30)
            await asyncio.sleep(1.0)  # time in which a wrong node would tell it again
            assert [error["code"] for error in events(spy, "error")] == ["model"]
            assert node.is_running
            assert KEY not in node.log + node.output
    assert any(b"model_question" in text for text in seen), "the process that asked was seen"
    assert not any(KEY.encode() in text for text in seen)


@pytest.mark.slow
@pytest.mark.parametrize("answer", [401, 404, 500, {"data": "nothing"}])
async def test_no_list_is_no_trouble(answer: Any, tmp_path: Path, broker: Broker) -> None:
    async with RealtimeServer(QUIET, is_endless=True, models=[answer]) as server, home(broker.port) as spy:
        with Program(tmp_path, "run", room_file(tmp_path, broker, server.url), environ={"OPENAI_API_KEY": KEY}) as node:
            await online(spy)
            await node.said("does not say which models it has")
            assert events(spy, "error") == []
            lines = [line for line in node.log.splitlines() if "which models" in line]
            assert [line for line in lines if "INFO" not in line] == []
            assert "WARNING" not in node.log
            assert node.is_running
