"""`voice-node devices`: which microphones and speakers there are, and what they take."""

import json
from dataclasses import asdict, dataclass

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from voice_node.runtime.portaudio import PROBED_RATES_HZ, Device, Direction, PortAudio

_DIRECTIONS: tuple[Direction, Direction] = ("input", "output")
_NONE = """No sound card is in sight.
  Is it plugged in, and does `arecord -l` (package alsa-utils) show it?
  Is this user in the group `audio`? `id` shows it, `sudo usermod -aG audio $USER` mends it."""


@dataclass(frozen=True, slots=True)
class _Row:
    """A device in one direction, as `--json` prints it."""

    direction: Direction
    index: int
    name: str
    channels: int
    default_rate_hz: int
    rates_hz: list[int]
    """Those of the probed rates that it takes; none where another program has it."""
    is_default: bool


@click.command()
@click.option("--json", "is_json", is_flag=True, help="Print a list of objects for programs.")
def devices(is_json: bool) -> None:
    """List microphones and speakers, with the sample rates that they take.

    The room file takes an index, `default`, or a part of a name; the name survives a reboot, the index does not.

    Example: voice-node devices
    """
    with PortAudio.open() as library:
        found = library.devices()
        rows = [
            _row(library, device, direction)
            for direction in _DIRECTIONS
            for device in found
            if device.channels(direction)
        ]
    if is_json:
        click.echo(json.dumps([asdict(row) for row in rows], indent=2, ensure_ascii=False))
    elif rows:
        _print(rows)
    else:
        click.echo(_NONE)


def _row(library: PortAudio, device: Device, direction: Direction) -> _Row:
    channels = device.channels(direction)
    rates_hz = [rate for rate in PROBED_RATES_HZ if library.takes(device, direction, rate, min(2, channels))]
    return _Row(
        direction, device.index, device.name, channels, device.default_rate_hz, rates_hz, device.is_default(direction)
    )


def _print(rows: list[_Row]) -> None:
    console = Console()
    for direction, title in zip(
        _DIRECTIONS, ("Microphones (capture.device)", "Speakers (playback.device)"), strict=True
    ):
        table = Table(title=title, title_justify="left")
        table.add_column("index", justify="right")
        table.add_column("name", overflow="fold")
        table.add_column("channels", justify="right")
        table.add_column("default Hz", justify="right")
        table.add_column("takes Hz")
        for row in rows:
            if row.direction == direction:
                mark = " (default)" if row.is_default else ""
                table.add_row(
                    str(row.index),
                    escape(row.name) + mark,
                    str(row.channels),
                    str(row.default_rate_hz),
                    " ".join(map(str, row.rates_hz)) or "none now: another program has it",
                )
        if table.row_count:
            console.print(table)
