"""A Realtime server that writes down every commit and asks for a tool, and remembers what it sent and what came back.

Each commit becomes a final transcript of its own words and, when a response is asked for, one call; its output becomes
one written reply. What it sent is *owed* to home automation, but for what a killed process may take with it: the last
that was sent before a connection ended, as far as the node had not yet shown that it had it for a while.
"""

import itertools
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.fakes.wire_net import WireNet

SETTLED_S = 0.25
"""What the node had for so long must outlive it."""


@dataclass(slots=True)
class Talk:
    """One connection, as the server saw it."""

    transcripts: list[tuple[float, str]] = field(default_factory=list)
    """When each was sent, and its item."""
    calls: dict[str, int] = field(default_factory=dict)
    """Each call, and how many outputs came."""
    outputs: dict[str, str] = field(default_factory=dict)
    """What was said last of each."""
    strangers: list[str] = field(default_factory=list)
    """Outputs for no call of this connection."""
    heard: list[float] = field(default_factory=list)
    """When an output came: what was sent before had been read."""
    ended: float | None = None

    def owed(self) -> list[str]:
        """The items whose words must be on MQTT, in order."""
        if self.ended is None:
            return [item for _, item in self.transcripts]
        shown = max((at for at in self.heard if at < self.ended - SETTLED_S), default=0.0)
        return [item for at, item in self.transcripts if at < shown]

    def unanswered(self) -> list[str]:
        """Calls without output, on a connection that is still there."""
        return [call for call, outputs in self.calls.items() if outputs == 0 and self.ended is None]


class SoakServer:
    """`async with SoakServer() as server:`; each turn calls every one of `tools` with `arguments`."""

    def __init__(self, arguments: Mapping[str, Any] | None = None, tools: Sequence[str] = ("set_light",)) -> None:
        self._arguments = json.dumps(arguments or {"state": "on"})
        self._tools = tools
        self.talks: list[Talk] = []
        self.net = WireNet()
        self._numbers = itertools.count(1)
        self._server: Server | None = None

    @property
    def port(self) -> int:
        """On loopback."""
        assert self._server is not None
        port: int = next(iter(self._server.sockets)).getsockname()[1]
        return port

    async def __aenter__(self) -> Self:
        self._server = await serve(self._serve, "127.0.0.1", 0, compression=None, close_timeout=1)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, connection: ServerConnection) -> None:
        talk = Talk()
        self.talks.append(talk)
        try:
            await self._talk(connection, talk)
        except ConnectionClosed:
            pass
        finally:
            talk.ended = time.time()

    async def _talk(self, connection: ServerConnection, talk: Talk) -> None:
        async def send(event_type: str, **fields: Any) -> None:
            event = {"type": event_type, "event_id": f"event_{next(self._numbers)}", **fields}
            await connection.send(json.dumps(event))

        is_answered = False
        await send("session.created", session={"type": "realtime", "id": f"sess_{next(self._numbers)}"})
        async for message in connection:
            self.net.catch("ga", str(message))
            event = json.loads(message)
            match event["type"]:
                case "session.update":
                    await send("session.updated", session=event["session"])
                case "input_audio_buffer.commit":
                    is_answered = False
                    item = f"item_{next(self._numbers)}"
                    await send("input_audio_buffer.committed", item_id=item)
                    await send(
                        "conversation.item.input_audio_transcription.completed",
                        item_id=item,
                        content_index=0,
                        transcript=f"switch it on, {item}",
                        usage={"type": "duration", "seconds": 1},
                    )
                    talk.transcripts.append((time.time(), item))
                case "response.create":
                    await self._respond(send, talk, event["response"].get("metadata", {}), is_answered)
                case "conversation.item.create" if event["item"]["type"] == "message":
                    is_answered = False
                case "conversation.item.create" if event["item"]["type"] == "function_call_output":
                    is_answered = True
                    self._take(talk, event["item"]["call_id"], event["item"]["output"])

    def _take(self, talk: Talk, call_id: str, output: str) -> None:
        talk.heard.append(time.time())
        talk.outputs[call_id] = output
        if call_id in talk.calls:
            talk.calls[call_id] += 1
        else:
            talk.strangers.append(call_id)

    async def _respond(self, send: Any, talk: Talk, metadata: dict[str, str], is_answered: bool) -> None:
        response: dict[str, Any] = {"id": f"resp_{next(self._numbers)}", "status": "in_progress", "metadata": metadata}
        await send("response.created", response=response)
        items = [self._reply()] if is_answered else [self._call(tool) for tool in self._tools]
        for place, item in enumerate(items):
            if is_answered:
                text = item["content"][0]["text"]
                at = {"response_id": response["id"], "item_id": item["id"], "output_index": 0, "content_index": 0}
                await send("response.output_text.done", text=text, **at)
            else:
                talk.calls[item["call_id"]] = 0
            await send("response.output_item.done", response_id=response["id"], output_index=place, item=item)
        if is_answered:
            talk.transcripts.append((time.time(), items[0]["id"]))
        usage = {"total_tokens": 3, "input_tokens": 2, "output_tokens": 1}
        await send("response.done", response=response | {"status": "completed", "output": items, "usage": usage})

    def _reply(self) -> dict[str, Any]:
        item_id = f"item_{next(self._numbers)}"
        content = [{"type": "output_text", "text": f"Done, {item_id}."}]
        return {"id": item_id, "type": "message", "role": "assistant", "status": "completed", "content": content}

    def _call(self, tool: str) -> dict[str, Any]:
        ids = {"id": f"item_{next(self._numbers)}", "call_id": f"call_{next(self._numbers)}"}
        return ids | {"type": "function_call", "status": "completed", "name": tool, "arguments": self._arguments}
