"""`voice-node gate`: what the gate would have sent of recordings."""

import asyncio
import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from voice_node.capture.wav_file import WavFile
from voice_node.gate.gate import Gate
from voice_node.gate.webrtc import WebrtcDetector
from voice_node.model.speech import Speech, SpeechEnded
from voice_node.settings.load import load_room
from voice_node.settings.schema import RoomSettings


@click.command(
    epilog="Example: voice-node gate config/rooms/kitchen.yaml monday.wav tuesday.wav",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.argument("room", metavar="ROOM.yaml", type=click.Path(path_type=Path))
@click.argument("files", metavar="FILE.wav...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "is_json", is_flag=True, help="One JSON object a segment instead of a table.")
def gate(room: Path, files: tuple[Path, ...], is_json: bool) -> None:
    """Show what the gate of ROOM.yaml would have sent of recordings.

    Times count from the start of each recording. The last line, on stderr, is the share that would have been sent.
    """
    settings = load_room(room).settings
    heard = [(file, *asyncio.run(_listen(settings, file))) for file in files]  # all, before anything is shown
    total_ms = sent_ms = count = 0
    for file, segments, duration_ms in heard:
        if not is_json:
            click.echo(f"{file}\n   start s     end s  voiced s  SNR dB  ended by")
        total_ms += duration_ms
        for segment in segments:
            count += 1
            sent_ms += segment.end_ms - segment.start_ms
            click.echo(_json(segment, file if len(files) > 1 else None) if is_json else _row(segment))
    share = 100 * sent_ms / total_ms if total_ms else 0.0
    noun = "segment" if count == 1 else "segments"
    click.echo(f"{count} {noun}: {sent_ms / 1000:.1f} of {total_ms / 1000:.1f} s ({share:.1f} %) are sent", err=True)


async def _listen(settings: RoomSettings, file: Path) -> tuple[list[SpeechEnded], int]:
    """The segments that are sent of one recording, and how many milliseconds it lasts."""
    numbers = itertools.count(1)
    listener = Gate(settings.gate, next_turn_id=lambda: str(next(numbers)))
    detector = WebrtcDetector(settings.gate.aggressiveness)
    source = WavFile(
        [file],
        frame_ms=settings.gate.frame_ms,
        channel=settings.capture.channel,
        gain_db=settings.capture.gain_db,
        is_realtime=False,
        silence_after_ms=0,
    )
    segments: list[SpeechEnded] = []
    frames = 0
    await source.start()
    try:
        async for frame in source:
            frames += 1
            segments.extend(_sent(listener.hear(frame, detector.is_speech(frame))))
        segments.extend(_sent(listener.end()))
    finally:
        await source.close()
    return segments, frames * settings.gate.frame_ms


def _sent(said: Sequence[Speech]) -> Iterator[SpeechEnded]:
    return (speech for speech in said if isinstance(speech, SpeechEnded) and speech.is_kept)


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
