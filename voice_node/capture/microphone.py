"""The microphone: a device that is opened, watched, and opened again.

The rules:

1. PortAudio's thread picks the channel, pushes into the ring and leaves; gain and sample rate are the loop's work. It
   comes once for a block of sound, and so wakes the loop: each visit costs far more than its samples. In a calm room
   only every fifth block does (`calm`, `ring`).
2. The device counts as open when its first block has come. It is lost when its stream ends or no block comes for 2 s.
3. A lost or missing device is looked for again with a new list of devices, after 0.5 s, then twice as long each time up
   to 3 s: it hears within 5 s of coming back. The pause starts from 0.5 s again only when a device stayed for 10 s, so
   that a loose plug does not flap. A device that was chosen by its number is looked for by its name from then on.
4. Each loss is told once, and so is each recovery. After `give_up_after_s` without sound the iteration raises
   CaptureLost, so that the process ends and is started afresh.
5. What was not captured is a gap in the frames' numbers: losses, pauses, and what the driver reports as overflown.
6. Sound that is cut off at full scale is counted, and told once when it goes on.
7. `pause` closes the device itself; when it returns, nothing can listen and nothing that was heard is left.
"""

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Callable
from typing import Self, TypeVar

from voice_node.audio.framer import frame_rate_hz
from voice_node.capture.ring import Ring
from voice_node.capture.shaper import Shaper
from voice_node.capture.tap import Tap
from voice_node.model.audio import Frame
from voice_node.model.errors import CaptureLost
from voice_node.model.turn import CaptureChanged, ServiceTrouble
from voice_node.runtime.portaudio import PortAudio, Stream
from voice_node.runtime.server_watch import ServerWatch
from voice_node.runtime.sound_devices import DeviceMissing
from voice_node.runtime.worker import Worker
from voice_node.settings.schema import CaptureSettings

_Result = TypeVar("_Result")

_log = logging.getLogger(__name__)

LONGEST_BLOCK_MS = 100
"""A block is as many whole frames as that. Of 60 ms they cost a third more, and PulseAudio, whose pieces are of
50, brought them 100 ms late by turns; of more, the end of speech would be noticed late."""
_RATES_HZ = (48000, 44100, 32000, 16000, 8000)
"""Tried in this order when the device does not take the rate that was asked for."""
_WATCH_EVERY_S = 0.5
_FROZEN_S = 2.0
_FIRST_BLOCK_S = 5.0
_DRIVER_S = 10.0
_FIRST_RETRY_S = 0.5
_LAST_RETRY_S = 3.0
_STEADY_S = 10.0


class Microphone:
    """Frames of the room's sound, for as long as `start` and `close` span."""

    def __init__(
        self,
        settings: CaptureSettings,
        frame_ms: int,
        tell: Callable[[CaptureChanged | ServiceTrouble], None],
        give_up_after_s: float = 300,
    ) -> None:
        self._settings = settings
        self._frame_ms = frame_ms
        self._tell = tell
        self._give_up_after_s = give_up_after_s
        frames_per_block = LONGEST_BLOCK_MS // frame_ms
        self._block_ms = frames_per_block * frame_ms
        self._ring = Ring(frames_per_block=frames_per_block)
        self._shaper = Shaper(settings, frame_ms, frames_per_block)
        self._worker = Worker("microphone")
        self._keeper: asyncio.Task[None] | None = None
        self._library: PortAudio | None = None
        self._stream: Stream | None = None
        self._watch: ServerWatch | None = None
        """Of a device that was chosen by its name in PulseAudio."""
        self._tap: Tap | None = None
        self._past_overruns = 0
        """Of the openings before this one."""
        self._name = str(settings.device)
        self._card_name: str | None = None
        """What a number stood for when the device was first found."""
        self._is_told_open: bool | None = None
        self._wanted_since = 0.0
        self._is_hung = False
        self._is_clipping_told = False
        self._frames: deque[Frame] = deque()

    @property
    def lost_frames(self) -> int:
        """Frames that the node was too slow for, or that the device did not deliver while it was to be open."""
        return self._ring.lost

    @property
    def overruns(self) -> int:
        """How often the driver said that sound was lost."""
        return self._past_overruns + (0 if self._tap is None else self._tap.overruns)

    @property
    def clipped_s(self) -> int:
        """Seconds of sound in which it was too loud."""
        return self._shaper.clipped_s

    @property
    def problem(self) -> str | None:
        """What is wrong with the sound, for people; None while nothing is, or nothing comes."""
        if not self._shaper.is_clipping:
            return None
        way = "lower capture.gain_db" if self._settings.gain_db > 0 else "turn its level down, as with alsamixer"
        return f"microphone {self._name} is too loud, its sound is cut off: {way}"

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
        self._past_overruns = self.overruns
        self._tap = None
        self._ring.drop()
        self._frames.clear()
        self._shaper.forget()

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
            self._frames.extend(self._shaper.shape(await anext(self._ring)))
            if self._shaper.is_clipping is not self._is_clipping_told:
                self._tell_clipping()
        return self._frames.popleft()

    def _tell_clipping(self) -> None:
        self._is_clipping_told = self._shaper.is_clipping
        if (problem := self.problem) is not None:
            _log.warning("%s", problem)
            self._tell(ServiceTrouble("clipping", problem))

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
                if tap is not self._tap:
                    self._past_overruns, self._tap = self.overruns, tap
                self._report(is_open=True, detail=self._description(stream))
                deadline = tap.heard_at + _FROZEN_S
            if not stream.is_active:
                return "it went away"
            if time.monotonic() > deadline:
                return "it is open but gives no sound"
            if library.should_let_go or (self._watch is not None and self._watch.has_lost):
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

    def _open_device(self) -> tuple[PortAudio, Stream, Tap]:
        """Runs on the worker."""
        settings = self._settings
        self._library = library = PortAudio.open()
        device = library.find(settings.device, "input", self._card_name)
        self._name = device.name
        self._card_name = device.card_name
        if device.server_name is not None:
            self._watch = ServerWatch("input")
            self._watch.start()
        there = device.input_channels
        if settings.channel >= there:
            raise DeviceMissing(f"it has {there} channels, so there is no channel {settings.channel} (the first is 0)")
        # A sound server mixes what it has into as many channels as it is asked for; two keep left apart from right.
        channels = [min(max(settings.channel + 1, 2), there), settings.channel + 1, there]
        rates_hz = [settings.sample_rate_hz, *_RATES_HZ, device.default_rate_hz]
        heard_before = self._tap.heard_at if self._tap else None
        tap = Tap(self._ring, self._frame_ms, self._block_ms, settings.channel, heard_before)
        self._stream = library.open_input(device, rates_hz, channels, self._block_ms, tap.receive)
        return library, self._stream, tap

    def _close_device(self) -> None:
        """Runs on the worker, after an `_open_device` that was still under way."""
        if self._watch is not None:
            self._watch.stop()
            self._watch = None
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        if self._library is not None:
            self._library.close()
            self._library = None
