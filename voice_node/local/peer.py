"""One client of the server: its session, its conversation, and which of its events means what.

The rules: an event that cannot be obeyed is answered by `error` and changes nothing. Its dialect is known here alone:
everything else is GA.
"""

from collections.abc import Callable, Coroutine
from typing import Any

from voice_node.local import wire
from voice_node.local.answering import Answering
from voice_node.local.conversation import Conversation, Item, read_item
from voice_node.local.dialect import Dialect
from voice_node.local.engine import Engine
from voice_node.local.hearing import Hearing, Spawn
from voice_node.local.reading import read_object
from voice_node.local.refusal import Refused
from voice_node.local.responding import Send
from voice_node.local.session import updated
from voice_node.local.turn_detection import SpeechStarted, SpeechStopped, TimedOut

_LONGEST_PLAIN = 1024 * 1024
"""Characters of an event without sound."""
_LONGEST_EVENT_ID = 512

Handler = Callable[[dict[str, Any]], Coroutine[Any, Any, None]]


class Peer:
    """Feed it each text frame with `receive`, after `greet`; `send` must not raise."""

    def __init__(self, engine: Engine, session: dict[str, Any], dialect: Dialect, send: Send, spawn: Spawn) -> None:
        """`session` is what `session.created` says."""
        self._session = session
        self._dialect = dialect
        self._deliver = send
        self._conversation = Conversation()
        self._hearing = Hearing(engine, self._conversation, session, self._send, spawn)
        self._answering = Answering(engine, self._conversation, self._hearing, session, self._send, spawn)
        self._handlers: dict[str, Handler] = {
            "session.update": self._update_session,
            "input_audio_buffer.append": self._append,
            "input_audio_buffer.commit": self._commit,
            "input_audio_buffer.clear": self._clear,
            "conversation.item.create": self._create_item,
            "conversation.item.retrieve": self._retrieve_item,
            "conversation.item.delete": self._delete_item,
            "conversation.item.truncate": self._truncate_item,
            "response.create": self._create_response,
            "response.cancel": self._cancel_response,
        }

    async def greet(self) -> None:
        """Send `session.created`."""
        await self._send(wire.session_created(self._session))

    async def receive(self, frame: str | bytes) -> None:
        """One client event; answers, or sends `error`."""
        event_id: str | None = None
        try:
            event = _parse(frame)
            event_id = _event_id(event)
            event = self._dialect.read(event)
            await self._handler(event, len(frame))(event)
        except Refused as refused:
            await self._send(wire.error(self._dialect.refused(refused), event_id))

    async def _send(self, event: wire.Event) -> None:
        told = self._dialect.write(event)
        if told is not None:
            await self._deliver(told)

    def _handler(self, event: dict[str, Any], length: int) -> Handler:
        kind = event.get("type")
        if kind is None:
            raise Refused("missing_required_parameter", "Missing required parameter: 'type'.", "type")
        if not isinstance(kind, str):
            raise Refused("invalid_type", "Expected a string for 'type'.", "type")
        if length > _LONGEST_PLAIN and kind not in ("input_audio_buffer.append", "conversation.item.create"):
            raise Refused("invalid_event", "An event without sound may have 1 MiB.")
        if kind not in self._handlers:
            raise Refused("invalid_value", f"Invalid value for 'type': {kind[:64]!r} is not supported.", "type")
        return self._handlers[kind]

    async def _update_session(self, event: dict[str, Any]) -> None:
        self._session = updated(self._session, event.get("session"))
        self._hearing.configure(self._session)
        self._answering.session = self._session
        await self._send(wire.session_updated(self._session))

    async def _append(self, event: dict[str, Any]) -> None:
        async for edge in self._hearing.append(event.get("audio")):
            turns = self._hearing.turns
            if turns is None:
                continue
            match edge:
                case SpeechStarted() if turns.interrupts_response:
                    self._answering.interrupt()
                case SpeechStopped() if turns.creates_response:
                    self._answering.answer_turn()
                case TimedOut() if turns.creates_response:
                    self._answering.ask()

    async def _clear(self, _event: dict[str, Any]) -> None:
        await self._hearing.clear()

    async def _commit(self, _event: dict[str, Any]) -> None:
        await self._hearing.commit()

    async def _create_item(self, event: dict[str, Any]) -> None:
        item = read_item(event.get("item"))
        previous = event.get("previous_item_id")
        if previous is not None and not isinstance(previous, str):
            raise Refused("invalid_type", "Expected a string for 'previous_item_id'.", "previous_item_id")
        if item.content["type"] == "function_call_output" and not self._conversation.has_call(item.content["call_id"]):
            raise Refused("invalid_tool_call_id", "There is no call with this id.", "item.call_id")
        pcm = self._hearing.sound_of(item)
        await self._add(item, previous)
        if pcm is not None:
            self._hearing.listen(item, pcm)

    async def _retrieve_item(self, event: dict[str, Any]) -> None:
        await self._send(wire.item_retrieved(self._conversation.get(event.get("item_id")).content))

    async def _delete_item(self, event: dict[str, Any]) -> None:
        self._conversation.delete(event.get("item_id"))
        await self._send(wire.item_deleted(event["item_id"]))

    async def _truncate_item(self, event: dict[str, Any]) -> None:
        item_id = event.get("item_id")
        index, end_ms = self._conversation.truncate(item_id, event.get("content_index", 0), event.get("audio_end_ms"))
        await self._send(wire.item_truncated(event["item_id"], index, end_ms))

    async def _create_response(self, event: dict[str, Any]) -> None:
        self._answering.create(event.get("response"))

    async def _cancel_response(self, event: dict[str, Any]) -> None:
        self._answering.cancel(event.get("response_id"))

    async def _add(self, item: Item, previous: str | None) -> None:
        before = self._conversation.add(item, previous)
        await self._send(wire.item_added(item.content, before))
        await self._send(wire.item_done(item.content, before))


def _parse(frame: str | bytes) -> dict[str, Any]:
    """A client event. Raises Refused."""
    if isinstance(frame, bytes):
        raise Refused("invalid_event", "Events are JSON in text frames, not in binary ones.")
    return read_object(frame)


def _event_id(event: dict[str, Any]) -> str | None:
    event_id = event.get("event_id")
    if event_id is None:
        return None
    if not isinstance(event_id, str) or len(event_id) > _LONGEST_EVENT_ID:
        raise Refused("invalid_type", f"Expected at most {_LONGEST_EVENT_ID} characters for 'event_id'.", "event_id")
    return event_id
