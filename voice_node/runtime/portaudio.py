"""PortAudio, the sound cards' library: which devices there are, and streams that call back.

What its users must know of it:

- Its list of devices is made when the first user in the process opens it and kept until the last one closes it. A card
  that was plugged in meanwhile is not seen. So a user that misses its device asks the others to let go, as `find` does,
  and everybody looks at `should_let_go` now and then, closes and opens again. Who goes on missing its device asks
  ever more rarely, unless a card came or went.
- A source or sink of PulseAudio is not in that list: ALSA's device `pulse` is opened, and libpulse reads from the
  environment which one is meant. So it is with ALSA's plug layer (`plughw`), which PortAudio knows by a variable.
- A device that vanishes ends its stream without a word: `Stream.is_active` turns False. One that froze calls no more.
- Opening and closing block, for seconds where a driver is ill: call them through a `Worker`.
- ALSA and JACK write dozens of lines to standard error while it looks for devices, and PortAudio itself when a card is
  pulled out; they are kept off the terminal.
"""

import ctypes
import itertools
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar, Self

import pyaudio

from voice_node.runtime.sound_devices import Device, DeviceMissing, Direction, choose_device
from voice_node.runtime.sound_server import server_names


@dataclass(frozen=True, slots=True)
class StreamFormat:
    """What a device takes; samples are 16 bits."""

    rate_hz: int
    channels: int


OnInput = Callable[[bytes, StreamFormat, bool], None]
"""Called on PortAudio's thread with interleaved s16le, its format, and whether sound before it was lost."""
OnOutput = Callable[[int, StreamFormat, float, bool], bytes]
"""Called on PortAudio's thread with a number of samples per channel, their format, for how many seconds they will be
under way to the loudspeaker (0: the driver does not say), and whether the device ran dry before; gives s16le."""
OnAudio = Callable[[bytes | None, int, Any, int], tuple[bytes | None, int]]
"""PyAudio's own callback."""

PROBED_RATES_HZ = (8000, 16000, 24000, 32000, 44100, 48000)

_FIRST_ASK_PAUSE_S = 3.0
_LAST_ASK_PAUSE_S = 60.0
_CARDS = Path("/dev/snd")
_CARD_IDS = Path("/proc/asound")
_UNAVAILABLE = -9985
"""PortAudio's paDeviceUnavailable."""
_LONGEST_UNDER_WAY_S = 2.0
"""More than any loudspeaker buffers: a driver that says so is wrong."""


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


class Patience:
    """How often those who miss a device may disturb the others."""

    def __init__(self) -> None:
        self._asked_at = -math.inf
        self._pause_s = _FIRST_ASK_PAUSE_S
        self._cards: list[str] = []

    def may_ask(self) -> bool:
        """Yes, if a card came or went since the last time, or enough time passed."""
        now, cards = time.monotonic(), _cards()
        if cards != self._cards:
            self._pause_s = _FIRST_ASK_PAUSE_S
        elif now - self._asked_at < self._pause_s:
            return False
        else:
            self._pause_s = min(2 * self._pause_s, _LAST_ASK_PAUSE_S)
        self._asked_at, self._cards = now, cards
        return True

    def is_over(self) -> None:
        """The device was found."""
        self._pause_s = _FIRST_ASK_PAUSE_S


class PortAudio:
    """One user's hold on the library, from `open` to `close`. All methods block."""

    _lock = Lock()
    _users: int = 0
    _asks: int = 0
    """How often anybody asked for a new list of devices."""
    _patience: ClassVar[dict[Direction, Patience]] = {"input": Patience(), "output": Patience()}

    def __init__(self, library: Any, is_list_fresh: bool) -> None:
        self._library = library
        self._is_list_fresh = is_list_fresh
        self._asks_seen = PortAudio._asks

    @classmethod
    def open(cls) -> Self:
        """Take hold of the library; the first user's list of devices is up to date."""
        with cls._lock:
            _silence_libraries()
            library = pyaudio.PyAudio()
            PortAudio._users += 1
            return cls(library, is_list_fresh=PortAudio._users == 1)

    def close(self) -> None:
        """Let go; streams that are still open are closed."""
        with self._lock:
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

    def find(self, wanted: int | str, direction: Direction, known_as: str | None = None) -> Device:
        """The device that `choose_device` means.

        DeviceMissing: there is none, or several; other users of the library are then asked to let go.
        """
        try:
            return choose_device(self.devices(), wanted, direction, server_names, _card_number, known_as)
        except DeviceMissing:
            self._ask_for_a_new_list(direction)
            raise

    def takes(self, device: Device, direction: Direction, rate_hz: int, channels: int) -> bool:
        """Whether the device can be opened so. It is tried, so a device that is in use takes nothing."""
        try:
            with self._lock, _meaning(device, direction):
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

    def open_input(
        self, device: Device, rates_hz: Sequence[int], channels: Sequence[int], block_ms: int, call: OnInput
    ) -> Stream:
        """Capture at the first of the rates, with the first number of channels, that the device takes.

        DeviceMissing: it takes none of them.
        """

        def at(format_: StreamFormat) -> OnAudio:
            def on_audio(pcm: bytes | None, _count: int, _times: object, status: int) -> tuple[None, int]:
                call(pcm or b"", format_, bool(status & pyaudio.paInputOverflow))
                return None, pyaudio.paContinue

            return on_audio

        return self._open("input", device, _formats(rates_hz, channels), block_ms, at)

    def open_output(
        self, device: Device, rates_hz: Sequence[int], channels: Sequence[int], block_ms: int, call: OnOutput
    ) -> Stream:
        """Play at the first of the rates, with the first number of channels, that the device takes.

        DeviceMissing: it takes none of them.
        """

        def at(format_: StreamFormat) -> OnAudio:
            def on_audio(_pcm: bytes | None, count: int, times: Mapping[str, float], status: int) -> tuple[bytes, int]:
                has_run_dry = bool(status & pyaudio.paOutputUnderflow)
                return call(count, format_, _under_way_s(times), has_run_dry), pyaudio.paContinue

            return on_audio

        return self._open("output", device, _formats(rates_hz, channels), block_ms, at)

    def _open(
        self,
        direction: Direction,
        device: Device,
        formats: Sequence[StreamFormat],
        block_ms: int,
        on_audio_at: Callable[[StreamFormat], OnAudio],
    ) -> Stream:
        refusals: dict[str, None] = {}
        for format_ in formats:
            try:
                with self._lock, _meaning(device, direction):
                    stream = self._library.open(
                        rate=format_.rate_hz,
                        channels=format_.channels,
                        format=pyaudio.paInt16,
                        frames_per_buffer=format_.rate_hz * block_ms // 1000,
                        stream_callback=on_audio_at(format_),
                        **{direction: True, f"{direction}_device_index": device.index},
                    )
            except (OSError, ValueError) as error:
                refusals[_reason(error)] = None
            else:
                self._patience[direction].is_over()
                latency_s = stream.get_input_latency() if direction == "input" else stream.get_output_latency()
                return Stream(stream, format_.rate_hz, format_.channels, latency_s)
        self._ask_for_a_new_list(direction)
        rates = _either(format_.rate_hz for format_ in formats)
        counts = _either(format_.channels for format_ in formats)
        why = "; ".join(refusals)
        raise DeviceMissing(f"{device.name} cannot be opened at {rates} Hz with {counts} channels: {why}")

    def _ask_for_a_new_list(self, direction: Direction) -> None:
        if not self._is_list_fresh and self._patience[direction].may_ask():
            PortAudio._asks += 1
            self._asks_seen = PortAudio._asks

    @staticmethod
    def _default_index(ask: Callable[[], Any]) -> int | None:
        try:
            return int(ask()["index"])
        except OSError:
            return None  # there is none


def _under_way_s(times: Mapping[str, float]) -> float:
    """From PortAudio's two times of a callback, whose clock is the driver's own and which are 0 where it has none."""
    leaves_at = times["output_buffer_dac_time"]
    return min(max(leaves_at - times["current_time"], 0.0), _LONGEST_UNDER_WAY_S) if leaves_at else 0.0


def _formats(rates_hz: Sequence[int], channels: Sequence[int]) -> list[StreamFormat]:
    """Each once, the rates' order before the channels'."""
    pairs = dict.fromkeys(itertools.product(rates_hz, channels))
    return [StreamFormat(rate_hz, count) for rate_hz, count in pairs]


def _either(values: Iterable[int]) -> str:
    return " or ".join(map(str, dict.fromkeys(values)))


def _reason(error: Exception) -> str:
    """Why PortAudio refuses, for people."""
    if isinstance(error, OSError) and error.errno == _UNAVAILABLE:
        return "another program may have it"
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text if text != "Unanticipated host error" else "its driver refuses"


def _cards() -> list[str]:
    """Changes when a card comes or goes."""
    try:
        return sorted(card.name for card in _CARDS.iterdir())
    except OSError:
        return []


def _card_number(card_id: str) -> str:
    """The number of the ALSA card with this id, or the id where there is none."""
    try:
        return (_CARD_IDS / card_id).readlink().name.removeprefix("card")
    except OSError:
        return card_id


@contextmanager
def _meaning(device: Device, direction: Direction) -> Iterator[None]:
    """Say in the environment what libpulse and PortAudio read there while a device is opened."""
    variables: dict[str, str] = {}
    if device.server_name is not None:
        variables["PULSE_SOURCE" if direction == "input" else "PULSE_SINK"] = device.server_name
    if device.is_converted:
        variables["PA_ALSA_PLUGHW"] = "1"
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@cache
def _silence_libraries() -> None:
    """Let everything that C libraries write to `stderr` go nowhere: they do so at any time, from threads of their own.

    Python writes to the file descriptor itself, and so does the C library where the process is about to die.
    """
    library = ctypes.CDLL(None)
    library.fopen.restype = ctypes.c_void_p
    nowhere = library.fopen(b"/dev/null", b"w")
    if nowhere:
        ctypes.c_void_p.in_dll(library, "stderr").value = nowhere
