"""A machine that has no memory left for the room, and one that stops for a while."""

import asyncio
import resource
import signal
from pathlib import Path

import psutil
import pytest

from tests.fakes.broker import Broker
from tests.fakes.mqtt_spy import MqttSpy
from tests.system.house import BASE, Program, event, events, home, met, online, write_room

LEFT = 32 * 1024 * 1024
"""Bytes of data that a room which is at work may still take."""
FROZEN_S = 30
"""The broker gives a client up after 1.5 x 15 s."""


async def _ask(spy: MqttSpy) -> None:
    turns = len(events(spy, "turn_finished"))
    await spy.publish(BASE + "request/ask", '{"text": "turn on the kitchen light"}')
    await met(spy, lambda _: len(events(spy, "turn_finished")) > turns)


@pytest.mark.slow
async def test_a_flood_finds_a_room_without_memory_to_spare(tmp_path: Path, broker: Broker) -> None:
    """Every buffer has a bound: what it holds is less than what is left."""
    room = write_room(tmp_path, broker.port)
    # Who floods hears nothing of it: a test that drowns in its own messages proves nothing.
    async with (
        MqttSpy(broker.port, wanted=BASE + "event") as spy,
        MqttSpy(broker.port, wanted="nothing") as flooder,
        home(broker.port, wanted=BASE + "tool/+/call"),
    ):
        with Program(tmp_path, "run", room) as node:
            await node.said("Connected to the broker")
            await _ask(spy)
            data = 1024 * int(next(line for line in _status(node.pid) if line.startswith("VmData")).split()[1])
            psutil.Process(node.pid).rlimit(resource.RLIMIT_DATA, (data + LEFT, data + LEFT))
            for _ in range(5):
                flood = (
                    flooder.publish(BASE + place, b'{"call_id": "x", "output": "' + b"x" * 60_000 + b'"}')
                    for place in ["request/say", "tool/set_light/result", "volume/set", "request/none"] * 25
                )
                await asyncio.gather(*flood)
            await _ask(spy)
            assert node.is_running
            assert [one["is_ok"] for one in events(spy, "tool_result")] == [True, True]
    assert "MemoryError" not in node.log
    assert "Traceback" not in node.log


def _status(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/status").read_text().splitlines()


@pytest.mark.slow
async def test_a_room_that_was_stopped_comes_back(tmp_path: Path, broker: Broker) -> None:
    """A laptop's lid, a hypervisor's pause: its broker and its service have given it up when it goes on."""
    room = write_room(tmp_path, broker.port)
    async with home(broker.port) as spy:
        with Program(tmp_path, "run", room) as node:
            await online(spy)
            node.signal(signal.SIGSTOP)
            await spy.wait_for(
                lambda seen: seen.topic == BASE + "availability" and seen.payload == b"offline", FROZEN_S
            )
            mark = len(spy.on(BASE + "availability"))
            node.signal(signal.SIGCONT)
            await met(spy, lambda _: [seen.payload for seen in spy.on(BASE + "availability")][mark:] == [b"online"])
            await _ask(spy)
            assert (await event(spy, "tool_result"))["is_ok"]
            assert node.is_running
    assert "Traceback" not in node.log
