"""One response: from `response.created` to `response.done`, whatever happens between.

The rules: every item and part that was begun is ended, in the order in which a client expects it. A response that is
cancelled ends its open item as `incomplete` and itself as `cancelled`; what it had finished stays. An out-of-band
response leaves the conversation as it was. Words beyond `max_output_tokens` are not said: the response is `incomplete`
then. Calls are never cut.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal, assert_never

from voice_node.local import wire
from voice_node.local.conversation import Conversation, Item, function_call, message, to_json
from voice_node.local.dialogue import Answer, Call, CallAll, Say
from voice_node.local.sound_format import PCM_HZ, SoundWriter
from voice_node.local.voice import Voice

Send = Callable[[wire.Event], Awaitable[None]]
Decide = Callable[[], Awaitable[Answer]]
"""What to answer, once it is known what was said."""
CancelReason = Literal["client_cancelled", "turn_detected"]

_CHARACTERS_PER_TOKEN = 4
"""This engine has no tokens; of English text there is one in about four characters."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a client asked for with `response.create`."""

    id: str
    is_out_of_band: bool
    modalities: tuple[str, ...]
    offered: Collection[str]
    """Names of tools that may be called."""
    metadata: Mapping[str, str] | None
    speed: float
    voice: Any
    most_tokens: Any
    """A number or `inf`."""
    sound: Mapping[str, Any]
    """The format of the output."""


class Response:
    """Answers one order; `run` it as a task of its own."""

    def __init__(self, order: Order, conversation: Conversation, voice: Voice, send: Send) -> None:
        self.order = order
        self.audio_ms = 0.0
        """Sound that was sent."""
        self._conversation = conversation
        self._voice = voice
        self._send = send
        self._output: list[dict[str, Any]] = []
        self._task: asyncio.Task[Any] | None = None
        self._reason: CancelReason | None = None
        self._is_cut = False

    def cancel(self, reason: CancelReason = "client_cancelled") -> None:
        """End it soon."""
        if self._reason is None:
            self._reason = reason
            if self._task is not None:
                self._task.cancel()

    async def run(self, decide: Decide) -> wire.Event:
        """Send everything but the last event, `response.done`: that is returned."""
        self._task = asyncio.current_task()
        try:
            await self._send(wire.response_created(self._resource("in_progress")))
            if self._reason is None:
                await self._answer(await decide())
        except asyncio.CancelledError:
            if self._reason is None:
                raise
            if self._task is not None:
                self._task.uncancel()
        finally:
            self._task = None
        if self._reason is not None:
            return wire.response_done(self._resource("cancelled", reason=self._reason))
        if self._is_cut:
            return wire.response_done(self._resource("incomplete", reason="max_output_tokens"))
        return wire.response_done(self._resource("completed"))

    async def fail(self, code: str, text: str) -> wire.Event:
        """Instead of `run`: it is not answered."""
        await self._send(wire.response_created(self._resource("in_progress")))
        return wire.response_done(self._resource("failed", error={"type": code, "code": code, "message": text}))

    async def _answer(self, answer: Answer) -> None:
        match answer:
            case Say(text):
                await self._speak(self._cut(text))
            case CallAll(calls):
                for index, call in enumerate(calls):
                    await self._call(index, call)
            case _:
                assert_never(answer)

    def _cut(self, text: str) -> str:
        most = len(text) if self.order.most_tokens == "inf" else self.order.most_tokens * _CHARACTERS_PER_TOKEN
        self._is_cut = len(text) > most
        return text[:most]

    async def _call(self, index: int, call: Call) -> None:
        item_id, call_id, arguments = wire.new_id("item"), wire.new_id("call"), to_json(call.arguments)
        part = wire.Part(self.order.id, item_id, index)
        before = await self._begin(index, Item(function_call(item_id, call_id, call.tool, "", "in_progress")))
        await self._send(part.arguments_delta(call_id, arguments))
        await self._send(part.arguments_done(call_id, call.tool, arguments))
        await self._end(index, function_call(item_id, call_id, call.tool, arguments, "completed"), before)

    async def _speak(self, text: str) -> None:
        kind = "audio" if "audio" in self.order.modalities else "text"
        item = Item(message(wire.new_id("item"), "assistant", [], "in_progress"))
        part = wire.Part(self.order.id, item.id, 0)
        before = await self._begin(0, item)
        status = "incomplete" if self._is_cut else "completed"
        is_cancelled = False
        try:
            await self._send(part.added(kind))
            if kind == "text":
                await self._send(part.text_delta(text))
            else:
                await self._send(part.transcript_delta(text))
                await self._sound(text, item, part)
        except asyncio.CancelledError:
            if self._reason is None:
                raise
            is_cancelled, status = True, "incomplete"
        if kind == "text":
            await self._send(part.text_done(text))
        else:
            await self._send(part.audio_done())
            await self._send(part.transcript_done(text))
        await self._send(part.done(kind, text))
        said = (
            {"type": "output_audio", "transcript": text} if kind == "audio" else {"type": "output_text", "text": text}
        )
        await self._end(0, message(item.id, "assistant", [said], status), before)
        if is_cancelled:
            raise asyncio.CancelledError

    async def _sound(self, text: str, item: Item, part: wire.Part) -> None:
        writer = SoundWriter(self.order.sound["type"])
        async with contextlib.aclosing(self._voice.speak(text, self.order.speed)) as pieces:
            async for pcm in pieces:
                self.audio_ms += len(pcm) * 1000 / (2 * PCM_HZ)
                item.audio_ms = self.audio_ms
                if sound := writer.write(pcm):
                    await self._send(part.audio_delta(sound))
        if sound := writer.finish():
            await self._send(part.audio_delta(sound))

    async def _begin(self, index: int, item: Item) -> str | None:
        before: str | None = None
        await self._send(wire.output_item_added(self.order.id, index, dict(item.content)))
        if not self.order.is_out_of_band:
            before = self._conversation.add(item)
            await self._send(wire.item_added(dict(item.content), before))
        return before

    async def _end(self, index: int, content: dict[str, Any], before: str | None) -> None:
        self._output.append(content)
        await self._send(wire.output_item_done(self.order.id, index, content))
        if not self.order.is_out_of_band:
            self._conversation.replace(content)
            await self._send(wire.item_done(content, before))

    def _resource(self, status: str, **details: Any) -> dict[str, Any]:
        is_running = status == "in_progress"
        return {
            "object": "realtime.response",
            "id": self.order.id,
            "status": status,
            "status_details": {"type": status, **details} if details else None,
            "output": list(self._output),
            "conversation_id": None if self.order.is_out_of_band else self._conversation.id,
            "output_modalities": list(self.order.modalities),
            "max_output_tokens": self.order.most_tokens,
            "audio": {"output": {"format": dict(self.order.sound), "voice": self.order.voice}},
            "usage": None if is_running else wire.no_usage(),
            "metadata": dict(self.order.metadata) if self.order.metadata is not None else None,
        }
