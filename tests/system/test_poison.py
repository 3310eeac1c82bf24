"""G8: messages that a broker does not take, or that cannot be said at all; the next one is there within two seconds."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import broker as fake
from tests.fakes.broker import Broker
from tests.fakes.mqtt_spy import MqttSpy
from tests.fakes.until import until
from tests.mqtt.node import BRANCH, TOPICS, Told, node, transcript
from voice_node.model.report import CallReport, EventType, Happening, Report, Response
from voice_node.model.turn import Transcript
from voice_node.mqtt.bridge import Bridge
from voice_node.mqtt.encode import Unencodable, encode
from voice_node.mqtt.message import Message

pytestmark = pytest.mark.skipif(bool(fake.ABSENT), reason=fake.ABSENT)

NEXT_S = 2.0
SLACK = 5
"""A loaded machine is so many times slower than the goal says; `docs/reliability.md` has what was measured."""
NOW = datetime(2026, 1, 1, tzinfo=UTC)
DEEP: Any = "x"
for _ in range(100_000):
    DEEP = [DEEP]


def _transcript(**fields: Any) -> Transcript:
    whole: dict[str, Any] = {"turn_id": "t", "item_id": "poison", "role": "user", "text": "x", "is_final": True}
    return Transcript(**whole | {"started_at": NOW, "ended_at": NOW} | fields)


UNSAYABLE: dict[str, Report] = {
    "half a character in a transcript": _transcript(text="a\ud800"),
    "half a character in an id": _transcript(item_id="\udfff"),
    "NaN as a confidence": _transcript(confidence=float("nan")),
    "infinite confidence": _transcript(confidence=float("inf")),
    "a transcript of 70,000 characters": _transcript(text="x" * 70_000),
    "a happening with NaN": Happening(EventType.TOOL_RESULT, {"output": float("nan")}),
    "a happening too deep": Happening(EventType.TOOL_RESULT, {"output": DEEP}),
    "a happening with bytes": Happening(EventType.TOOL_RESULT, {"output": b"x"}),
    "a happening with 70,000 characters": Happening(EventType.TOOL_RESULT, {"output": "x" * 70_000}),
    "a call of a tool that is no level": CallReport("c", "t", "a/b", {}, NOW, NOW + timedelta(hours=1)),
    "a call with NaN": CallReport("c", "t", "light", {"level": float("nan")}, NOW, NOW + timedelta(hours=1)),
    "a call with a long id": CallReport("c" * 300, "t", "light", {}, NOW, NOW + timedelta(hours=1)),
    "a response to no command": Response("no/such", None),
}
"""The encoder has no message for them, so that none of them can stand before another."""


@pytest.mark.parametrize("what", UNSAYABLE)
def test_what_cannot_be_said_is_no_message(what: str) -> None:
    assert isinstance(encode(UNSAYABLE[what], TOPICS, NOW), Unencodable)


@pytest.mark.parametrize("topic", ["", "a\0b", "a/+", "a/#", "\ud800", "a" * 65_536])
def test_a_topic_that_a_broker_breaks_off_for_cannot_be_made(topic: str) -> None:
    with pytest.raises(ValueError, match="topic"):
        Message(topic, b"{}", 1)


@asynccontextmanager
async def _spied(broker: Broker, folder: Path, **spy: Any) -> AsyncIterator[tuple[Bridge, Told, MqttSpy]]:
    async with node(broker.port, directory=folder, **spy) as (bridge, told), MqttSpy(broker.port, **spy) as watcher:
        yield bridge, told, watcher


async def _next_is_there(bridge: Bridge, spy: MqttSpy) -> None:
    bridge.offer(transcript("next"))
    await spy.wait_for(
        lambda seen: seen.topic == BRANCH + "transcript" and seen.json.get("item_id") == "next", NEXT_S * SLACK
    )


def _parked(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "outbox.db")) as connection:
        (number,) = connection.execute("SELECT count(*) FROM parked").fetchone()
    return int(number)


@pytest.mark.parametrize("config", ["max_packet_size 2000", "message_size_limit 2000"])
async def test_what_is_too_large_for_this_broker_is_parked(tmp_path: Path, config: str) -> None:
    with Broker(config=(config,)) as broker:
        async with _spied(broker, tmp_path) as (bridge, _, spy):
            large = json.dumps({"item_id": "poison", "text": "x" * 5000}).encode()
            bridge.offer(Message(BRANCH + "transcript", large, 1, is_kept=True))
            await _next_is_there(bridge, spy)
            await until(lambda: bridge.counts()["parked"] == 1)
            await until(lambda: not bridge._outbox._is_behind)
    assert await asyncio.to_thread(_parked, tmp_path) == 1


async def test_what_the_access_rules_forbid_is_parked(tmp_path: Path) -> None:
    rules = f"user kitchen\ntopic readwrite {BRANCH}transcript\ntopic readwrite {BRANCH}availability\ntopic read #\n"
    with Broker(users={"kitchen": "x"}, acl=rules) as broker:
        async with (
            node(broker.port, "x", username="kitchen", directory=tmp_path) as (bridge, _),
            MqttSpy(broker.port, username="kitchen", password="x") as spy,
        ):
            bridge.offer(Message(BRANCH + "event", b'{"event_type":"turn_finished"}', 1, is_kept=True))
            await _next_is_there(bridge, spy)
            await until(lambda: bridge.counts()["denied"] == 1)
            await until(lambda: not bridge._outbox._is_behind)
    assert await asyncio.to_thread(_parked, tmp_path) == 1
