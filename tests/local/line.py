"""A peer without a socket: every event is judged by the published schema of its dialect."""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from tests.fakes.schema import assert_published
from tests.local.rooms import GET_TIME, as_offered
from voice_node.local.dialect import DialectName, Ga
from voice_node.local.engine import Engine
from voice_node.local.peer import Peer
from voice_node.local.session import default_session
from voice_node.local.wire_beta import Beta


class Line:
    """One session of the model `gpt-realtime`, which the schema of the beta knows."""

    def __init__(self, engine: Engine, group: asyncio.TaskGroup, dialect: DialectName) -> None:
        self.sent: list[dict[str, Any]] = []
        self.tasks: list[asyncio.Task[None]] = []
        self._group = group
        self._dialect = dialect
        session = default_session("sess_1", "realtime", "gpt-realtime")
        self.peer = Peer(engine, session, Beta() if dialect == "beta" else Ga(), self._send, self._spawn)

    async def _send(self, event: dict[str, Any]) -> None:
        assert_published("server", event, self._dialect)
        self.sent.append(event)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        self.tasks.append(self._group.create_task(work))
        return self.tasks[-1]

    async def tell(self, kind: str, **fields: Any) -> list[dict[str, Any]]:
        """A client event; what it brought at once."""
        before = len(self.sent)
        await self.peer.receive(json.dumps({"type": kind, **fields}))
        return self.sent[before:]

    async def say(self, kind: str, **fields: Any) -> list[dict[str, Any]]:
        """A client event; what it brought, once everything is done."""
        before = len(self.sent)
        await self.peer.receive(json.dumps({"type": kind, **fields}))
        await self.settle()
        return self.sent[before:]

    async def append(self, pcm: bytes, piece_ms: int = 100) -> list[str]:
        """Sound at 24 kHz in pieces; the kinds of what it brought at once."""
        before = len(self.sent)
        for start in range(0, len(pcm), 48 * piece_ms):
            audio = base64.b64encode(pcm[start : start + 48 * piece_ms]).decode()
            await self.tell("input_audio_buffer.append", audio=audio)
        return [event["type"] for event in self.sent[before:]]

    async def settle(self) -> None:
        """Until everything is done."""
        while any(not task.done() for task in self.tasks):
            await asyncio.gather(*self.tasks)

    def of(self, kind: str) -> list[dict[str, Any]]:
        """What was sent of a kind."""
        return [event for event in self.sent if event["type"] == kind]


@contextlib.asynccontextmanager
async def line(dialect: DialectName = "ga", language: str = "en", **session: Any) -> AsyncIterator[Line]:
    """A session that answers in text; in another language than English nothing that is spoken is understood."""
    engine = Engine([GET_TIME], language)
    engine.start()
    try:
        async with asyncio.TaskGroup() as group:
            one = Line(engine, group, dialect)
            default: dict[str, Any] = {"tools": as_offered(GET_TIME)}
            if dialect == "ga":
                default |= {"type": "realtime", "output_modalities": ["text"]}
            else:
                default |= {"modalities": ["text"]}
            (updated,) = await one.say("session.update", session={**default, **session})
            assert updated["type"] == "session.updated", updated
            yield one
            for task in one.tasks:
                task.cancel()
    finally:
        await engine.close()


def message(text: str) -> dict[str, Any]:
    """What a person wrote."""
    return {"id": text[:4], "type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
