"""PortAudio, the sound cards' library: which devices there are, and streams that call back.

What its users must know of it:

- Its list of devices is made when the first user in the process opens it and kept until the last one closes it. A card
  that was plugged in meanwhile is not seen. So a user that misses its device asks the others to let go, as `find` does,
  and everybody looks at `should_let_go` now and then, closes and opens again.
- A device that vanishes ends its stream without a word: `Stream.is_active` turns False. One that froze calls no more.
- Opening and closing block, for seconds where a driver is ill: call them through a `Worker`.
- ALSA and JACK write dozens of lines to standard error while it looks for devices; they are kept off the terminal.
"""

import ctypes
import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import Any, Literal, Self

import pyaudio

Direction = Literal["input", "output"]

OnInput = Callable[[bytes, int, bool], None]
"""Called on PortAudio's thread with interleaved s16le, its rate in Hz, and whether sound before it was lost."""
OnOutput = Callable[[int, int], bytes]
"""Called on PortAudio's thread with a number of samples per channel and their rate in Hz; gives interleaved s16le."""
OnAudio = Callable[[bytes | None, int, object, int], tuple[bytes | None, int]]
"""PyAudio's own callback."""

PROBED_RATES_HZ = (8000, 16000, 24000, 32000, 44100, 48000)

_CHATTER = (
    b"Cannot connect to server ", b"jack server is not running", b"JackShmReadWritePtr",
    b"connect(2) call to ", b"attempt to connect to server failed", b"Expression '", b"PaAlsaStream",
)  # fmt: skip
_ASK_AT_MOST_EVERY_S = 60.0


class DeviceMissing(Exception):
    """The device is not there or cannot be opened now; the text says which and why, for people."""


@dataclass(frozen=True, slots=True)
class Device:
    """A sound card, or a way to one, as PortAudio names it."""

    index: int
    """Changes when cards come and go."""
    name: str
    input_channels: int
    output_channels: int
    default_rate_hz: int
    is_default_input: bool
    is_default_output: bool

    def channels(self, direction: Direction) -> int:
        """How many channels it has, 0 where it has no such direction."""
        return self.input_channels if direction == "input" else self.output_channels

    def is_default(self, direction: Direction) -> bool:
        """Whether `default` means this one."""
        return self.is_default_input if direction == "input" else self.is_default_output


class Stream:
    """A running stream. `close` it before its `PortAudio`."""

    def __init__(self, stream: Any, rate_hz: int, channels: int, latency_s: float) -> None:
        self._stream = stream
        self.rate_hz = rate_hz
        self.channels = channels
        self.latency_s = latency_s
        """How long sound is under way between the callback and the device."""

    @property
    def is_active(self) -> bool:
        """False: the device went away."""
        try:
            return bool(self._stream.is_active())
        except OSError:
            return False

    def close(self) -> None:
        """Stop at once. Blocks until the callback has returned."""
        try:
            self._stream.close()
        except OSError:
            return  # it went with its device


class PortAudio:
    """One user's hold on the library, from `open` to `close`. All methods block."""

    _lock = Lock()
    _users: int = 0
    _asks: int = 0
    """How often anybody asked for a new list of devices."""
    _asked_at: float = -math.inf

    def __init__(self, library: Any, is_list_fresh: bool) -> None:
        self._library = library
        self._is_list_fresh = is_list_fresh
        self._asks_seen = PortAudio._asks

    @classmethod
    def open(cls) -> Self:
        """Take hold of the library; the first user's list of devices is up to date."""
        with cls._lock, _quiet():
            library = pyaudio.PyAudio()
            PortAudio._users += 1
            return cls(library, is_list_fresh=PortAudio._users == 1)

    def close(self) -> None:
        """Let go; streams that are still open are closed."""
        with self._lock, _quiet():
            if self._library is not None:
                self._library.terminate()
                self._library = None
                PortAudio._users -= 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def should_let_go(self) -> bool:
        """Another user misses its device, which a new list of devices may show."""
        return PortAudio._asks > self._asks_seen

    def devices(self) -> list[Device]:
        """Every device with a channel, in PortAudio's order."""
        defaults = (
            self._default_index(self._library.get_default_input_device_info),
            self._default_index(self._library.get_default_output_device_info),
        )
        found = []
        for index in range(self._library.get_device_count()):
            info = self._library.get_device_info_by_index(index)
            device = Device(
                index=index,
                name=str(info["name"]),
                input_channels=int(info["maxInputChannels"]),
                output_channels=int(info["maxOutputChannels"]),
                default_rate_hz=int(info["defaultSampleRate"]),
                is_default_input=index == defaults[0],
                is_default_output=index == defaults[1],
            )
            if device.input_channels or device.output_channels:
                found.append(device)
        return found

    def find(self, wanted: int | str, direction: Direction) -> Device:
        """The device by index, `default`, or a part of its name (upper and lower case are one; the whole name first).

        DeviceMissing: there is none; other users of the library are then asked to let go, at most once a minute.
        """
        devices = [device for device in self.devices() if device.channels(direction)]
        if isinstance(wanted, int):
            matches = [device for device in devices if device.index == wanted]
        elif wanted == "default":
            matches = [device for device in devices if device.is_default(direction)]
        else:
            name = wanted.casefold()
            matches = [device for device in devices if name in device.name.casefold()]
            matches.sort(key=lambda device: device.name.casefold() != name)
        if matches:
            return matches[0]
        self._ask_for_a_new_list()
        there = ", ".join(f"{device.index} {device.name!r}" for device in devices) or "none"
        raise DeviceMissing(f"there is no {direction} device {wanted!r}; there are: {there}")

    def takes(self, device: Device, direction: Direction, rate_hz: int, channels: int) -> bool:
        """Whether the device can be opened so. It is tried, so a device that is in use takes nothing."""
        try:
            with self._lock, _quiet():
                return bool(
                    self._library.is_format_supported(
                        rate_hz,
                        **{
                            f"{direction}_device": device.index,
                            f"{direction}_channels": channels,
                            f"{direction}_format": pyaudio.paInt16,
                        },
                    )
                )
        except ValueError:
            return False

    def open_input(self, device: Device, rates_hz: list[int], channels: int, frame_ms: int, call: OnInput) -> Stream:
        """Capture at the first of the rates that the device takes, in blocks of `frame_ms`.

        DeviceMissing: it takes none of them.
        """

        def at(rate_hz: int) -> OnAudio:
            def on_audio(pcm: bytes | None, _count: int, _times: object, status: int) -> tuple[None, int]:
                call(pcm or b"", rate_hz, bool(status & pyaudio.paInputOverflow))
                return None, pyaudio.paContinue

            return on_audio

        return self._open("input", device, rates_hz, channels, frame_ms, at)

    def open_output(self, device: Device, rates_hz: list[int], channels: int, frame_ms: int, call: OnOutput) -> Stream:
        """Play at the first of the rates that the device takes, in blocks of `frame_ms`.

        DeviceMissing: it takes none of them.
        """

        def at(rate_hz: int) -> OnAudio:
            def on_audio(_pcm: bytes | None, count: int, _times: object, _status: int) -> tuple[bytes, int]:
                return call(count, rate_hz), pyaudio.paContinue

            return on_audio

        return self._open("output", device, rates_hz, channels, frame_ms, at)

    def _open(
        self,
        direction: Direction,
        device: Device,
        rates_hz: list[int],
        channels: int,
        frame_ms: int,
        on_audio_at: Callable[[int], OnAudio],
    ) -> Stream:
        refusals: list[str] = []
        for rate_hz in dict.fromkeys(rates_hz):
            try:
                with self._lock, _quiet():
                    stream = self._library.open(
                        rate=rate_hz,
                        channels=channels,
                        format=pyaudio.paInt16,
                        frames_per_buffer=rate_hz * frame_ms // 1000,
                        stream_callback=on_audio_at(rate_hz),
                        **{direction: True, f"{direction}_device_index": device.index},
                    )
            except (OSError, ValueError) as error:
                text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
                refusals.append(f"{rate_hz} Hz: {text}")
            else:
                latency_s = stream.get_input_latency() if direction == "input" else stream.get_output_latency()
                return Stream(stream, rate_hz, channels, latency_s)
        self._ask_for_a_new_list()
        raise DeviceMissing(f"{device.name} cannot be opened with {channels} channels ({'; '.join(refusals)})")

    def _ask_for_a_new_list(self) -> None:
        now = time.monotonic()
        if not self._is_list_fresh and now - PortAudio._asked_at >= _ASK_AT_MOST_EVERY_S:
            PortAudio._asked_at = now
            PortAudio._asks += 1
            self._asks_seen = PortAudio._asks

    @staticmethod
    def _default_index(ask: Callable[[], Any]) -> int | None:
        try:
            return int(ask()["index"])
        except OSError:
            return None  # there is none


_AlsaHandler = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p)


def _ignore(_file: bytes, _line: int, _function: bytes, _error: int, _text: bytes) -> None:
    """Takes ALSA's complaints; what matters of them comes back as an error of the call."""


_ignoring = _AlsaHandler(_ignore)


@cache
def _silence_alsa() -> None:
    """ALSA writes its lines in pieces, which would mix with other threads' lines: so they are not written at all."""
    with suppress(OSError):  # there is no ALSA here
        ctypes.CDLL("libasound.so.2").snd_lib_error_set_handler(_ignoring)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the chatter of ALSA and JACK off standard error; what anybody else writes meanwhile comes a moment later."""
    _silence_alsa()
    sys.stderr.flush()
    terminal = os.dup(2)
    held = os.memfd_create("stderr")
    os.dup2(held, 2)
    try:
        yield
    finally:
        os.dup2(terminal, 2)
        size = os.lseek(held, 0, os.SEEK_CUR)
        for line in os.pread(held, size, 0).splitlines(keepends=True):
            if not line.startswith(_CHATTER):
                os.write(2, line)
        os.close(held)
        os.close(terminal)
