"""Stages for the pipeline, in the place of microphone, detector, speaker, session and broker. Small and strict."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Self

from voice_node.model.audio import Frame
from voice_node.model.control import Chime
from voice_node.model.speech import SpeechOver
from voice_node.mqtt.message import Message
from voice_node.playback.queue import Played
from voice_node.session.protocol import Input

RATE_HZ = 16000
FRAME_MS = 20
LOUD = b"\x00\x40\x00\xc0" * (RATE_HZ * FRAME_MS // 1000 // 2)
SILENT = bytes(len(LOUD))


class Source:
    """Gives the frames that the test puts in, numbered as a device would: what comes while it is shut is a gap."""

    def __init__(self, history: list[str]) -> None:
        self._history = history
        self._frames: deque[Frame] = deque()
        self._news = asyncio.Event()
        self._index = 0
        self.is_open = False
        self.is_closed = False
        self.taken = 0
        self.may_pause = asyncio.Event()
        self.may_pause.set()
        self.error: Exception | None = None
        """Raised by the iteration once the frames are out."""
        self.pause_error: Exception | None = None

    def give(self, *pieces: bytes, rate_hz: int = RATE_HZ) -> None:
        for pcm in pieces:
            if self.is_open:
                self._frames.append(Frame(self._index, pcm, rate_hz))
            self._index += 1
        self._news.set()

    def fail(self, error: Exception) -> None:
        self.error = error
        self._news.set()

    async def start(self) -> None:
        assert not self.is_open, "started twice"
        self._history.append("source started")
        self.is_open = True

    async def close(self) -> None:
        if not self.is_closed:
            self._history.append("source closed")
        self.is_open, self.is_closed = False, True
        self._news.set()

    async def pause(self) -> None:
        await self.may_pause.wait()
        if self.pause_error is not None:
            raise self.pause_error
        self._frames.clear()
        self.is_open = False
        self._history.append("source paused")

    async def resume(self) -> None:
        assert not self.is_closed, "a closed source stays closed"
        self.is_open = True
        self._history.append("source resumed")

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Frame:
        while not self._frames:
            if self.error is not None:
                raise self.error
            if self.is_closed:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        self.taken += 1
        return self._frames.popleft()


class Detector:
    """Every frame that is not silent is speech."""

    def __init__(self) -> None:
        self.asked = 0

    def is_speech(self, frame: Frame) -> bool:
        self.asked += 1
        return any(frame.pcm)


class Session:
    """Keeps its inputs; `react` is what it does on each of them. Ends when they end, as the real one does."""

    def __init__(self, history: list[str]) -> None:
        self._history = history
        self.inputs: list[Input] = []
        self.react: Callable[[Input], None] = lambda _: None
        self.at_end: Callable[[], None] = lambda: None
        self.error: BaseException | None = None
        self.may_fail = asyncio.Event()
        self.may_read = asyncio.Event()
        self.may_read.set()
        self._runs = 0

    def refuse(self, error: BaseException) -> None:
        self.error = error
        self.may_fail.set()

    async def run(self, inputs: AsyncIterator[Input]) -> None:
        self._runs += 1
        assert self._runs == 1, "run twice"
        async with asyncio.TaskGroup() as group:
            fail = group.create_task(self._fail())
            async for value in inputs:
                await self.may_read.wait()
                if isinstance(value, SpeechOver):
                    break
                self.inputs.append(value)
                self.react(value)
            fail.cancel()
        self.at_end()
        self._history.append("session ended")

    async def _fail(self) -> None:
        await self.may_fail.wait()
        assert self.error is not None
        raise self.error


class Player:
    """Sounds as long as the test says."""

    def __init__(self, history: list[str]) -> None:
        self._history = history
        self.is_speaking = False
        self.problem: str | None = None
        self.is_started = False
        self.is_closed = False
        self.played: list[tuple[str, bytes]] = []
        self.ended: list[str] = []
        self.chimes: list[Chime] = []
        self.stops = 0
        self.volume: int | None = None
        self.is_drained = asyncio.Event()
        self.is_drained.set()

    async def start(self) -> None:
        assert not self.is_started, "started twice"
        self.is_started = True

    async def close(self) -> None:
        assert not self.is_closed, "closed twice"
        self.is_closed = True
        self._history.append("player closed")

    def play(self, item_id: str, pcm: bytes) -> None:
        assert self.is_started
        self.played.append((item_id, pcm))

    def chime(self, chime: Chime) -> None:
        assert self.is_started
        self.chimes.append(chime)

    def end(self, item_id: str) -> None:
        self.ended.append(item_id)

    def was_speaking(self, at: float) -> bool:
        return self.is_speaking

    def stop(self) -> Played | None:
        self.stops += 1
        return None

    def set_volume(self, volume: int) -> None:
        assert 0 <= volume <= 100
        self.volume = volume

    async def drained(self) -> None:
        await self.is_drained.wait()


class Broker:
    """Takes messages until it is stopped; what is offered after that comes too late for anybody."""

    def __init__(self, history: list[str]) -> None:
        self._history = history
        self.offered: list[Message] = []
        self.too_late: list[Message] = []
        self.delivered: list[Message] = []
        self.trouble: str | None = None
        self.may_deliver = asyncio.Event()
        self.may_deliver.set()
        self.start_error: Exception | None = None
        self.is_stopped = False

    async def start(self) -> None:
        if self.start_error is not None:
            raise self.start_error

    async def stop(self) -> None:
        assert not self.is_stopped, "stopped twice"
        self.is_stopped = True
        self._history.append("broker stopped")

    async def deliver(self, message: Message) -> str | None:
        await self.may_deliver.wait()
        if self.trouble is None:
            self.delivered.append(message)
        return self.trouble

    def offer(self, message: Message) -> None:
        (self.too_late if self.is_stopped else self.offered).append(message)
