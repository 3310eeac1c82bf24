"""A connection at work in a test's hands, and the words of a server that it talks to."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from tests.fakes.realtime_server import Emit, Expect, Script, emit
from tests.fakes.until import until
from tests.session.room import SECOND, ended, settings
from voice_node.model.errors import SessionRefused
from voice_node.model.moment import Moment
from voice_node.model.speech import SpeechAudio, SpeechStarted
from voice_node.model.turn import LinkChanged, Outcome, ReplyAudio, ReplyAudioEnded, TurnFinished, TurnLost
from voice_node.runtime.pipe import Pipe
from voice_node.session.connection import Connection
from voice_node.session.protocol import Input, Protocol
from voice_node.session.providers import Endpoint
from voice_node.settings.tools import Tool

TIMING = ("ping_s", "open_s", "send_s", "paced_bytes_per_s", "lives_on", "take_back")
CANARY = "sk-canary-0123456789abcdef"
PCM = b"\1\0" * 480


class Node:
    """A connection with what it tells and plays."""

    def __init__(self, url: str, *, speed: float = 1.0, **values: Any) -> None:
        """`speed`: how much faster the node's clock runs; its pings, sends and pauses keep their own time."""
        self.inputs: Pipe[Input] = Pipe(500)
        self.outcomes: list[Outcome] = []
        self.played: list[ReplyAudio | ReplyAudioEnded] = []
        self.failure: SessionRefused | None = None

        async def endpoint() -> Endpoint:
            return Endpoint(url, {"Authorization": f"Bearer {CANARY}"})

        def clock() -> Moment:
            return Moment(asyncio.get_running_loop().time() * speed, datetime.now(UTC))

        timing = {name: values.pop(name) for name in TIMING if name in values}
        tools: Sequence[Tool] = values.pop("tools", ())
        patience_s = values.pop("patience_s", None)
        protocol = Protocol(settings(**values), tools, patience_s=patience_s)
        self.connection = Connection(protocol, endpoint, clock, self.outcomes.append, self.played.append, **timing)

    async def run(self) -> None:
        try:
            await self.connection.run(self.inputs)
        except* SessionRefused as group:
            error: BaseException = group
            while isinstance(error, BaseExceptionGroup):
                error = error.exceptions[0]
            assert isinstance(error, SessionRefused)
            self.failure = error

    def all(self, kind: Callable[..., Any]) -> list[Any]:
        return [value for value in self.outcomes if isinstance(value, kind)]  # type: ignore[arg-type]  # a class

    async def say(self, turn_id: str, pcm: bytes = SECOND) -> None:
        await self.inputs.put(SpeechStarted(turn_id, 0))
        for at in range(0, len(pcm), 4800):
            await self.inputs.put(SpeechAudio(turn_id, pcm[at : at + 4800]))
        await self.inputs.put(ended(turn_id, len(pcm) / 48_000))

    async def ended(self, count: int) -> list[tuple[str, str]]:
        """How the first `count` turns ended, once they did."""
        await until(lambda: len(self.all(TurnFinished) + self.all(TurnLost)) >= count, 20)
        return [
            (end.turn_id, str(end.status if isinstance(end, TurnFinished) else end.reason))
            for end in self.outcomes
            if isinstance(end, TurnFinished | TurnLost)
        ]

    async def is_up(self) -> None:
        await until(lambda: any(link.is_up for link in self.all(LinkChanged)))


@asynccontextmanager
async def node(url: str, **values: Any) -> AsyncIterator[Node]:
    """A connection at work until the block ends."""
    room = Node(url, **values)
    task = asyncio.create_task(room.run())
    try:
        yield room
        room.inputs.close()
        await asyncio.wait_for(task, 10)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def committed(item_id: str, text: str = "turn on the light") -> Emit:
    return emit(
        {"type": "input_audio_buffer.committed", "item_id": item_id},
        {
            "type": "conversation.item.input_audio_transcription.completed",
            "item_id": item_id,
            "content_index": 0,
            "transcript": text,
            "usage": {"type": "duration", "seconds": 1.0},
        },
    )


def reply(response_id: str, *, text: str = "it is on", pcm: bytes = PCM) -> Emit:
    ids = {"response_id": response_id, "item_id": f"item_{response_id}", "output_index": 0, "content_index": 0}
    return emit(
        {"type": "response.created", "response": {"id": response_id, "metadata": {}}},
        {"type": "response.output_audio_transcript.delta", "delta": text} | ids,
        {"type": "response.output_audio.delta", "delta": base64.b64encode(pcm).decode()} | ids,
        {"type": "response.output_audio.done"} | ids,
        {"type": "response.output_audio_transcript.done", "transcript": text} | ids,
        {"type": "response.done", "response": {"id": response_id, "status": "completed", "output": []}},
        {"type": "rate_limits.updated", "rate_limits": []},
    )


def spoken_turn(number: int = 1) -> Script:
    return (
        Expect("input_audio_buffer.commit"),
        committed(f"item_{number}"),
        Expect("response.create"),
        reply(f"resp_{number}"),
    )


def call(response_id: str, *call_ids: str) -> Emit:
    items = [
        {"type": "function_call", "call_id": call_id, "name": "light", "arguments": "{}", "status": "completed"}
        for call_id in call_ids
    ]
    ids = {"response_id": response_id, "output_index": 0, "item_id": "item_c"}
    announced = [
        event | ids
        for item in items
        for event in (
            {"type": "response.function_call_arguments.done", "call_id": item["call_id"], "arguments": "{}"},
            {"type": "response.output_item.done", "item": item},
        )
    ]
    return emit(
        {"type": "response.created", "response": {"id": response_id, "metadata": {}}},
        *announced,
        {"type": "response.done", "response": {"id": response_id, "status": "completed", "output": items}},
    )
