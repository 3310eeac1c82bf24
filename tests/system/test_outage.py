"""The broker or the server dies and comes back: nothing acts late, nothing that may wait is lost, all goes on."""

import asyncio
from pathlib import Path

import pytest

from tests.fakes.broker import Broker
from tests.system.house import (
    BASE,
    Program,
    below,
    calls,
    event,
    events,
    home,
    local_server,
    met,
    met_on,
    online,
    recording,
    state,
    write_room,
)

OUTAGE_S = 8.0
"""The second sentence is said, and its turn is over, within these: two seconds on an idle machine."""


@pytest.mark.slow
async def test_a_broker_that_was_killed_gets_what_may_wait_and_nothing_that_may_not(
    tmp_path: Path, broker: Broker
) -> None:
    # The second sentence comes while the first one's reply would sound: a room without a speaker is not deaf then.
    sound = recording(tmp_path / "talk.wav", 0.5, 1, 1.0, 1, 60.0)
    room = write_room(tmp_path, broker.port, capture={"device": f"wav:{sound}"})
    with Program(tmp_path, "run", room) as node:
        async with home(broker.port) as spy:
            before = await event(spy, "turn_finished")
            assert len(calls(spy)) == 1
            await met(spy, lambda _: [one.payload for one in spy.on(BASE + "speech")].count(b"ON") == 2)
            broker.kill()
        await asyncio.sleep(OUTAGE_S)
        broker.restart()
        async with home(broker.port) as spy:
            await online(spy)
            await met_on(spy, "state")
            missed = await met(spy, lambda seen: below(seen) == "transcript" and "delayed_ms" in seen.json)
            assert missed.json["text"] == "turn on the kitchen light"
            assert missed.json["turn_id"] != before["turn_id"]
            assert missed.json["delayed_ms"] > 0
            assert missed.retain is False
            finished = await event(spy, "turn_finished", turn_id=missed.json["turn_id"])
            assert finished["delayed_ms"] > 0
            await spy.publish(BASE + "request/ask", '{"text": "set the heating to twenty degrees"}')
            await event(spy, "tool_result", is_ok=True)
            assert [call["name"] for call in calls(spy)] == ["set_heating"], "a call of the outage was made late"
            assert node.is_running
    assert "Traceback" not in node.log


@pytest.mark.slow
async def test_a_server_that_was_killed_is_found_again(tmp_path: Path, broker: Broker, free_port: int) -> None:
    session = {"provider": "custom", "url": f"ws://127.0.0.1:{free_port}/v1/realtime", "connect": "always"}
    room = write_room(tmp_path, broker.port, session=session)
    async with home(broker.port) as spy:
        with Program(tmp_path, "run", room) as node:
            with local_server(tmp_path, room, free_port) as server:
                await server.said("served at")
                await met(spy, lambda seen: below(seen) == "info" and "session_id" in seen.json)
                mark = await state(spy, "idle")
            mark = await state(spy, "offline", mark)
            with local_server(tmp_path, room, free_port) as server:
                await state(spy, "idle", mark)
                await spy.publish(BASE + "request/ask", '{"text": "turn on the kitchen light"}')
                await event(spy, "turn_finished", status="completed")
                assert len(calls(spy)) == 1
            assert node.is_running
    assert "Traceback" not in node.log


@pytest.mark.slow
async def test_a_turn_that_loses_its_server_before_a_call_is_sent_again(
    tmp_path: Path, broker: Broker, free_port: int
) -> None:
    """The words were said while nobody could hear them; they are still heard, if the server comes soon."""
    session = {"provider": "custom", "url": f"ws://127.0.0.1:{free_port}/v1/realtime", "connect": "always"}
    sound = recording(tmp_path / "talk.wav", 0.5, 1, 60.0)
    room = write_room(tmp_path, broker.port, session=session, capture={"device": f"wav:{sound}"})
    async with home(broker.port) as spy:
        with Program(tmp_path, "run", room):
            await state(spy, "listening")
            await event(spy, "segment")
            with local_server(tmp_path, room, free_port):
                finished = await event(spy, "turn_finished")
                assert finished["status"] == "completed"
                assert [call["arguments"] for call in calls(spy)] == [{"state": "on", "area": "kitchen"}]


@pytest.mark.slow
async def test_words_that_are_too_old_when_the_server_comes_are_refused(
    tmp_path: Path, broker: Broker, free_port: int
) -> None:
    session = {"provider": "custom", "url": f"ws://127.0.0.1:{free_port}/v1/realtime", "connect": "always"}
    sound = recording(tmp_path / "talk.wav", 0.5, 1, 60.0)
    room = write_room(tmp_path, broker.port, session=session, capture={"device": f"wav:{sound}"})
    async with home(broker.port) as spy:
        with Program(tmp_path, "run", room):
            lost = await event(spy, "error", 40, code="turn_lost")
            assert "stale" in lost["detail"]
            with local_server(tmp_path, room, free_port):
                await met(spy, lambda seen: below(seen) == "info" and "session_id" in seen.json)
                await spy.publish(BASE + "request/ask", '{"text": "set the heating to twenty degrees"}')
                await event(spy, "turn_finished")
                assert [call["name"] for call in calls(spy)] == ["set_heating"]
                assert len(events(spy, "turn_finished")) == 1
