"""The net under the wire holds: what is not as published is seen, wherever a node of the tests sends it."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect

from tests.benchmarks.room import instant_server
from tests.fakes.realtime_server import RealtimeServer, Stay, greet
from tests.fakes.schema import needs_schema
from tests.fakes.until import until
from tests.fakes.wire_net import WireNet, recording_node, torn_by
from tests.session.node import node
from tests.session.room import Room
from tests.system.soak_server import SoakServer
from voice_node.session import events as ev
from voice_node.session.step import Step

pytestmark = needs_schema

GOOD = {"type": "input_audio_buffer.commit", "event_id": "e1"}
BAD: list[dict[str, Any]] = [
    {"type": "input_audio_buffer.commit", "event_id": 5},
    {"type": "conversation.item.truncate", "event_id": "e1", "item_id": "i1", "content_index": 0},
    {"type": "session.update", "session": {"type": "realtime", "voice": "marin"}},
    {"type": "response.cancel.now"},
]
NONSENSE = ev.UpdateSession("e1", {"type": "sung"})


@pytest.mark.parametrize("bad", BAD, ids=lambda event: event["type"])
def test_it_bites(bad: dict[str, Any]) -> None:
    net = WireNet()
    net.catch("ga", json.dumps(GOOD))
    assert net.torn == []
    net.catch("ga", json.dumps(bad))
    (line,) = net.torn
    assert bad["type"] in line


def test_each_dialect_has_its_own_schema() -> None:
    net, flat = WireNet(), json.dumps({"type": "session.update", "session": {"modalities": ["text"]}})
    net.catch("beta", flat)
    assert net.torn == []
    net.catch("ga", flat)
    assert len(net.torn) == 1


def test_it_is_under_every_protocol_of_a_test(wire_net: WireNet) -> None:
    Room().up().perform(Step(sends=[NONSENSE]))
    assert len(wire_net.torn) == 1
    wire_net.torn.clear()


async def test_it_is_under_every_connection_of_a_test(wire_net: WireNet) -> None:
    async with RealtimeServer((*greet(), Stay())) as server, node(server.url) as room:
        await room.is_up()
        assert wire_net.torn == []
        room.connection._send(NONSENSE)
        room.connection._forget_outgoing()  # before the loop turns: the server would complain as well
        assert len(wire_net.torn) == 1
        wire_net.torn.clear()


def test_what_a_process_sends_is_written_down_and_judged(tmp_path: Path) -> None:
    """The way to the encoders of a node's process, with a program in the node's place that sends nonsense."""
    record = tmp_path / "sent"
    program = """
from voice_node.session import connection, events as ev
for dialect in ("ga", "beta"):
    connection.ENCODERS[dialect](ev.CommitAudio("e1"))
    connection.ENCODERS[dialect](ev.UpdateSession("e2", {"type": "sung"}))
"""
    door = 'runpy.run_module("voice_node", run_name="__main__", alter_sys=True)'
    source = recording_node(record)[1].replace(door, program)
    assert program in source
    subprocess.run([sys.executable, "-c", source, str(record)], check=True)
    assert [line.split(":")[:2] for line in torn_by(record)] == [["ga", " session.update"], ["beta", " session.update"]]


async def test_it_is_under_the_server_of_the_soak() -> None:
    async with SoakServer() as server:
        await _nonsense(server.port)
        await until(lambda: bool(server.net.torn))
        (line,) = server.net.torn
        assert line.startswith("ga: conversation.item.truncate")


@pytest.mark.slow
def test_it_is_under_the_server_of_the_benchmarks() -> None:
    with instant_server() as server:
        pass
    with pytest.raises(RuntimeError, match="not in the published schema"), instant_server() as server:
        asyncio.run(_nonsense(server.port))


async def _nonsense(port: int) -> None:
    async with connect(f"ws://127.0.0.1:{port}/v1/realtime") as client:
        await client.send(json.dumps(GOOD))
        await client.send(json.dumps(BAD[1]))
        await (await client.ping())
