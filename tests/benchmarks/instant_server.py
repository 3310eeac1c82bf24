"""A Realtime server that answers at once: each commit becomes a transcript and a call of the first tool.

usage: python -m tests.benchmarks.instant_server

Prints its port, then for each turn one JSON line with its own clock's times (the monotonic clock of Linux is the same
for all processes): `append_at` when the turn's first sound had been read, `commit_at` when the commit had been read,
`call_at` when the call had been written. Ends with its standard input; with 1 where the client sent what is not in the
published schema, which is looked at only then: it would cost the turns time.
"""

import asyncio
import itertools
import json
import logging
import sys
import time
from typing import Any

from websockets.asyncio.server import ServerConnection, serve

from tests.fakes.wire_net import WireNet

_numbers = itertools.count(1)
_heard: set[str] = set()
"""Client events but appends of sound."""


class Talk:
    """One client."""

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection
        self._tool = ""

    async def run(self) -> None:
        """Answer until the client leaves."""
        await self._send("session.created", session={"type": "realtime", "id": "sess_instant"})
        async for message in self._connection:
            if message[:39] == '{"type":"input_audio_buffer.append","au':
                self._append_at = self._append_at or time.monotonic()
                continue
            _heard.add(str(message))
            event = json.loads(message)
            match event["type"]:
                case "session.update":
                    self._tool = next((tool["name"] for tool in event["session"].get("tools", [])), "")
                    await self._send("session.updated", session=event["session"])
                case "input_audio_buffer.commit":
                    await self._commit(time.monotonic())
                case "response.create":
                    await self._respond(event["response"].get("metadata", {}))
                case "conversation.item.create":
                    self._tool_is_answered = True

    _tool_is_answered = False
    _commit_at = 0.0
    _append_at = 0.0

    async def _commit(self, at: float) -> None:
        self._commit_at = at
        self._tool_is_answered = False
        item_id = f"item_{next(_numbers)}"
        await self._send("input_audio_buffer.committed", item_id=item_id)
        usage = {"type": "duration", "seconds": 1}
        kind = "conversation.item.input_audio_transcription.completed"
        await self._send(kind, item_id=item_id, content_index=0, transcript="switch it on", usage=usage)

    async def _respond(self, metadata: dict[str, str]) -> None:
        response: dict[str, Any] = {"id": f"resp_{next(_numbers)}", "status": "in_progress", "metadata": metadata}
        await self._send("response.created", response=response)
        if self._tool_is_answered:
            text = {"type": "output_text", "text": "Done."}
            item: dict[str, Any] = {"id": f"item_{next(_numbers)}", "type": "message", "role": "assistant"}
            item |= {"status": "completed", "content": [text]}
        else:
            item = {"id": f"item_{next(_numbers)}", "type": "function_call", "status": "completed"}
            item |= {"call_id": f"call_{next(_numbers)}", "name": self._tool, "arguments": '{"state": "on"}'}
        await self._send("response.output_item.done", response_id=response["id"], output_index=0, item=item)
        if not self._tool_is_answered:
            times = {"append_at": self._append_at, "commit_at": self._commit_at, "call_at": time.monotonic()}
            print(json.dumps(times), flush=True)
            self._append_at = 0.0
        usage = {"total_tokens": 3, "input_tokens": 2, "output_tokens": 1}
        await self._send("response.done", response=response | {"status": "completed", "output": [item], "usage": usage})

    async def _send(self, event_type: str, **fields: Any) -> None:
        await self._connection.send(json.dumps({"type": event_type, "event_id": f"event_{next(_numbers)}", **fields}))


async def _main() -> int:
    async with serve(lambda connection: Talk(connection).run(), "127.0.0.1", 0, compression=None) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await asyncio.to_thread(sys.stdin.read)
    net = WireNet()
    for message in _heard:
        net.catch("ga", message)
    print(*net.torn, sep="\n", file=sys.stderr, end="")
    return int(bool(net.torn))


if __name__ == "__main__":
    logging.disable()  # cut connections are what some benchmarks are about
    sys.exit(asyncio.run(_main()))
