"""A Realtime client for tests: a real websocket, and every event judged by the published schema."""

import asyncio
import base64
import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.fakes.schema import assert_published
from tests.local.rooms import ROOM, as_offered
from voice_node.local.server import LocalServer
from voice_node.settings.tools import Tool

Event = dict[str, Any]

needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
needs_sox = pytest.mark.skipif(shutil.which("sox") is None, reason="sox is not installed")


class Client:
    """One session."""

    def __init__(self, connection: ClientConnection, dialect: str = "ga") -> None:
        self.connection = connection
        self.dialect = dialect
        self.seen: list[Event] = []

    async def send(self, kind: str, **fields: Any) -> None:
        """A client event, which must be a good one."""
        event = {"type": kind, **fields}
        assert_published("client", event, self.dialect)
        await self.connection.send(json.dumps(event))

    async def send_raw(self, frame: str | bytes) -> None:
        """Whatever."""
        await self.connection.send(frame)

    async def next(self) -> Event:
        """The next server event."""
        async with asyncio.timeout(30):
            event: Event = json.loads(await self.connection.recv())
        assert_published("server", event, self.dialect)
        self.seen.append(event)
        return event

    async def until(self, kind: str) -> Event:
        """Events up to the first of this kind."""
        while True:
            event = await self.next()
            if event["type"] == kind:
                return event
            assert event["type"] != "error", event["error"]

    async def error(self) -> dict[str, Any]:
        """The next event, which must be an error."""
        event = await self.next()
        assert event["type"] == "error", event
        detail: dict[str, Any] = event["error"]
        assert detail["type"] == "invalid_request_error"
        return detail

    async def configure(self, tools: Sequence[Tool] = ROOM, **session: Any) -> dict[str, Any]:
        """Offer tools; the session as it is then."""
        await self.send("session.update", session={"type": "realtime", "tools": as_offered(*tools), **session})
        updated = (await self.until("session.updated"))["session"]
        assert isinstance(updated, dict)
        return updated

    async def write(self, text: str) -> Event:
        """A text turn; `response.done`."""
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
        await self.send("conversation.item.create", item=item)
        await self.send("response.create")
        return await self.until("response.done")

    async def append(self, pcm: bytes, piece_ms: int = 100) -> None:
        """Sound in pieces, faster than real time."""
        for start in range(0, len(pcm), 48 * piece_ms):
            audio = base64.b64encode(pcm[start : start + 48 * piece_ms]).decode()
            await self.send("input_audio_buffer.append", audio=audio)

    async def speak(self, pcm: bytes) -> None:
        """Append sound in pieces of 100 ms, and commit it."""
        await self.append(pcm)
        await self.send("input_audio_buffer.commit")

    async def give(self, call_id: str, output: str) -> Event:
        """The output of a call; `response.done` of the answer."""
        item = {"type": "function_call_output", "call_id": call_id, "output": output}
        await self.send("conversation.item.create", item=item)
        await self.send("response.create")
        return await self.until("response.done")


@asynccontextmanager
async def client_of(
    port: int, path: str = "/v1/realtime?model=local", dialect: str = "ga", **options: Any
) -> AsyncIterator[Client]:
    """A client after `session.created`."""
    async with connect(f"ws://127.0.0.1:{port}{path}", proxy=None, max_size=None, **options) as connection:
        client = Client(connection, dialect)
        await client.until("session.created")
        yield client


@asynccontextmanager
async def served(tools: Sequence[Tool] = ROOM, **options: Any) -> AsyncIterator[tuple[LocalServer, int]]:
    """A running server and its port."""
    server = LocalServer(tools, **options)
    port = await server.start()
    try:
        yield server, port
    finally:
        await server.close()


def utter(text: str, voice: str = "en-us", rate_hz: int = 24000) -> bytes:
    """What espeak-ng says, mono s16le."""
    wav = subprocess.run(["espeak-ng", "-v", voice, "--stdout", text], check=True, capture_output=True).stdout
    to_raw = ["sox", "-t", "wav", "-", "-r", str(rate_hz), "-c", "1", "-b", "16", "-e", "signed", "-t", "raw", "-"]
    return subprocess.run([*to_raw, "gain", "-n", "-6"], input=wav, check=True, capture_output=True).stdout


def said(done: Event) -> str:
    """The words of a response with one message."""
    (item,) = done["response"]["output"]
    (part,) = item["content"]
    text: str = part.get("transcript", part.get("text"))
    return text


def called(done: Event) -> list[tuple[str, dict[str, Any], str]]:
    """Names, arguments and ids of the calls of a response."""
    items = done["response"]["output"]
    assert all(item["type"] == "function_call" and item["status"] == "completed" for item in items), items
    return [(item["name"], json.loads(item["arguments"]), item["call_id"]) for item in items]
