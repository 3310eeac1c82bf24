"""What a client says: its sound, where its turns end, and what the recogniser makes of them.

The rules:

1. Without turn detection the client commits, and is refused what the buffer cannot hold. With it the server commits at
   the end of each turn; a client may commit too, and then the turn ends there.
2. What was committed is listened to beside everything else. At most `_MOST_UNHEARD` are at a time: a client that
   commits one more is refused; one more turn that the server ended counts as not understood.
3. A long append is taken in pieces, so that other clients are served between.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from typing import Any, assert_never

from voice_node.local import wire
from voice_node.local.conversation import Conversation, Item, spoken_item
from voice_node.local.engine import Engine
from voice_node.local.recogniser import WorkerLost
from voice_node.local.refusal import Refused
from voice_node.local.responding import Send
from voice_node.local.sound_buffer import BYTES_PER_MS, LONGEST_S, SoundBuffer
from voice_node.local.sound_format import SoundReader
from voice_node.local.turn_detection import Edge, SpeechStarted, SpeechStopped, TimedOut, TurnDetector, Turns, turns_of
from voice_node.local.voice_activity import FRAME_BYTES, VoiceActivity

_MOST_UNHEARD = 4
_PIECE_BYTES = 2000 * BYTES_PER_MS

Spawn = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]


class Hearing:
    """The input of one session; `configure` it at every `session.update`."""

    def __init__(
        self, engine: Engine, conversation: Conversation, session: Mapping[str, Any], send: Send, spawn: Spawn
    ) -> None:
        self._engine = engine
        self._conversation = conversation
        self._send = send
        self._spawn = spawn
        self._unheard: set[asyncio.Task[None]] = set()
        self._buffer = SoundBuffer()
        self._reader = SoundReader(session["audio"]["input"]["format"]["type"])
        self.turns: Turns | None = None
        """How turns end; None: the client commits."""
        self._writes_down = False
        self._begun_id: str | None = None
        self._rest = b""
        self._detector: TurnDetector | None = None
        self._activity: VoiceActivity | None = None
        self.configure(session)

    @property
    def unheard(self) -> frozenset[asyncio.Task[None]]:
        """What is being listened to."""
        return frozenset(self._unheard)

    def configure(self, session: Mapping[str, Any]) -> None:
        """As the session is now. In another format, what was appended is forgotten."""
        heard = session["audio"]["input"]
        self._writes_down = heard["transcription"] is not None or session["type"] == "transcription"
        turns, kind = turns_of(heard["turn_detection"]), heard["format"]["type"]
        if kind != self._reader.kind:
            self._reader = SoundReader(kind)
            self._buffer.clear()
        elif turns == self.turns:
            return
        self.turns = turns
        self._attend()

    def reply_was_sent(self, audio_ms: float) -> None:
        """A reply of so much sound, which the client plays from now on."""
        if self._detector is not None:
            self._detector.reply_was_played(self._buffer.end_ms + int(audio_ms))

    async def append(self, audio: object) -> AsyncIterator[Edge]:
        """Base64 of sound; what became of it, already told to the client. Raises Refused."""
        pcm = self._reader.read(audio)
        if self._detector is None:
            if not self._buffer.has_room(pcm):
                message = f"The input audio buffer holds at most {LONGEST_S} s: commit or clear it."
                raise Refused("input_audio_buffer_full", message, "audio")
            self._buffer.append(pcm)
            return
        for start in range(0, len(pcm), _PIECE_BYTES):
            if start:
                await asyncio.sleep(0)
            async for edge in self._attend_to(pcm[start : start + _PIECE_BYTES]):
                yield edge

    async def clear(self) -> None:
        """Forget what is held."""
        self._buffer.clear()
        self._reader.reset()
        self._attend()
        await self._send(wire.buffer_cleared())

    async def commit(self) -> None:
        """The client says that a turn is over. Raises Refused."""
        self._refuse_too_much()
        self._buffer.append(self._reader.finish())
        pcm = self._buffer.take()
        item_id = self._begun_id or wire.new_id("item")
        self._attend()
        await self._commit(item_id, pcm)

    def sound_of(self, item: Item) -> bytes | None:
        """The sound that came within an item, for `listen`. Raises Refused."""
        if item.sound is None:
            return None
        self._refuse_too_much()
        audio, item.sound = item.sound, None
        reader, buffer = SoundReader(self._reader.kind), SoundBuffer()
        for pcm in (reader.read(audio, "item.content"), reader.finish()):
            if not buffer.has_room(pcm):
                raise Refused("input_audio_buffer_full", f"An item holds at most {LONGEST_S} s.", "item.content")
            buffer.append(pcm)
        return buffer.take()

    def listen(self, item: Item, pcm: bytes) -> None:
        """Begin to recognise an item's sound."""
        task = self._spawn(self._recognise(item, pcm))
        self._unheard.add(task)
        task.add_done_callback(self._unheard.discard)

    def _attend(self) -> None:
        """Begin to look for speech, from here."""
        self._begun_id = None
        self._rest = b""
        self._detector = None if self.turns is None else TurnDetector(self.turns, self._buffer.end_ms)
        self._activity = None if self.turns is None else VoiceActivity(self.turns.threshold)

    async def _attend_to(self, pcm: bytes) -> AsyncIterator[Edge]:
        self._buffer.append(pcm)
        pcm = self._rest + pcm
        whole = len(pcm) - len(pcm) % FRAME_BYTES
        self._rest = pcm[whole:]
        for start in range(0, whole, FRAME_BYTES):
            if self._detector is None or self._activity is None:
                return
            edge = self._detector.step(self._activity.is_voiced(pcm[start : start + FRAME_BYTES]))
            if edge is not None:
                await self._tell(edge)
                yield edge

    async def _tell(self, edge: Edge) -> None:
        item_id = self._begun_id or wire.new_id("item")
        match edge:
            case SpeechStarted(start_ms):
                self._begun_id = item_id
                self._buffer.forget_before(start_ms)
                await self._send(wire.speech_started(item_id, max(start_ms, self._buffer.start_ms)))
            case SpeechStopped(end_ms):
                self._begun_id = None
                await self._send(wire.speech_stopped(item_id, end_ms))
                await self._commit(item_id, self._buffer.take_until(end_ms))
            case TimedOut(start_ms, end_ms):
                self._buffer.take_until(end_ms)
                await self._send(wire.timeout_triggered(item_id, start_ms, end_ms))
                await self._commit(item_id, b"")
            case _:
                assert_never(edge)

    async def _commit(self, item_id: str, pcm: bytes) -> None:
        item = spoken_item(item_id)
        await self._send(wire.buffer_committed(item_id, self._conversation.last_id()))
        before = self._conversation.add(item)
        await self._send(wire.item_added(item.content, before))
        await self._send(wire.item_done(item.content, before))
        if len(self._unheard) < _MOST_UNHEARD:
            self.listen(item, pcm)
        else:
            await self._fail(item, "too_much_sound", "Too much was said at once.")

    async def _recognise(self, item: Item, pcm: bytes) -> None:
        words, is_command, is_doubtful = "", False, False
        if pcm:
            try:
                heard = await self._engine.recognise(pcm)
            except WorkerLost:
                await self._fail(item, "recognition_failed", "Speech could not be recognised on this device.")
                return
            words, is_command, is_doubtful = heard.text, heard.is_command, heard.is_doubtful
        if is_command:
            item.words = " ".join(filter(None, (item.words, words)))
            item.is_doubtful = is_doubtful
        if self._writes_down:
            index = _sound_index(item)
            item.content["content"][index]["transcript"] = words
            if words:
                await self._send(wire.transcription_delta(item.id, index, words))
            await self._send(wire.transcription_completed(item.id, index, words, len(pcm) / BYTES_PER_MS / 1000))

    async def _fail(self, item: Item, code: str, message: str) -> None:
        if self._writes_down:
            await self._send(wire.transcription_failed(item.id, _sound_index(item), code, message))

    def _refuse_too_much(self) -> None:
        if len(self._unheard) >= _MOST_UNHEARD:
            raise Refused("too_much_sound", f"{_MOST_UNHEARD} items are still being listened to: wait for them.")


def _sound_index(item: Item) -> int:
    return next(index for index, part in enumerate(item.content["content"]) if part["type"] == "input_audio")
