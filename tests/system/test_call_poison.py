"""A whole node whose service says more than a message may hold: it is set aside and reported, the next goes out."""

import asyncio
import json
import signal
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.fakes.broker import Broker
from tests.fakes.mqtt_spy import MqttSpy
from tests.fakes.realtime_server import Answer, Expect, RealtimeServer, Script, greet
from tests.system.house import BASE, Program, event, met, online, write_room

LONG = "\U0001f600" * 20_000
"""80,000 bytes."""


def saying(number: int, text: str) -> Script:
    """Somebody asks, and the model says this."""

    def make(create: dict[str, Any]) -> Sequence[dict[str, Any]]:
        response = {"id": f"r{number}", "metadata": create["response"].get("metadata", {})}
        words = {"type": "output_text", "text": text}
        item = {"id": f"i{number}", "type": "message", "role": "assistant", "content": [words], "status": "completed"}
        return (
            {"type": "response.created", "response": response | {"status": "in_progress"}},
            {"type": "response.done", "response": response | {"status": "completed", "output": [item]}},
        )

    return Expect("conversation.item.create"), Expect("response.create"), Answer(make)


def parked(folder: Path) -> list[tuple[str, str, int]]:
    (path,) = folder.rglob("outbox.db")
    with closing(sqlite3.connect(path)) as connection:
        found: list[tuple[str, str, int]] = connection.execute(
            "SELECT topic, payload, why FROM parked ORDER BY number"
        ).fetchall()
    return found


async def test_a_transcript_that_no_message_can_hold_is_set_aside(tmp_path: Path, broker: Broker) -> None:
    script = [*greet(), *saying(1, LONG), *saying(2, "short")]
    async with RealtimeServer(script) as server, MqttSpy(broker.port) as spy:
        session = {"provider": "custom", "url": server.url, "output_modalities": ["text"]}
        with Program(tmp_path, "run", write_room(tmp_path, broker.port, session=session)) as node:
            await online(spy)
            for number in (1, 2):
                await spy.publish(BASE + "request/ask", json.dumps({"text": "tell me"}))
                await met(spy, lambda _, n=number: len(finished(spy)) == n)  # type: ignore[misc]  # mypy has no type for n
            assert (await event(spy, "response"))["text"] == "short"
            assert [seen.json["text"] for seen in spy.on(BASE + "transcript")] == ["short"]
            reports = [seen.json for seen in spy.on(BASE + "event") if seen.json.get("code") == "unencodable"]
            assert any(f"{BASE}transcript has 80" in report["detail"] for report in reports)
            assert all("bytes" in report["detail"] for report in reports)
            await met(spy, lambda seen: seen.topic == BASE + "health" and seen.json["last_error"] == "unencodable")
            node.signal(signal.SIGTERM)
            assert await node.ended() == 0
            assert LONG[:5] not in node.log
    (row,) = await asyncio.to_thread(parked, tmp_path)
    topic, payload, why = row
    assert topic == BASE + "transcript"
    assert json.loads(payload)["text"] == LONG
    assert "bytes" in str(why)


def finished(spy: MqttSpy) -> list[Any]:
    return [seen for seen in spy.on(BASE + "event") if seen.json["event_type"] == "turn_finished"]
