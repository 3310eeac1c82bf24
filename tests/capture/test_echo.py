"""The whole canceller, with two sound cards that keep their own time; and the real gate behind it."""

import itertools
import sys
from dataclasses import dataclass

import numpy as np
import pytest

from tests.fakes.echo_room import (
    Cards,
    Room,
    Samples,
    level_db,
    needs_espeak,
    pcm_of,
    replies,
    samples_of,
    talk_over,
)
from voice_node.capture.echo import DEAF_S, QUIET_S, EchoCanceller
from voice_node.capture.echo_suppressor import EchoSuppressor
from voice_node.gate.gate import Gate
from voice_node.gate.webrtc import WebrtcDetector
from voice_node.model.audio import Cleaned, Frame, PlayedBlock
from voice_node.model.speech import SpeechEnded
from voice_node.settings.schema import GateSettings

RATE_HZ = 16000
CARDS = Cards()


class Nothing:
    """A suppressor that takes nothing away."""

    def suppress(self, heard: bytes, played: bytes, rate_hz: int) -> bytes:
        assert len(heard) == len(played)
        return heard


@dataclass(frozen=True)
class Ears:
    """What each of them heard."""

    gate: Samples
    wake: Samples
    frames: list[Frame]
    """For the gate."""


def hear(
    canceller: EchoCanceller, played: Samples, heard: Samples, rate_hz: int = RATE_HZ, cards: Cards = CARDS
) -> Ears:
    """Let both cards run."""
    frames, wake, gate = [], [], []
    for event in cards.run(played, heard, rate_hz):
        if isinstance(event, PlayedBlock):
            canceller.reference(event)
        else:
            cleaned = canceller.hear(event)
            if cleaned is None:
                wake.append(bytes(len(event.pcm)))
                gate.append(bytes(len(event.pcm)))
                continue
            for frame in (cleaned.for_gate, cleaned.for_wake):
                assert (frame.index, frame.rate_hz, frame.at) == (event.index, event.rate_hz, event.at)
                assert len(frame.pcm) == len(event.pcm)
            frames.append(cleaned.for_gate)
            gate.append(cleaned.for_gate.pcm)
            wake.append(cleaned.for_wake.pcm)
    return Ears(samples_of(b"".join(gate)), samples_of(b"".join(wake)), frames)


def told(heard: Samples, wake: Samples, gate: Samples, where: str) -> None:
    """For who runs it with -s: how much fainter the echo became."""
    wake_db, gate_db = (level_db(heard) - level_db(ear) for ear in (wake, gate))
    sys.stdout.write(f"{where}: echo fainter by {wake_db:.0f} dB for the wake word, {gate_db:.0f} for the gate\n")


def opened(frames: list[Frame]) -> list[tuple[float, float]]:
    """Seconds from and to which the real gate was open and what it heard was sent."""
    numbers = itertools.count(1)
    settings = GateSettings()
    gate, detector = Gate(settings, lambda: str(next(numbers))), WebrtcDetector(settings.aggressiveness)
    said = [value for frame in frames for value in gate.hear(frame, detector.is_speech(frame))]
    said += gate.end()
    return [
        (value.start_ms / 1000, value.end_ms / 1000)
        for value in said
        if isinstance(value, SpeechEnded) and value.is_kept
    ]


def overlaps(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def enhancement_db(heard: Samples, left: Samples, from_s: float, to_s: float) -> float:
    part = slice(int(from_s * RATE_HZ), int(to_s * RATE_HZ))
    return level_db(heard[part]) - level_db(left[part])


@pytest.mark.parametrize(
    ("cards", "delay_ms"),
    [
        (Cards(), 40),
        (Cards(frame_ms=10, frames_per_visit=1), 20),
        (Cards(frame_ms=30, frames_per_visit=2, under_way_s=0.15), 80),
        (Cards(jitter_s=0.015), 40),
    ],
)
def test_both_ears_are_rid_of_the_reply(cards: Cards, delay_ms: float) -> None:
    needs_espeak()
    played = replies(14, RATE_HZ)
    room = Room(delay_ms=delay_ms)
    heard = room.echo(played) + room.noise(len(played))
    ears = hear(EchoCanceller(EchoSuppressor()), played, heard, cards=cards)

    told(heard[128000:], ears.wake[128000:], ears.gate[128000:], str(cards))
    assert enhancement_db(heard, ears.wake, 8, 14) > 17
    assert enhancement_db(heard, ears.gate, 2, 14) > 20
    assert opened(ears.frames) == []
    assert opened_without(heard) != []


def opened_without(heard: Samples) -> list[tuple[float, float]]:
    """What the gate makes of it without a canceller: else a test tells nothing."""
    return opened(
        [Frame(index, pcm_of(heard[index * 320 : index * 320 + 320]), RATE_HZ) for index in range(len(heard) // 320)]
    )


@pytest.mark.parametrize("drift", [5e-5, -5e-5])
def test_clocks_that_drift_apart_keep_the_gate_closed(drift: float) -> None:
    needs_espeak()
    played = replies(20, RATE_HZ)
    room = Room()
    echo = room.echo(played)
    heard = np.interp(np.arange(len(echo)) * (1 + drift), np.arange(len(echo)), echo).astype(np.float32)
    ears = hear(EchoCanceller(EchoSuppressor()), played, heard + room.noise(len(played)), cards=Cards(drift=drift))

    assert enhancement_db(heard, ears.wake, 8, 20) > 4
    assert opened(ears.frames) == []


@pytest.mark.parametrize("near_db", [0, -6])
def test_somebody_who_speaks_over_the_reply_opens_the_gate(near_db: float) -> None:
    needs_espeak()
    seconds = 30
    played = replies(seconds, RATE_HZ)
    room = Room()
    echo = room.echo(played)
    talk = talk_over(seconds, RATE_HZ, level_db(echo) + near_db)
    ears = hear(EchoCanceller(EchoSuppressor()), played, echo + talk.samples + room.noise(len(echo)))
    openings = opened(ears.frames)

    assert all(any(overlaps(opening, span) for opening in openings) for span in talk.spans)
    assert all(any(overlaps(opening, span) for span in talk.spans) for opening in openings)


@pytest.mark.slow
@pytest.mark.parametrize(("rate_hz", "distortion"), [(16000, 0), (48000, 2)])
def test_five_minutes_of_replies_and_those_who_speak_over_them(rate_hz: int, distortion: float) -> None:
    needs_espeak()
    seconds = 330
    played = replies(seconds, rate_hz)
    room = Room(rate_hz=rate_hz, distortion=distortion, seed=4)
    echo = room.echo(played)
    heard = echo + room.noise(len(echo))
    ears = hear(EchoCanceller(EchoSuppressor()), played, heard, rate_hz)
    part = slice(10 * rate_hz, None)
    told(heard[part], ears.wake[part], ears.gate[part], f"{rate_hz} Hz, distortion {distortion}")
    assert opened(ears.frames) == []

    talk = talk_over(120, rate_hz, level_db(echo) - 6)
    part = slice(0, len(talk.samples))
    ears = hear(EchoCanceller(EchoSuppressor()), played[part], heard[part] + talk.samples, rate_hz)
    openings = opened(ears.frames)
    assert all(any(overlaps(opening, span) for opening in openings) for span in talk.spans)
    assert all(any(overlaps(opening, span) for span in talk.spans) for opening in openings)


def quiet_frame(index: int, at: float = 1000.0) -> Frame:
    came_at = at + Cards().input_latency_s + (index + 1) * 0.02
    return Frame(index, pcm_of(Room().noise(320)), RATE_HZ, came_at)


def test_in_a_quiet_room_frames_pass_as_they_are() -> None:
    canceller = EchoCanceller(Nothing())
    for index in range(5):
        frame = quiet_frame(index)
        cleaned = canceller.hear(frame)
        assert cleaned is not None
        assert cleaned.for_gate is frame
        assert cleaned.for_wake is frame


def test_a_recording_has_no_time_and_passes() -> None:
    canceller = EchoCanceller(Nothing())
    canceller.reference(PlayedBlock(0, b"\1\0" * 160, RATE_HZ, 1000.0))
    frame = Frame(0, bytes(640), RATE_HZ)

    assert canceller.hear(frame) == Cleaned(frame, frame)


def test_what_is_known_of_the_room_is_kept_between_replies_and_openings_of_the_device() -> None:
    """The second reply is without its echo after half a second, after 40 s of silence and with a new stream."""
    needs_espeak()
    played = replies(10, RATE_HZ, pause_s=0.2)
    room = Room()
    heard = room.echo(played) + room.noise(len(played))
    canceller = EchoCanceller(Nothing())
    hear(canceller, played, heard)
    quiet = [quiet_frame(500 + index) for index in range(2000)]
    passed = [canceller.hear(frame) == Cleaned(frame, frame) for frame in quiet]
    began_at = 1000.0 + 2500 * 0.02
    left = []
    for event in Cards().run(played, heard, RATE_HZ, began_at):
        if isinstance(event, PlayedBlock):
            canceller.reference(event)
        else:
            frame = Frame(event.index + 2500, event.pcm, event.rate_hz, event.at)
            cleaned = canceller.hear(frame)
            left.append(bytes(640) if cleaned is None else cleaned.for_wake.pcm)

    assert passed.count(False) <= QUIET_S * 50
    assert all(passed[int(QUIET_S * 50) :])
    assert enhancement_db(heard, samples_of(b"".join(left)), 0.8, 3) > 17


def test_after_a_hole_nothing_is_heard_until_the_place_is_known_and_the_suppressor_has_learnt() -> None:
    """Rather than to hear the reply as somebody's voice."""
    needs_espeak()
    played = replies(9, RATE_HZ, pause_s=0.2)
    echo = Room().echo(played)
    canceller = EchoCanceller(Nothing())
    cards = Cards(frames_per_visit=1)
    after = []
    for event in cards.run(played, echo, RATE_HZ):
        if isinstance(event, PlayedBlock):
            canceller.reference(event)
        elif event.index not in range(200, 207):  # lost
            cleaned = canceller.hear(event)
            if event.index >= 207:
                after.append(cleaned)
    heard_again = next(index for index, cleaned in enumerate(after) if cleaned is not None)

    assert heard_again == pytest.approx(49 + DEAF_S * 50, abs=1)
    assert None not in after[heard_again:]


def test_what_nobody_fetches_is_bounded() -> None:
    canceller = EchoCanceller(Nothing())
    for number in range(10000):
        canceller.reference(PlayedBlock(number * 160, bytes(320), RATE_HZ, 1000 + number / 100))

    assert len(canceller._unfetched) == 300
    cleaned = canceller.hear(Frame(0, bytes(640), RATE_HZ, 1100.0))
    assert cleaned is None, "the microphone was only just opened"


def test_where_sound_is_torn_on_its_way_it_is_rather_deaf_than_hears_itself() -> None:
    """By whom nobody says: the echo comes so much later from then on, again and again."""
    needs_espeak()
    played = replies(24, RATE_HZ)
    room = Room(delay_ms=60)
    echo, gap = room.echo(played), np.zeros(25 * RATE_HZ // 1000, np.float32)
    pieces = [piece for start in range(0, len(echo), 5 * RATE_HZ) for piece in (echo[start : start + 5 * RATE_HZ], gap)]
    heard = np.concatenate(pieces)[: len(played)]
    ears = hear(EchoCanceller(EchoSuppressor()), played, heard + room.noise(len(played)))

    assert opened(ears.frames) == []


def test_an_echo_that_comes_before_the_driver_says_that_it_was_played_is_taken_away() -> None:
    needs_espeak()
    played = replies(14, RATE_HZ)
    echo = Room(delay_ms=0).echo(played)
    early = 12 * RATE_HZ // 1000
    heard = np.concatenate([echo[early:], np.zeros(early, np.float32)])
    ears = hear(EchoCanceller(EchoSuppressor()), played, heard + Room().noise(len(played)))

    assert enhancement_db(heard, ears.wake, 8, 14) > 15
    assert opened(ears.frames) == []
