"""Asked to stop, the node is gone in time, whatever it was doing and whoever hangs, and says `offline`."""

import signal
import time
from pathlib import Path

import pytest

from tests.fakes.broker import Broker
from tests.fakes.mqtt_spy import MqttSpy
from tests.fakes.until import until
from tests.system.house import (
    BASE,
    LIGHT,
    Program,
    below,
    home,
    local_server,
    met,
    met_on,
    online,
    recording,
    state,
    write_room,
)

DEADLINE_S = 15
"""The unit's `TimeoutStopSec`: then systemd kills. The node's own is 5 s, to which a busy machine adds."""


async def assert_stops_in_time(node: Program, number: signal.Signals = signal.SIGTERM) -> None:
    """Tell it to stop; it must be gone in time and in order."""
    began = time.monotonic()
    node.signal(number)
    assert await node.ended() == 0
    assert time.monotonic() - began < DEADLINE_S
    assert "Traceback" not in node.log


async def assert_says_offline(spy: MqttSpy) -> None:
    """By itself or by its will."""
    await met(spy, lambda seen: below(seen) == "availability" and seen.payload == b"offline")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_idle(tmp_path: Path, broker: Broker, number: signal.Signals) -> None:
    async with MqttSpy(broker.port) as spy:
        with Program(tmp_path, "run", write_room(tmp_path, broker.port)) as node:
            await online(spy)
            await assert_stops_in_time(node, number)
        await assert_says_offline(spy)


async def test_in_the_middle_of_a_sentence(tmp_path: Path, broker: Broker) -> None:
    sound = recording(tmp_path / "talk.wav", 2, 2, 2, 2)
    room = write_room(tmp_path, broker.port, capture={"device": f"wav:{sound}"}, gate={"hang_over_ms": 3000})
    async with MqttSpy(broker.port) as spy:
        with Program(tmp_path, "run", room) as node:
            await state(spy, "listening")
            await assert_stops_in_time(node)
        await assert_says_offline(spy)


async def test_while_a_tool_call_is_open(tmp_path: Path, broker: Broker) -> None:
    room = write_room(tmp_path, broker.port, tools=[LIGHT | {"timeout_s": 60}])
    async with MqttSpy(broker.port) as spy:
        with Program(tmp_path, "run", room) as node:
            await online(spy)
            await spy.publish(BASE + "request/ask", '{"text": "turn on the kitchen light"}')
            await met_on(spy, "tool/set_light/call")
            await assert_stops_in_time(node)
        await assert_says_offline(spy)


@pytest.mark.slow
async def test_while_the_broker_hangs(tmp_path: Path, broker: Broker) -> None:
    async with MqttSpy(broker.port) as spy:
        with Program(tmp_path, "run", write_room(tmp_path, broker.port)) as node:
            await online(spy)
            broker.freeze()
            await assert_stops_in_time(node)
            broker.thaw()
        await assert_says_offline(spy)


async def test_while_no_broker_is_there(tmp_path: Path, free_port: int) -> None:
    with Program(tmp_path, "run", write_room(tmp_path, free_port)) as node:
        await node.said("No broker at")
        await assert_stops_in_time(node)


@pytest.mark.slow
async def test_while_the_server_hangs(tmp_path: Path, broker: Broker, free_port: int) -> None:
    """In a turn, so that the session has something to wait for."""
    session = {"provider": "custom", "url": f"ws://127.0.0.1:{free_port}/v1/realtime", "connect": "always"}
    room = write_room(tmp_path, broker.port, session=session)
    with local_server(tmp_path, room, free_port) as server:
        await server.said("served at")
        async with home(broker.port) as spy:
            with Program(tmp_path, "run", room) as node:
                await met(spy, lambda seen: below(seen) == "info" and "session_id" in seen.json)
                server.signal(signal.SIGSTOP)
                await spy.publish(BASE + "request/ask", '{"text": "turn on the kitchen light"}')
                await state(spy, "thinking")
                await assert_stops_in_time(node)
            await assert_says_offline(spy)


@pytest.mark.slow
@pytest.mark.parametrize("command", [["run"], ["replay"]])
async def test_a_second_one_in_the_same_room_ends_with_a_line_and_harms_nothing(
    tmp_path: Path, broker: Broker, command: list[str]
) -> None:
    room = write_room(tmp_path, broker.port)
    recordings = [recording(tmp_path / "one.wav", 1)] if command == ["replay"] else []
    async with MqttSpy(broker.port) as spy:
        with Program(tmp_path, "run", room) as node:
            await online(spy)
            with Program(tmp_path, *command, room, *recordings) as second:
                assert await second.ended() == 75
            assert "Traceback" not in second.log
            assert second.log.splitlines()[-1] == f"room kitchen already runs here (its state is in {tmp_path}/state)"
            node.signal(signal.SIGHUP)
            await until(lambda: node.log.count("Connected to the broker") == 2, 30)
            with Program(tmp_path, *command, room, *recordings) as third:
                assert await third.ended() == 75
            await assert_stops_in_time(node)
        assert [seen.payload for seen in spy.messages if below(seen) == "availability"][:1] == [b"online"]


async def test_a_replay_that_is_interrupted_was_not_heard_to_its_end(tmp_path: Path, broker: Broker) -> None:
    async with MqttSpy(broker.port) as spy:
        sound = recording(tmp_path / "long.wav", 60.0)
        with Program(tmp_path, "replay", write_room(tmp_path, broker.port), sound) as node:
            await online(spy)
            node.signal(signal.SIGINT)
            assert await node.ended() == 130
        assert "Traceback" not in node.log
