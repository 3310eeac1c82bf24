"""PulseAudio's own names, which PortAudio does not see: sources and sinks, asked for with its program `pactl`.

PipeWire answers the same questions.
"""

import subprocess
from dataclasses import dataclass

from voice_node.runtime.sound_devices import Direction

_DEADLINE_S = 2.0
_MONITOR = ".monitor"
"""What a sink plays, as a source: no microphone."""


@dataclass(frozen=True, slots=True)
class ServerDevice:
    """A source or a sink."""

    name: str
    channels: int
    rate_hz: int
    """As the device runs; the server converts what it is asked for."""


def server_devices(direction: Direction) -> list[ServerDevice]:
    """Every source (without monitors) or sink; empty where there is no server or no `pactl`. Blocks."""
    kind = "sources" if direction == "input" else "sinks"
    try:
        answer = subprocess.run(
            ["pactl", "list", "short", kind],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_DEADLINE_S, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return []
    return [found for line in answer.stdout.splitlines() if (found := _read(line)) is not None]


def server_names(direction: Direction) -> list[str]:
    """Their names. Blocks."""
    return [device.name for device in server_devices(direction)]


def _read(line: str) -> ServerDevice | None:
    """Number, name, driver, `s16le 2ch 48000Hz`, state; between them tabs."""
    columns = line.split("\t")
    if len(columns) < 4 or columns[1].endswith(_MONITOR):
        return None
    shape = columns[3].split()
    if len(shape) != 3 or not (shape[1].endswith("ch") and shape[2].endswith("Hz")):
        return None
    try:
        return ServerDevice(columns[1], int(shape[1].removesuffix("ch")), int(shape[2].removesuffix("Hz")))
    except ValueError:
        return None
