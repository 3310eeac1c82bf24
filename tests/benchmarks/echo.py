"""Hearing while speaking: what `echo: cancel` costs, who is heard over a reply, and whether the reply wakes the node.

Everything is computed in a synthetic room (T60 0.3 s, 40 ms of delay, noise at -60 dBFS), faster than it would sound.
"""

import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.benchmarks.measure import Figure
from tests.fakes.echo_room import Cards, Room, Samples, level_db, replies, samples_of, say, scaled, talk_over
from voice_node.capture.echo import EchoCanceller
from voice_node.capture.echo_suppressor import EchoSuppressor
from voice_node.gate.gate import Gate
from voice_node.gate.wake_word import MicroWakeWords
from voice_node.gate.webrtc import WebrtcDetector
from voice_node.model.audio import Cleaned, Frame, PlayedBlock
from voice_node.model.speech import Speech, SpeechEnded
from voice_node.settings.schema import GateSettings

RATE_HZ = 16000
PIECE_S = 300
HOUR_S = 3600
WORD = "alexa"
VOICES = (
    "en-us", "en-us+f1", "en-us+f2", "en-us+f3", "en-us+f4", "en-us+m1", "en-us+m2", "en-us+m3", "en-us+m4", "en-us+m5",
    "en-us+m6", "en-us+m7", "en-gb", "en-gb+f2", "en-gb+f4", "en-gb+m3", "en-gb-scotland", "en-gb-x-rp", "en-029",
    "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-us+croak", "en-us+f5", "en-gb+m7",
)  # fmt: skip
EVERY_S = 6.0
"""Between one word and the next."""
FIRST_S = 10.0
"""A person who waits until the reply is under way; the canceller has heard a little of the room."""


def measure_echo(_folder: Path) -> list[Figure]:
    """Without the extras `aec` and `wake` there is nothing to measure."""
    known = [voice for voice in VOICES if _wakes(np.pad(_word(voice), RATE_HZ))]
    figures = [*_cost(), *_hour()]
    for near_db in (6, 0, -6, -12):
        share, raw = _words_heard(known, near_db)
        figures.append(
            Figure(
                f"'{WORD}' over a reply, {near_db:+d} dB to its echo: not heard",
                100 - share,
                "%",
                15 if near_db == 0 else None,
                f"heard {share:.0f} % of {len(known)} voices (without a canceller {raw:.0f} %)",
            )
        )
    return [*figures, *(_sentences_heard(near_db) for near_db in (0, -6))]


def _run(canceller: EchoCanceller, played: Samples, heard: Samples, rate_hz: int = RATE_HZ) -> Iterator[Cleaned]:
    for event in Cards().run(played, heard, rate_hz):
        if isinstance(event, PlayedBlock):
            canceller.reference(event)
        elif (cleaned := canceller.hear(event)) is not None:
            yield cleaned


def _cost() -> list[Figure]:
    figures = []
    for rate_hz in (16000, 48000):
        played = replies(20, rate_hz, pause_s=0.2)
        room = Room(rate_hz=rate_hz)
        heard = room.echo(played) + room.noise(len(played))
        events = list(Cards().run(played, heard, rate_hz))
        canceller = EchoCanceller(EchoSuppressor())
        began = time.process_time()
        wake, gate = [], []
        for event in events:
            if isinstance(event, PlayedBlock):
                canceller.reference(event)
            else:
                cleaned = canceller.hear(event)
                wake.append(bytes(len(event.pcm)) if cleaned is None else cleaned.for_wake.pcm)
                gate.append(bytes(len(event.pcm)) if cleaned is None else cleaned.for_gate.pcm)
        spent_ms = (time.process_time() - began) * 1000 / 20
        late = slice(5 * rate_hz, None)
        fainter = [level_db(heard[late]) - level_db(samples_of(b"".join(ear))[late]) for ear in (wake, gate)]
        note = f"echo fainter by {fainter[0]:.0f} dB for the wake word, {fainter[1]:.0f} dB for the gate"
        figures.append(Figure(f"echo: cancel while it speaks, {rate_hz // 1000} kHz", spent_ms, "ms/s", 60, note))
    quiet = [Frame(index, bytes(640), RATE_HZ, 1000 + index / 50) for index in range(5000)]
    canceller = EchoCanceller(EchoSuppressor())
    began = time.process_time()
    for frame in quiet:
        canceller.hear(frame)
    figures.append(Figure("echo: cancel in a quiet room", (time.process_time() - began) * 10, "ms/s", 1))
    return figures


def _hour() -> list[Figure]:
    """Nobody is there but the node."""
    canceller, words, openings, wakes = EchoCanceller(EchoSuppressor()), MicroWakeWords([WORD]), 0, 0
    numbers = itertools.count(1)
    room = Room(distortion=1)
    gate, detector = Gate(GateSettings(), lambda: str(next(numbers))), WebrtcDetector(3)
    played = replies(PIECE_S, RATE_HZ)
    for piece in range(HOUR_S // PIECE_S):
        voiced = np.roll(played, piece * 7919 * 16)  # another place in the same replies: another beginning
        heard = room.echo(voiced) + room.noise(len(voiced))
        for event in Cards().run(voiced, heard, RATE_HZ, 1000.0 + piece * (PIECE_S + 40)):
            if isinstance(event, PlayedBlock):
                canceller.reference(event)
                continue
            cleaned = canceller.hear(
                Frame(event.index + piece * (PIECE_S + 40) * 50, event.pcm, event.rate_hz, event.at)
            )
            if cleaned is None:
                continue
            wakes += words.hear(cleaned.for_wake) is not None
            said = gate.hear(cleaned.for_gate, detector.is_speech(cleaned.for_gate))
            openings += sum(isinstance(value, SpeechEnded) and value.is_kept for value in said)
    return [
        Figure("an hour of replies: the node wakes itself", wakes, "times", 0.5),
        Figure("an hour of replies: its gate opens", openings, "times", 0.5),
    ]


def _word(voice: str) -> Samples:
    return say(WORD, voice, RATE_HZ, 150)


def _wakes(samples: Samples) -> bool:
    words = MicroWakeWords([WORD])
    pcm = np.clip(np.rint(samples * 32768), -32768, 32767).astype(np.int16).tobytes()
    return any(words.hear(Frame(at // 640, pcm[at : at + 640], RATE_HZ)) for at in range(0, len(pcm) - 639, 640))


def _words_heard(voices: list[str], near_db: float) -> tuple[float, float]:
    """Of the voices that wake it in a silent room, how many percent do over a reply; and without a canceller."""
    seconds = FIRST_S + EVERY_S * len(voices) + 2
    played = replies(seconds, RATE_HZ, pause_s=0.1)
    room = Room(distortion=1)
    echo = room.echo(played)
    heard = echo + room.noise(len(echo))
    spans = []
    for number, voice in enumerate(voices):
        word = scaled(_word(voice), level_db(echo) + near_db)
        start = int((FIRST_S + EVERY_S * number) * RATE_HZ)
        heard[start : start + len(word)] += word
        spans.append((start / RATE_HZ, (start + len(word)) / RATE_HZ + 0.6))

    def share(frames: Iterator[Frame]) -> float:
        words = MicroWakeWords([WORD])
        wakes = [frame.index / 50 for frame in frames if words.hear(frame)]
        return 100 * sum(any(begin <= wake <= end for wake in wakes) for begin, end in spans) / len(spans)

    cleaned = share(cleaned.for_wake for cleaned in _run(EchoCanceller(EchoSuppressor()), played, heard))
    return cleaned, share(event for event in Cards().run(played, heard, RATE_HZ) if isinstance(event, Frame))


def _sentences_heard(near_db: float) -> Figure:
    seconds = 120
    played = replies(seconds, RATE_HZ)
    room = Room(distortion=1)
    echo = room.echo(played)
    talk = talk_over(seconds, RATE_HZ, level_db(echo) + near_db)
    heard = echo + talk.samples + room.noise(len(echo))
    numbers = itertools.count(1)
    gate, detector = Gate(GateSettings(), lambda: str(next(numbers))), WebrtcDetector(3)
    said: list[Speech] = []
    for cleaned in _run(EchoCanceller(EchoSuppressor()), played, heard):
        said += gate.hear(cleaned.for_gate, detector.is_speech(cleaned.for_gate))
    openings = [
        (value.start_ms / 1000, value.end_ms / 1000)
        for value in said
        if isinstance(value, SpeechEnded) and value.is_kept
    ]
    missed = sum(not any(start < end_s and begin_s < end for start, end in openings) for begin_s, end_s in talk.spans)
    return Figure(
        f"sentences over a reply, {near_db:+d} dB to its echo: missed", missed, "times", 0.5, f"of {len(talk.spans)}"
    )
