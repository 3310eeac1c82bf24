"""`voice-node devices`: which microphones and speakers there are, what they take, and how loud they hear the room."""

import json
from dataclasses import asdict, dataclass, replace

import click
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from voice_node.cli.device_levels import Heard, bar, listen
from voice_node.runtime.portaudio import PROBED_RATES_HZ, PortAudio
from voice_node.runtime.sound_devices import PULSE, Device, DeviceMissing, Direction
from voice_node.runtime.sound_server import server_devices

_DIRECTIONS: tuple[Direction, Direction] = ("input", "output")
_TITLES = {"input": "Microphones (capture.device)", "output": "Speakers (playback.device)"}
_SECONDS = 3.0
_NONE = """No sound card is in sight.
  Is it plugged in, and does `arecord -l` (package alsa-utils) show it?
  Is this user in the group `audio`? `id` shows it, `sudo usermod -aG audio $USER` mends it."""
_HOW = (
    "capture.device and playback.device take a number or a part of a name; a name outlives a reboot, a number does not."
)


@dataclass(frozen=True, slots=True)
class _Row:
    """A device in one direction, as `--json` prints it."""

    direction: Direction
    index: int | None
    """None: PulseAudio's, which is chosen by its name."""
    name: str
    channels: int
    default_rate_hz: int
    opens: dict[int, list[int]]
    """Number of channels -> those of the probed rates at which it opens; empty where another program has it."""
    rates_hz: list[int]
    """At which it opens with any of these numbers of channels."""
    is_default: bool
    level_dbfs: float | None = None
    """With `--levels`, the last; None: not asked for, or no sound came."""
    peak_dbfs: float | None = None
    problem: str | None = None
    """Why it cannot be heard, with `--levels`."""


@click.command()
@click.option("--levels", is_flag=True, help=f"Listen to each microphone for {_SECONDS:.0f} seconds and show how loud.")
@click.option("--json", "is_json", is_flag=True, help="Print a list of objects for programs.")
def devices(levels: bool, is_json: bool) -> None:
    """List microphones and speakers, with the sample rates and channels at which they really open.

    The room file takes an index, `default`, or a part of a name; the name survives a reboot, the index does not.

    Example: voice-node devices --levels
    """
    console = Console()
    with PortAudio.open() as library:
        found = [(direction, device) for direction in _DIRECTIONS for device in _devices(library, direction)]
        rows = [_row(library, device, direction) for direction, device in found]
        if is_json:
            if levels:
                rows = [_hear(library, device, row) for (_, device), row in zip(found, rows, strict=True)]
            click.echo(json.dumps([asdict(row) for row in rows], indent=2, ensure_ascii=False))
            return
        if not rows:
            click.echo(_NONE)
            return
        for direction in _DIRECTIONS:
            if any(row.direction == direction for row in rows):
                console.print(_table(rows, direction))
        console.print(_HOW, highlight=False)
        if levels:
            _show_levels(console, library, [device for direction, device in found if direction == "input"])


def _devices(library: PortAudio, direction: Direction) -> list[Device]:
    """PortAudio's, and behind them those that only PulseAudio knows."""
    found = [device for device in library.devices() if device.channels(direction)]
    for server_device in server_devices(direction):
        try:
            device = library.find(PULSE + server_device.name, direction)
        except DeviceMissing:
            break  # ALSA has no way to PulseAudio
        count, rate_hz = server_device.channels, server_device.rate_hz
        found.append(
            replace(
                device,
                input_channels=count if direction == "input" else 0,
                output_channels=count if direction == "output" else 0,
                default_rate_hz=rate_hz,
                is_default_input=False,
                is_default_output=False,
            )
        )
    return found


def _row(library: PortAudio, device: Device, direction: Direction) -> _Row:
    most = device.channels(direction)
    opens = {}
    for count in sorted({1, min(2, most), most}):
        rates_hz = [rate_hz for rate_hz in PROBED_RATES_HZ if library.takes(device, direction, rate_hz, count)]
        if rates_hz:
            opens[count] = rates_hz
    return _Row(
        direction,
        None if device.server_name is not None else device.index,
        device.name,
        most,
        device.default_rate_hz,
        opens,
        sorted({rate_hz for rates_hz in opens.values() for rate_hz in rates_hz}),
        device.is_default(direction),
    )


def _table(rows: list[_Row], direction: Direction) -> Table:
    table = Table(title=_TITLES[direction], title_justify="left")
    table.add_column("index", justify="right")
    table.add_column("name", overflow="fold")
    table.add_column("channels", justify="right")
    table.add_column("default Hz", justify="right")
    table.add_column("opens with")
    for row in rows:
        if row.direction == direction:
            mark = " (default)" if row.is_default else ""
            index = "" if row.index is None else str(row.index)
            table.add_row(index, escape(row.name) + mark, str(row.channels), str(row.default_rate_hz), _opens(row))
    return table


def _opens(row: _Row) -> str:
    """Numbers of channels that open at the same rates share a line."""
    together: dict[str, list[int]] = {}
    for count, rates_hz in row.opens.items():
        together.setdefault(" ".join(map(str, rates_hz)), []).append(count)
    lines = [f"{', '.join(map(str, counts))} ch: {rates} Hz" for rates, counts in together.items()]
    return "\n".join(lines) or "nothing now: another program has it, or it is gone"


def _hear(library: PortAudio, device: Device, row: _Row) -> _Row:
    if row.direction != "input":
        return row
    heard = listen(library, device, _SECONDS, lambda _: None)
    if heard.level_dbfs is None:
        return replace(row, problem=heard.problem)
    levels = (round(heard.level_dbfs, 1), round(heard.peak_dbfs, 1))
    return replace(row, level_dbfs=levels[0], peak_dbfs=levels[1], problem=heard.problem)


def _show_levels(console: Console, library: PortAudio, inputs: list[Device]) -> None:
    """Live where a person looks, a line for each where nobody does."""
    console.print(
        "\nSay something. 0 dB is the loudest that there is; speech should reach -30 to -10.", highlight=False
    )
    heard: dict[int, Heard] = {}

    def picture() -> Table:
        table = Table.grid(padding=(0, 2))
        for number, device in enumerate(inputs):
            table.add_row(escape(device.name), escape(bar(heard.get(number, Heard()))))
        return table

    with Live(picture(), console=console, auto_refresh=False, transient=False) as live:

        def show(number: int, now: Heard) -> None:
            heard[number] = now
            if console.is_terminal:
                live.update(picture(), refresh=True)

        for number, device in enumerate(inputs):
            show(number, listen(library, device, _SECONDS, lambda now, number=number: show(number, now)))  # type: ignore[misc]  # a default argument
        live.update(picture(), refresh=True)
    if not console.is_terminal:
        console.print()
