"""A Realtime server that counts what comes, and answers each turn with nothing.

usage: python -m tests.benchmarks.peers.sink

Prints its port; then, at the first `session.update`, the time by the monotonic clock (of Linux, which is the same for
all processes). Ends with its standard input, and prints what it counted.
"""

import asyncio
import itertools
import json
import logging
import sys
import time
from typing import Any

from websockets.asyncio.server import ServerConnection, serve

_BYTES_PER_S = 48_000


class Sink:
    """Everything that one client sends."""

    def __init__(self) -> None:
        self.sound_characters = 0
        """Of base64."""
        self.bytes = 0
        """Of messages from the client; what frames add are 8 bytes each."""
        self.turns = 0
        self._is_updated = False
        self._numbers = itertools.count(1)

    @property
    def counted(self) -> dict[str, float]:
        """For the one who asked for it."""
        return {
            "audio_s": self.sound_characters * 3 / 4 / _BYTES_PER_S,
            "megabytes": self.bytes / 1e6,
            "turns": self.turns,
        }

    async def talk(self, connection: ServerConnection) -> None:
        """Until the client leaves."""
        await self._send(connection, "session.created", session={"type": "realtime", "id": "sess_sink"})
        async for message in connection:
            self.bytes += len(message)
            event = json.loads(message)
            match event["type"]:
                case "input_audio_buffer.append":
                    self.sound_characters += len(event["audio"])
                case "session.update":
                    if not self._is_updated:
                        self._is_updated = True
                        print(time.monotonic(), flush=True)
                    session = {"id": "sess_sink", "object": "realtime.session", **event["session"]}
                    await self._send(connection, "session.updated", session=session)
                case "input_audio_buffer.commit":
                    await self._commit(connection)
                case "response.create":
                    await self._respond(connection, event.get("response", {}))

    async def _commit(self, connection: ServerConnection) -> None:
        self.turns += 1
        item_id = self._new("item")
        await self._send(connection, "input_audio_buffer.committed", item_id=item_id, previous_item_id=None)
        content = [{"type": "input_audio", "transcript": None}]
        item = {"id": item_id, "object": "realtime.item", "type": "message", "role": "user", "status": "completed"}
        await self._send(
            connection, "conversation.item.added", previous_item_id=None, item={**item, "content": content}
        )
        usage = {"type": "duration", "seconds": 1}
        kind = "conversation.item.input_audio_transcription.completed"
        await self._send(connection, kind, item_id=item_id, content_index=0, transcript="", usage=usage)

    async def _respond(self, connection: ServerConnection, asked: dict[str, Any]) -> None:
        response: dict[str, Any] = {"id": self._new("resp"), "object": "realtime.response", "output": []}
        response |= {"metadata": asked.get("metadata"), "status": "in_progress"}
        await self._send(connection, "response.created", response=response)
        usage = {"total_tokens": 2, "input_tokens": 2, "output_tokens": 0}
        await self._send(connection, "response.done", response=response | {"status": "completed", "usage": usage})

    async def _send(self, connection: ServerConnection, kind: str, **fields: Any) -> None:
        await connection.send(json.dumps({"type": kind, "event_id": self._new("event"), **fields}))

    def _new(self, kind: str) -> str:
        return f"{kind}_{next(self._numbers)}"


async def _main() -> None:
    sink = Sink()
    async with serve(sink.talk, "127.0.0.1", 0, compression=None) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await asyncio.to_thread(sys.stdin.read)
        print(json.dumps(sink.counted), flush=True)


if __name__ == "__main__":
    logging.disable()  # clients that are killed are how this ends
    asyncio.run(_main())
