"""The microphone: a device that is opened, watched, and opened again.

The rules:

1. PortAudio's thread picks the channel, pushes into the ring and leaves; gain and sample rate are the loop's work.
2. The device counts as open when its first block has come. It is lost when its stream ends or no block comes for 2 s.
3. A lost or missing device is looked for again with a new list of devices, after 0.5 s, then twice as long each time up
   to 5 s. The pause starts from 0.5 s again only when a device stayed for 10 s, so that a loose plug does not flap.
4. Each loss is told once, and so is each recovery. After `give_up_after_s` without sound the iteration raises
   CaptureLost, so that the process ends and is started afresh.
5. What was not captured is a gap in the frames' numbers: losses, pauses, and what the driver reports as overflown.
6. `pause` closes the device itself; when it returns, nothing can listen and nothing that was heard is left.
"""

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Callable
from typing import Self, TypeVar

import numpy as np

from voice_node.audio.framer import Framer, frame_rate_hz
from voice_node.capture.ring import Ring
from voice_node.model.audio import Frame
from voice_node.model.errors import CaptureLost
from voice_node.model.turn import CaptureChanged
from voice_node.runtime.portaudio import DeviceMissing, PortAudio, Stream
from voice_node.runtime.worker import Worker
from voice_node.settings.schema import CaptureSettings

_Result = TypeVar("_Result")

_log = logging.getLogger(__name__)

_RATES_HZ = (48000, 16000, 32000, 44100, 8000)
"""Tried in this order when the device takes neither the rate that was asked for nor its own default."""
_WATCH_EVERY_S = 0.25
_FROZEN_S = 2.0
_FIRST_BLOCK_S = 5.0
_DRIVER_S = 10.0
_FIRST_RETRY_S = 0.5
_LAST_RETRY_S = 5.0
_STEADY_S = 10.0


class Microphone:
    """Frames of the room's sound, for as long as `start` and `close` span."""

    def __init__(
        self,
        settings: CaptureSettings,
        frame_ms: int,
        tell: Callable[[CaptureChanged], None],
        give_up_after_s: float = 300,
    ) -> None:
        self._settings = settings
        self._frame_ms = frame_ms
        self._tell = tell
        self._give_up_after_s = give_up_after_s
        self._ring = Ring()
        self._worker = Worker("microphone")
        self._keeper: asyncio.Task[None] | None = None
        self._library: PortAudio | None = None
        self._stream: Stream | None = None
        self._tap: _Tap | None = None
        self._name = str(settings.device)
        self._is_told_open: bool | None = None
        self._wanted_since = 0.0
        self._is_hung = False
        self._framer: Framer | None = None
        self._frames: deque[Frame] = deque()
        self._next_index = 0
        self._next_block = 0

    @property
    def lost_frames(self) -> int:
        """Frames that the node was too slow for, or that the device did not deliver while it was to be open."""
        return self._ring.lost

    async def start(self) -> None:
        """Begin to open the device; frames come when it is there."""
        await self.resume()

    async def close(self) -> None:
        """Close the device; the frames that were captured before can still be read, then the iteration ends."""
        try:
            await self._release()
        except CaptureLost as error:
            _log.warning("%s", error)
        self._ring.close()
        self._worker.stop()

    async def pause(self) -> None:
        """Close the device and forget what it heard. CaptureLost: its driver hangs, so it may still be open."""
        await self._release()
        self._tap = None
        self._ring.drop()
        self._frames.clear()
        self._framer = None

    async def resume(self) -> None:
        """Open the device again."""
        if self._keeper is None:
            self._wanted_since = time.monotonic()
            self._keeper = asyncio.create_task(self._keep_open(), name="microphone")
            self._keeper.add_done_callback(self._pass_on_error)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Frame:
        while not self._frames:
            self._shape(await anext(self._ring))
        return self._frames.popleft()

    def _shape(self, block: Frame) -> None:
        framer = self._framer
        if framer is None or framer.from_hz != block.rate_hz:
            to_hz = frame_rate_hz(block.rate_hz)
            framer = self._framer = Framer(block.rate_hz, to_hz, self._settings.gain_db, self._frame_ms)
        hole = block.index - self._next_block
        self._next_block = block.index + 1
        if hole:
            framer.reset()
            self._next_index += hole
        for pcm in framer.process(block.pcm):
            self._frames.append(Frame(self._next_index, pcm, framer.to_hz))
            self._next_index += 1

    async def _release(self) -> None:
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            await asyncio.wait([keeper])
            await self._in_driver(self._close_device)

    def _pass_on_error(self, keeper: asyncio.Task[None]) -> None:
        if not keeper.cancelled() and isinstance(error := keeper.exception(), Exception):
            self._ring.fail(error)

    async def _keep_open(self) -> None:
        retry_s = _FIRST_RETRY_S
        while True:
            began = time.monotonic()
            loss = await self._use_device()
            if loss is not None:
                self._report(is_open=False, detail=loss)
            await self._in_driver(self._close_device)
            if loss is None:
                continue
            heard_at = self._tap.heard_at if self._tap is not None else -math.inf
            if time.monotonic() - max(heard_at, self._wanted_since) > self._give_up_after_s:
                raise CaptureLost(f"microphone {self._name}: {loss}")
            if time.monotonic() - began > _STEADY_S:
                retry_s = _FIRST_RETRY_S
            await asyncio.sleep(retry_s)
            retry_s = min(2 * retry_s, _LAST_RETRY_S)

    async def _use_device(self) -> str | None:
        """Open and watch it. Returns what is wrong with it, or None when it is to be opened anew for others' sake."""
        try:
            library, stream, tap = await self._in_driver(self._open_device)
        except DeviceMissing as missing:
            return str(missing)
        deadline = time.monotonic() + _FIRST_BLOCK_S
        while True:
            await asyncio.sleep(_WATCH_EVERY_S)
            if tap.has_heard:
                self._tap = tap
                self._report(is_open=True, detail=self._description(stream))
                deadline = tap.heard_at + _FROZEN_S
            if not stream.is_active:
                return "it went away"
            if time.monotonic() > deadline:
                return "it is open but gives no sound"
            if library.should_let_go:
                return None

    async def _in_driver(self, function: Callable[[], _Result]) -> _Result:
        # A thread that hangs there holds PortAudio: nothing can be opened or closed in this process any more.
        if not self._is_hung:
            try:
                async with asyncio.timeout(_DRIVER_S):
                    return await self._worker.call(function)
            except TimeoutError:
                self._is_hung = True
        raise CaptureLost(f"microphone {self._name}: its driver does not answer")

    def _report(self, is_open: bool, detail: str) -> None:
        if self._is_told_open is is_open:
            return
        self._is_told_open = is_open
        if is_open:
            _log.info("microphone %s: open, %s", self._name, detail)
        else:
            _log.warning("microphone %s: lost, %s", self._name, detail)
        self._tell(CaptureChanged(is_open, self._name, detail))

    def _description(self, stream: Stream) -> str:
        wanted_hz, rate_hz = self._settings.sample_rate_hz, stream.rate_hz
        text = f"{rate_hz} Hz, channel {self._settings.channel} of {stream.channels}"
        if rate_hz != wanted_hz:
            text += f"; it does not take {wanted_hz} Hz"
        if frame_rate_hz(rate_hz) != rate_hz:
            text += f"; resampled to {frame_rate_hz(rate_hz)} Hz"
        return text

    def _open_device(self) -> "tuple[PortAudio, Stream, _Tap]":
        """Runs on the worker."""
        settings = self._settings
        self._library = library = PortAudio.open()
        device = library.find(settings.device, "input")
        self._name = device.name
        # A sound server mixes what it has into as many channels as it is asked for; two keep left apart from right.
        channels = min(max(settings.channel + 1, 2), device.input_channels)
        if settings.channel >= channels:
            raise DeviceMissing(
                f"it has {channels} channels, so there is no channel {settings.channel} (the first is 0)"
            )
        tap = _Tap(self._ring, self._frame_ms, settings.channel, channels, self._tap.heard_at if self._tap else None)
        rates_hz = [settings.sample_rate_hz, device.default_rate_hz, *_RATES_HZ]
        self._stream = library.open_input(device, rates_hz, channels, self._frame_ms, tap.receive)
        return library, self._stream, tap

    def _close_device(self) -> None:
        """Runs on the worker, after an `_open_device` that was still under way."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        if self._library is not None:
            self._library.close()
            self._library = None


class _Tap:
    """What PortAudio's thread does with one opened device, and knows of it."""

    def __init__(self, ring: Ring, frame_ms: int, channel: int, channels: int, heard_before: float | None) -> None:
        self._ring = ring
        self._frame_ms = frame_ms
        self._channel = channel
        self._channels = channels
        self._heard_before = heard_before
        self.heard_at = 0.0
        """When the last block came, on the monotonic clock."""

    @property
    def has_heard(self) -> bool:
        """At least one block came."""
        return self.heard_at > 0

    def receive(self, pcm: bytes, rate_hz: int, is_overflown: bool) -> None:
        """Runs on PortAudio's thread."""
        now = time.monotonic()
        before = self.heard_at if self.has_heard else self._heard_before
        if before is not None and (is_overflown or not self.has_heard):
            # The driver does not say how much was lost; the clock does.
            self._ring.skip(max(round((now - before) * 1000 / self._frame_ms) - 1, 1))
        self.heard_at = now
        if self._channels > 1:
            pcm = np.frombuffer(pcm, np.int16)[self._channel :: self._channels].tobytes()
        self._ring.push(pcm, rate_hz)
