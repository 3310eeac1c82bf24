"""`voice-node gate`: what the gate would have sent of recordings, and why."""

import asyncio
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import click

from voice_node.audio.level import level_dbfs
from voice_node.capture.wav_file import WavFile
from voice_node.cli.gate_trace import HEADER, Observation, as_json, as_row, why_changed, worth_reading
from voice_node.gate.gate import Gate, Phase
from voice_node.gate.silero import find_confirmer
from voice_node.gate.webrtc import WebrtcDetector
from voice_node.model.audio import Frame
from voice_node.model.speech import Speech, SpeechEnded
from voice_node.settings.load import load_room
from voice_node.settings.problem import one_of
from voice_node.settings.schema import RoomSettings

PICTURES = (".png", ".svg", ".pdf")


@dataclass(slots=True)
class _Heard:
    """What became of one recording."""

    file: Path
    segments: list[SpeechEnded] = field(default_factory=list)
    """Those that are sent."""
    observations: list[Observation] = field(default_factory=list)
    """Of each frame, where somebody wants to see them."""
    pcm: bytearray = field(default_factory=bytearray)
    """All of it, where it is drawn."""
    rate_hz: int = 0
    duration_ms: int = 0


@click.command(
    epilog="Example: voice-node gate config/rooms/kitchen.yaml monday.wav --plot monday.png",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.argument("room", metavar="ROOM.yaml", type=click.Path(path_type=Path))
@click.argument("files", metavar="FILE.wav...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "is_json", is_flag=True, help="One JSON object a line instead of a table.")
@click.option("--trace", "is_traced", is_flag=True, help="Every change and why, and every 100 ms what was heard.")
@click.option(
    "--plot", type=click.Path(path_type=Path, dir_okay=False), help="Draw one recording into this .png, .svg or .pdf."
)
def gate(room: Path, files: tuple[Path, ...], is_json: bool, is_traced: bool, plot: Path | None) -> None:
    """Show what the gate of ROOM.yaml would have sent of recordings.

    Times count from the start of each recording. The last line, on stderr, is the share that would have been sent.
    """
    draw = None if plot is None else _drawing(plot, files)
    settings = load_room(room).settings
    is_observed, is_drawn = is_traced or plot is not None, plot is not None
    heard = [
        asyncio.run(_listen(settings, file, is_observed, is_drawn)) for file in files
    ]  # all, before anything is shown
    for one in heard:
        file = one.file if len(files) > 1 else None
        if is_traced:
            _show_trace(one, file, is_json)
        else:
            _show_segments(one, file, is_json)
    if plot is not None and draw is not None:
        (one,) = heard
        _write(plot, lambda: draw(plot, str(one.file), bytes(one.pcm), one.rate_hz, one.observations, one.segments))
    sent_ms = sum(segment.end_ms - segment.start_ms for one in heard for segment in one.segments)
    total_ms = sum(one.duration_ms for one in heard)
    count = sum(len(one.segments) for one in heard)
    share = 100 * sent_ms / total_ms if total_ms else 0.0
    noun = "segment" if count == 1 else "segments"
    click.echo(f"{count} {noun}: {sent_ms / 1000:.1f} of {total_ms / 1000:.1f} s ({share:.1f} %) are sent", err=True)


def _drawing(plot: Path, files: Sequence[Path]) -> Callable[..., None]:
    if plot.suffix.lower() not in PICTURES:
        raise click.BadParameter(f"{plot}: the name must end with {one_of(PICTURES)}", param_hint="--plot")
    if len(files) > 1:
        raise click.UsageError("--plot draws one recording: give one")
    if find_spec("matplotlib") is None:
        raise click.UsageError("--plot needs the extra `plot`: pip install 'voice-node[plot]'")
    from voice_node.cli.gate_plot import draw  # here: the extra, and half a second

    return draw


def _write(path: Path, work: Callable[[], None]) -> None:
    try:
        work()
    except OSError as error:
        raise click.ClickException(f"{path}: cannot be written: {error.strerror}") from error


async def _listen(settings: RoomSettings, file: Path, is_observed: bool, is_drawn: bool) -> _Heard:
    numbers = itertools.count(1)
    listener = Gate(settings.gate, lambda: str(next(numbers)), find_confirmer(settings.gate))
    detector = WebrtcDetector(settings.gate.aggressiveness)
    source = WavFile(
        [file],
        frame_ms=settings.gate.frame_ms,
        channel=settings.capture.channel,
        gain_db=settings.capture.gain_db,
        is_realtime=False,
        silence_after_ms=0,
    )
    heard = _Heard(file)
    await source.start()
    try:
        async for frame in source:
            before, is_speech = listener.phase, detector.is_speech(frame)
            said = listener.hear(frame, is_speech)
            heard.segments += _sent(said)
            if is_observed:
                why = _why(before, listener.phase, said)
                heard.observations.append(_observe(heard.duration_ms, frame, listener, is_speech, why))
            if is_drawn:
                heard.pcm += frame.pcm
            heard.rate_hz = frame.rate_hz
            heard.duration_ms += settings.gate.frame_ms
        heard.segments += _sent(listener.end())
    finally:
        await source.close()
    return heard


def _why(before: Phase, after: Phase, said: Sequence[Speech]) -> str:
    ended = next((speech for speech in said if isinstance(speech, SpeechEnded)), None)
    return why_changed(before, after, None if ended is None else ended.reason, ended is not None and ended.is_kept)


def _observe(at_ms: int, frame: Frame, listener: Gate, is_speech: bool, why: str) -> Observation:
    level_db = level_dbfs(frame.pcm)
    return Observation(at_ms, is_speech, level_db, listener.floor_db, listener.probability, listener.phase, why)


def _sent(said: Sequence[Speech]) -> Iterator[SpeechEnded]:
    return (speech for speech in said if isinstance(speech, SpeechEnded) and speech.is_kept)


def _show_trace(heard: _Heard, file: Path | None, is_json: bool) -> None:
    if not is_json:
        click.echo(f"{heard.file}\n{HEADER}")
    for observation in worth_reading(heard.observations):
        click.echo(as_json(observation, file) if is_json else as_row(observation))


def _show_segments(heard: _Heard, file: Path | None, is_json: bool) -> None:
    if not is_json:
        click.echo(f"{heard.file}\n   start s     end s  voiced s  SNR dB  ended by")
    for segment in heard.segments:
        click.echo(_json(segment, file) if is_json else _row(segment))


def _json(segment: SpeechEnded, file: Path | None) -> str:
    fields: dict[str, object] = {} if file is None else {"file": str(file)}
    fields |= {
        "start_ms": segment.start_ms,
        "end_ms": segment.end_ms,
        "voiced_ms": segment.voiced_ms,
        "snr_db": round(segment.snr_db, 1),
        "reason": segment.reason.value,
    }
    return json.dumps(fields)


def _row(segment: SpeechEnded) -> str:
    return (
        f"{segment.start_ms / 1000:10.2f}{segment.end_ms / 1000:10.2f}{segment.voiced_ms / 1000:10.2f}"
        f"{segment.snr_db:8.1f}  {segment.reason}"
    )
