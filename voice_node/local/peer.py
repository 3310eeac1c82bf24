"""One client of the server: its session, its conversation, its sound, and the events between them.

The rules:

1. A client event that cannot be obeyed is answered by `error` and changes nothing.
2. Sound is listened to when it is committed, beside everything else; a response waits for what was committed before it.
3. One response at a time belongs to the conversation; a few out-of-band ones may run beside it.
4. An out-of-band response whose metadata has `voice_node: say` speaks the text of its input as it stands.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from voice_node.local import wire
from voice_node.local.conversation import Conversation, Item, entries_of, read_item, spoken_item
from voice_node.local.dialogue import Answer, Say, answer
from voice_node.local.engine import Engine
from voice_node.local.reading import read_object
from voice_node.local.recogniser import WorkerLost
from voice_node.local.refusal import Refused
from voice_node.local.responding import Order, Response, Send
from voice_node.local.session import check_response, updated
from voice_node.local.sound_buffer import HEARD_HZ, PCM, SoundBuffer

_MOST_OUT_OF_BAND = 4
_MOST_UNHEARD = 4
_LONGEST_PLAIN = 1024 * 1024
"""Characters of an event without sound."""
_LONGEST_EVENT_ID = 512

Handler = Callable[[dict[str, Any]], Coroutine[Any, Any, None]]
Spawn = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]


class Peer:
    """Feed it each text frame with `receive`, after `greet`; `send` must not raise."""

    def __init__(self, engine: Engine, session: dict[str, Any], send: Send, spawn: Spawn) -> None:
        """`session` is what `session.created` says."""
        self._engine = engine
        self._session = session
        self._conversation = Conversation()
        self._sound = SoundBuffer(_heard_kind(session))
        self._send = send
        self._spawn = spawn
        self._unheard: set[asyncio.Task[None]] = set()
        self._active: Response | None = None
        self._beside: dict[str, Response] = {}
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
            await self._handler(event, len(frame))(event)
        except Refused as refused:
            await self._send(wire.error(refused, event_id))

    def _handler(self, event: dict[str, Any], length: int) -> Handler:
        kind = event.get("type")
        if not isinstance(kind, str):
            raise Refused("missing_required_parameter", "Missing required parameter: 'type'.", "type")
        if length > _LONGEST_PLAIN and kind not in ("input_audio_buffer.append", "conversation.item.create"):
            raise Refused("invalid_event", "An event without sound may have 1 MiB.")
        if kind not in self._handlers:
            raise Refused("invalid_value", f"Invalid value for 'type': {kind[:64]!r} is not supported.", "type")
        return self._handlers[kind]

    async def _update_session(self, event: dict[str, Any]) -> None:
        self._session = updated(self._session, event.get("session"))
        kind = _heard_kind(self._session)
        if kind != self._sound.kind:
            self._sound = SoundBuffer(kind)  # what was appended in the other format is forgotten
        await self._send(wire.session_updated(self._session))

    async def _append(self, event: dict[str, Any]) -> None:
        self._sound.append(event.get("audio"))

    async def _clear(self, _event: dict[str, Any]) -> None:
        self._sound.clear()
        await self._send(wire.buffer_cleared())

    async def _commit(self, _event: dict[str, Any]) -> None:
        if len(self._unheard) >= _MOST_UNHEARD:
            raise Refused("too_much_sound", f"{_MOST_UNHEARD} commits are still being listened to: wait for them.")
        pcm = self._sound.take()
        item = spoken_item(wire.new_id("item"))
        before = self._conversation.last_id()
        await self._send(wire.buffer_committed(item.id, before))
        await self._add(item, None)
        self._listen(item, pcm)

    async def _create_item(self, event: dict[str, Any]) -> None:
        item = read_item(event.get("item"))
        previous = event.get("previous_item_id")
        if previous is not None and not isinstance(previous, str):
            raise Refused("invalid_type", "Expected a string for 'previous_item_id'.", "previous_item_id")
        if item.content["type"] == "function_call_output" and not self._conversation.has_call(item.content["call_id"]):
            raise Refused("invalid_tool_call_id", "There is no call with this id.", "item.call_id")
        pcm = self._sound_of(item)
        await self._add(item, previous)
        if pcm is not None:
            self._listen(item, pcm)

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
        if self._session["type"] != "realtime":
            raise Refused("invalid_value", "A transcription session gives no responses.", "type")
        config = check_response(event.get("response"))
        is_out_of_band = config.get("conversation") == "none"
        items = self._input(config)
        if is_out_of_band and len(self._beside) >= _MOST_OUT_OF_BAND:
            raise Refused("too_many_responses", f"{_MOST_OUT_OF_BAND} out-of-band responses are still running.")
        if not is_out_of_band and self._active is not None:
            raise Refused(
                "conversation_already_has_active_response",
                f"Conversation already has an active response in progress: {self._active.order.id}. "
                "Wait until the response is finished before creating a new one.",
            )
        response = Response(self._order(config, is_out_of_band), self._conversation, self._engine.voice, self._send)
        if is_out_of_band:
            self._beside[response.order.id] = response
        else:
            self._active = response
        self._spawn(self._respond(response, items)).set_name(response.order.id)

    async def _cancel_response(self, event: dict[str, Any]) -> None:
        wanted = event.get("response_id")
        response = self._active
        if isinstance(wanted, str):
            is_active = response is not None and response.order.id == wanted
            response = response if is_active else self._beside.get(wanted)
        if response is None:
            raise Refused("response_cancel_not_active", "Cancellation failed: no active response found.", "response_id")
        response.cancel()

    async def _respond(self, response: Response, items: Sequence[Item] | None) -> None:
        unheard = frozenset(self._unheard)

        async def decide() -> Answer:
            metadata = response.order.metadata or {}
            if response.order.is_out_of_band and metadata.get("voice_node") == "say":
                return Say(" ".join(item.words for item in items or () if item.words))
            if unheard:
                await asyncio.wait(unheard)
            entries = self._conversation.entries() if items is None else list(entries_of(items))
            return answer(entries, response.order.offered, self._engine.tools, self._engine.understand)

        done = await response.run(decide)
        self._beside.pop(response.order.id, None)
        if self._active is response:
            self._active = None  # before the client hears of it and asks for the next
        await self._send(done)

    async def _add(self, item: Item, previous: str | None) -> None:
        before = self._conversation.add(item, previous)
        await self._send(wire.item_added(item.content, before))
        await self._send(wire.item_done(item.content, before))

    def _listen(self, item: Item, pcm: bytes) -> None:
        task = self._spawn(self._recognise(item, pcm))
        self._unheard.add(task)
        task.add_done_callback(self._unheard.discard)

    async def _recognise(self, item: Item, pcm: bytes) -> None:
        parts = item.content["content"]
        index = next(index for index, part in enumerate(parts) if part["type"] == "input_audio")
        is_wanted = self._session["audio"]["input"]["transcription"] is not None
        is_wanted = is_wanted or self._session["type"] == "transcription"
        try:
            heard = await self._engine.recognise(pcm)
        except WorkerLost:
            if is_wanted:
                message = "Speech could not be recognised on this device."
                await self._send(wire.transcription_failed(item.id, index, "recognition_failed", message))
            return
        if heard.is_command:
            item.words = " ".join(filter(None, (item.words, heard.text)))
        if is_wanted:
            parts[index]["transcript"] = heard.text
            seconds = len(pcm) / (2 * HEARD_HZ)
            await self._send(wire.transcription_completed(item.id, index, heard.text, seconds))

    def _sound_of(self, item: Item) -> bytes | None:
        """The sound that came within an item, at the recogniser's rate."""
        if item.sound is None:
            return None
        if len(self._unheard) >= _MOST_UNHEARD:
            raise Refused("too_much_sound", f"{_MOST_UNHEARD} items are still being listened to: wait for them.")
        audio, item.sound = item.sound, None
        sound = SoundBuffer(self._sound.kind)
        sound.append(audio, "item.content")
        return sound.take()

    def _input(self, config: dict[str, Any]) -> list[Item] | None:
        """The items that take the conversation's place; None: the conversation."""
        if "input" not in config:
            return None
        items: list[Item] = []
        for index, raw in enumerate(config["input"]):
            place = f"response.input[{index}]"
            if isinstance(raw, dict) and raw.get("type") == "item_reference":
                items.append(self._conversation.get(raw.get("id")))
            else:
                items.append(read_item(raw, place))
        return items

    def _order(self, config: dict[str, Any], is_out_of_band: bool) -> Order:
        session = self._session
        tools = config.get("tools", session["tools"])
        choice = config.get("tool_choice", session["tool_choice"])
        offered = frozenset(tool["name"] for tool in tools) & self._engine.tools.keys()
        output = {**session["audio"]["output"], **config.get("audio", {}).get("output", {})}
        return Order(
            id=wire.new_id("resp"),
            is_out_of_band=is_out_of_band,
            modalities=tuple(config.get("output_modalities", session["output_modalities"])),
            offered=frozenset() if choice == "none" else offered,
            metadata=config.get("metadata"),
            speed=output["speed"],
            voice=output["voice"] if isinstance(output["voice"], str) else None,
            most_tokens=config.get("max_output_tokens", session["max_output_tokens"]),
        )


def _heard_kind(session: Mapping[str, Any]) -> str:
    kind: str = session["audio"]["input"]["format"].get("type", PCM)
    return kind


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
