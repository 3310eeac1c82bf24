"""The speaker: replies as they come, and the truth about when the room is silent again.

The rules:

1. The device is opened on the first sound and closed after 30 s without any, so that other programs get it too and
   nothing hisses; a reply that follows soon needs no opening.
2. The node is speaking while something is queued, and until `tail_ms` after the last sample left the device, by what
   the driver says of each block's way to it. Its start is told with the first piece, its end when the tail is over. A
   tail covers what rings on in the room: a microphone that opens earlier hears the reply's end as speech.
3. A missing or vanishing device ends nothing: `problem` says why, what is queued is dropped at the pace at which it
   would have sounded, so that turns end as ever. While something is queued the device is looked for every 2 s, and the
   next reply tries at once. A device that was chosen by its number is looked for by its name. The log gets it once,
   until it changes.
4. What is handed to the device is given to `give_reference` as well, with its place and time: silence only counts.
5. PortAudio's thread holds the lock for one block's rendering (a copy, a factor and, where the device does not take
   24 kHz, the resampler: tens of microseconds); everybody else for less.
"""

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from threading import Lock

import numpy as np

from voice_node.model.audio import BYTES_PER_SAMPLE, PlayedBlock
from voice_node.model.control import Chime
from voice_node.model.turn import PlaybackChanged
from voice_node.playback.queue import RATE_HZ, PlaybackQueue, Played
from voice_node.playback.renderer import Renderer
from voice_node.runtime.portaudio import PortAudio, Stream, StreamFormat
from voice_node.runtime.server_watch import ServerWatch
from voice_node.runtime.sound_devices import DeviceMissing
from voice_node.runtime.worker import Worker
from voice_node.settings.schema import PlaybackSettings

_log = logging.getLogger(__name__)

_RATES_HZ = (48000, 44100, 32000, 16000, 8000)
"""Tried when the device takes neither 24 kHz nor its own default."""
_RETRY_S = 2.0
_BLOCK_MS = 10
_POLL_S = 0.02
_IDLE_S = 30.0
_IDLE_POLL_S = 0.5
_FROZEN_S = 2.0
_DRIVER_S = 10.0


class _Clockwork(ABC):
    """What both players share: the queue, when it is silent, and who is told."""

    def __init__(self, tell: Callable[[PlaybackChanged], None], tail_ms: int, volume: int) -> None:
        self._tell = tell
        self._tail_s = tail_ms / 1000
        self._queue = PlaybackQueue()
        self._renderer = Renderer(self._queue, volume)
        self._lock = Lock()
        self._audible_until = 0.0
        """When the last sample that was handed out has left the device, on the monotonic clock."""
        self._has_work = asyncio.Event()
        self._is_silent = asyncio.Event()
        self._is_silent.set()
        self._is_full_told = False
        self._is_told = False
        """The start of what is playing was told."""
        self._task: asyncio.Task[None] | None = None

    @property
    def is_speaking(self) -> bool:
        return self.was_speaking(time.monotonic())

    def was_speaking(self, at: float) -> bool:
        with self._lock:
            return not self._queue.is_empty or at < self._audible_until + self._tail_s

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="speaker")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None
        with self._lock:
            self._queue.clear()
        self._is_silent.set()

    def play(self, item_id: str, pcm: bytes) -> None:
        if self._task is not None and self._task.done():
            self._task.result()  # a bug ended it: raise it where somebody notices
        with self._lock:
            is_taken = self._queue.push(item_id, pcm)
        if not is_taken and not self._is_full_told:
            _log.warning("the playback queue is full: the rest of item %s is dropped", item_id)
        self._is_full_told = not is_taken
        if not self._is_told:
            self._is_told = True
            self._tell(PlaybackChanged(is_speaking=True))
        self._is_silent.clear()
        self._has_work.set()

    def chime(self, chime: Chime) -> None:
        with self._lock:
            self._renderer.chime(chime)
        self._has_work.set()

    def end(self, item_id: str) -> None:
        with self._lock:
            self._queue.end(item_id)

    def stop(self) -> Played | None:
        with self._lock:
            return self._renderer.stop()

    def set_volume(self, volume: int) -> None:
        with self._lock:
            self._renderer.set_volume(volume)

    async def drained(self) -> None:
        await self._is_silent.wait()

    async def _run(self) -> None:
        while True:
            await self._rest()
            self._has_work.clear()
            await self._get_ready()
            while self.is_speaking:
                await self._work()
            if self._is_told:  # not a chime alone
                self._is_told = False
                self._tell(PlaybackChanged(is_speaking=False))
            self._is_silent.set()

    def _discard(self, n_bytes: int) -> None:
        with self._lock:
            if not self._queue.is_empty:
                self._queue.pull(n_bytes)
                self._audible_until = time.monotonic()

    async def _rest(self) -> None:
        """Wait until there is something to play."""
        await self._has_work.wait()

    async def _get_ready(self) -> None:  # noqa: B027 - not every player has to
        """There is something to play."""

    @abstractmethod
    async def _work(self) -> None:
        """Let a little time pass while something is queued or sounding."""


class NullSpeaker(_Clockwork):
    """A room without a speaker: replies are dropped, at the pace at which they would have sounded or at once."""

    problem: str | None = None

    def __init__(self, tell: Callable[[PlaybackChanged], None], is_realtime: bool) -> None:
        super().__init__(tell, tail_ms=0, volume=0)
        self._is_realtime = is_realtime

    async def _work(self) -> None:
        if self._is_realtime:
            began = time.monotonic()
            await asyncio.sleep(_POLL_S)
            self._discard(_bytes_of(time.monotonic() - began))
        else:
            self._discard(self._queue.queued_samples * BYTES_PER_SAMPLE)
            await asyncio.sleep(0)


class Speaker(_Clockwork):
    """A device that plays."""

    def __init__(
        self,
        settings: PlaybackSettings,
        tell: Callable[[PlaybackChanged], None],
        tail_ms: int = 400,
        give_reference: Callable[[PlayedBlock], None] | None = None,
    ) -> None:
        super().__init__(tell, tail_ms, settings.volume)
        self._give_reference = give_reference
        self._position = 0
        """Samples that were handed to the device since it was opened."""
        self._wanted = settings.device
        self.problem: str | None = None
        self.underruns = 0
        """How often a reply had a hole, because this process was too slow for the device."""
        self._worker = Worker("speaker")
        self._library: PortAudio | None = None
        self._stream: Stream | None = None
        self._watch: ServerWatch | None = None
        """Of a device that was chosen by its name in PulseAudio."""
        self._card_name: str | None = None
        """What a number stood for when the device was first found."""
        self._retry_at = 0.0
        self._latency_s = 0.0
        self._called_at = 0.0
        self._is_hung = False

    async def close(self) -> None:
        await super().close()
        await self._close()
        self._worker.stop()

    async def _rest(self) -> None:
        deadline = time.monotonic() + _IDLE_S
        while self._library is not None and not self._is_hung and not self._has_work.is_set():
            try:
                async with asyncio.timeout(_IDLE_POLL_S):
                    await self._has_work.wait()
            except TimeoutError:
                if self._is_gone() or self._library.should_let_go or time.monotonic() > deadline:
                    await self._close()
        await self._has_work.wait()

    async def _get_ready(self) -> None:
        if self._stream is not None and (self._is_gone() or self._may_be_moved()):
            await self._close()
        if self._stream is None and not self._is_hung:
            try:
                await self._in_driver(self._open_device)
            except DeviceMissing as missing:
                await self._complain(str(missing))
            else:
                self.problem = None

    async def _work(self) -> None:
        began = time.monotonic()
        await asyncio.sleep(_POLL_S)
        if self._may_be_moved():
            await self._close()
            await self._get_ready()
        elif self._stream is None and began > self._retry_at:
            await self._get_ready()
        if self._stream is None or self._is_hung:
            self._discard(_bytes_of(time.monotonic() - began))
        elif self._is_gone():
            await self._complain("it went away")

    def _may_be_moved(self) -> bool:
        """The sound server lost a device and may have put another in its place."""
        return self._watch is not None and self._watch.has_lost

    def _is_gone(self) -> bool:
        return self._stream is None or not self._stream.is_active or time.monotonic() - self._called_at > _FROZEN_S

    async def _complain(self, problem: str) -> None:
        before, self.problem = self.problem, f"speaker {self._wanted}: {problem}"
        if self.problem != before:
            _log.warning("%s", self.problem)
        self._retry_at = time.monotonic() + _RETRY_S
        await self._close()

    async def _close(self) -> None:
        await self._in_driver(self._close_device)

    async def _in_driver(self, function: Callable[[], None]) -> None:
        if self._is_hung:
            return
        try:
            async with asyncio.timeout(_DRIVER_S):
                await self._worker.call(function)
        except TimeoutError:
            # The thread that hangs there holds PortAudio: only a new process can play again.
            self._is_hung = True
            self.problem = f"speaker {self._wanted}: its driver does not answer"
            _log.error("%s", self.problem)

    def _open_device(self) -> None:
        """Runs on the worker."""
        self._library = library = PortAudio.open()
        device = library.find(self._wanted, "output", self._card_name)
        self._card_name = device.card_name
        if device.server_name is not None:
            self._watch = ServerWatch("output")
            self._watch.start()
        there = device.output_channels
        self._position = 0
        self._called_at = time.monotonic()
        rates_hz = [RATE_HZ, device.default_rate_hz, *_RATES_HZ]
        stream = library.open_output(device, rates_hz, [min(2, there), 1, there], _BLOCK_MS, self._fill)
        self._latency_s = stream.latency_s
        self._stream = stream

    def _close_device(self) -> None:
        """Runs on the worker, after an `_open_device` that was still under way."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.stop()
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()
            with self._lock:
                self._renderer.reset()
        library, self._library = self._library, None
        if library is not None:
            library.close()

    def _fill(self, count: int, format_: StreamFormat, under_way_s: float, has_run_dry: bool) -> bytes:
        """Runs on PortAudio's thread."""
        now = time.monotonic()
        self._called_at = now
        rate_hz, channels = format_.rate_hz, format_.channels
        leaves_at = now + (under_way_s or self._latency_s)
        with self._lock:
            pcm, is_sound = self._renderer.render(count, rate_hz, channels)
            if is_sound:
                self.underruns += has_run_dry
                self._audible_until = leaves_at + count / rate_hz
        if is_sound and self._give_reference is not None:
            mono = np.frombuffer(pcm, np.int16)[::channels].tobytes()
            self._give_reference(PlayedBlock(self._position, mono, rate_hz, leaves_at))
        self._position += count
        return pcm


def _bytes_of(seconds: float) -> int:
    return int(seconds * RATE_HZ) * BYTES_PER_SAMPLE
