"""How loud each microphone hears the room: one after the other, since `default` and a card may be the same device."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from voice_node.audio.level import SILENCE_DBFS, level_dbfs
from voice_node.runtime.portaudio import PortAudio, StreamFormat
from voice_node.runtime.sound_devices import Device, DeviceMissing

_BLOCK_MS = 60
_SHOW_EVERY_S = 0.1
_RATES_HZ = (48000, 44100, 32000, 16000, 8000)
_BAR_CHARACTERS = 24
_LOWEST_DBFS = -72.0
"""An empty bar."""
_FIRST_SOUND_S = 3.0


@dataclass(slots=True)
class Heard:
    """What came of one microphone so far, on the loudest of its first two channels."""

    level_dbfs: float | None = None
    """Of the last block; None: no sound came."""
    peak_dbfs: float = SILENCE_DBFS
    """The loudest block."""
    problem: str | None = None


def listen(library: PortAudio, device: Device, seconds: float, show: Callable[[Heard], None]) -> Heard:
    """Open it as the node would and hear it for so long; `show` is called ten times a second. Blocks."""
    heard = Heard()

    def receive(pcm: bytes, format_: StreamFormat, _is_overflown: bool) -> None:
        samples = np.frombuffer(pcm, np.int16)
        channels = (samples[channel :: format_.channels].tobytes() for channel in range(min(2, format_.channels)))
        heard.level_dbfs = max(map(level_dbfs, channels))
        heard.peak_dbfs = max(heard.peak_dbfs, heard.level_dbfs)

    counts = [min(2, device.input_channels), 1, device.input_channels]
    try:
        stream = library.open_input(device, [*_RATES_HZ, device.default_rate_hz], counts, _BLOCK_MS, receive)
    except DeviceMissing as missing:
        heard.problem = str(missing)
        return heard
    began = time.monotonic()
    while time.monotonic() - began < (seconds if heard.level_dbfs is not None else max(seconds, _FIRST_SOUND_S)):
        time.sleep(_SHOW_EVERY_S)
        show(heard)
        if not stream.is_active:
            heard.problem = "it went away"
            break
    stream.close()
    if heard.level_dbfs is None and heard.problem is None:
        heard.problem = "it is open but gives no sound"
    return heard


def bar(heard: Heard) -> str:
    """The level as a bar with its peak, or what is wrong."""
    if heard.problem is not None:
        return heard.problem
    if heard.level_dbfs is None:
        return "..."
    full, peak = (_length(level) for level in (heard.level_dbfs, heard.peak_dbfs))
    line = "█" * full + "·" * (_BAR_CHARACTERS - full)
    if peak > full:
        line = line[: peak - 1] + "|" + line[peak:]
    return f"{line} {heard.level_dbfs:4.0f} dB, loudest {heard.peak_dbfs:.0f}"


def _length(level: float) -> int:
    share = (level - _LOWEST_DBFS) / -_LOWEST_DBFS
    return round(min(max(share, 0.0), 1.0) * _BAR_CHARACTERS)
