"""Where the reference of a frame is found; both streams at 1 kHz, frames of 20 samples."""

from collections.abc import Iterator

import numpy as np
import pytest

from voice_node.capture.echo_reference import CREEP, LEAD_MS, SLIP_MS, Found, HeardPace, PlayedPace, Reference
from voice_node.model.audio import Frame, PlayedBlock

RATE_HZ = 8000
FRAME = 160
FRAME_S = FRAME / RATE_HZ
BLOCK = 80
REACH = 960
UNDER_WAY_S = 0.06
LEAD = LEAD_MS * RATE_HZ // 1000


def sound(start: int, count: int) -> bytes:
    """Every sample tells its place."""
    return (np.arange(start, start + count) % 30000 + 1).astype("<i2").tobytes()


def places(found: Found) -> list[int]:
    """Where the reference's samples come from."""
    return [round(float(sample) * 32768) - 1 for sample in found.played]


def block(number: int, at: float, start: int = 0) -> PlayedBlock:
    """The block of that number; the stream's sample 0 leaves the loudspeaker at `at`."""
    position = start + number * BLOCK
    return PlayedBlock(position, sound(position, BLOCK), RATE_HZ, at + position / RATE_HZ)


def frame(index: int, at: float) -> Frame:
    """The frame of that number; sample 0 came in at `at`."""
    return Frame(index, bytes(2 * FRAME), RATE_HZ, at + (index + 1) * FRAME_S)


def both(frames: int, played_at: float = 100.0, heard_at: float = 100.0) -> tuple[Reference, Iterator[Found | None]]:
    """A reference to which everything was handed that is under way, frame by frame."""
    reference = Reference(FRAME, RATE_HZ, REACH, settled_s=0.1)

    def run() -> Iterator[Found | None]:
        handed = 0
        for index in range(frames):
            now = heard_at + (index + 1) * FRAME_S
            while played_at + handed * BLOCK / RATE_HZ - UNDER_WAY_S <= now:
                reference.add(block(handed, played_at))
                handed += 1
            yield reference.find(frame(index, heard_at))

    return reference, run()


def test_what_is_played_leaves_by_the_middle_of_what_the_driver_said() -> None:
    pace = PlayedPace()
    for number in range(5):
        assert not pace.is_known
        pace.note(number, 100 + number + (0.5 if number == 2 else 0.001 * number))
    assert pace.is_known
    assert pace.origin == pytest.approx(100.003)


def test_what_is_heard_came_by_its_earliest_piece_however_late_all_others_are() -> None:
    pace = HeardPace(fewest=5)
    for number in range(5):
        assert not pace.is_known
        pace.note(number, 100 + number + (0.0 if number == 1 else 0.05))
    assert pace.is_known
    assert pace.origin == pytest.approx(100 + 3 * CREEP)
    for number in range(5, 60):
        pace.note(number, 100.05 + number)
    assert pace.origin == pytest.approx(100, abs=0.015), "no sample was lost: 50 ms late are late"


def test_a_frame_finds_what_left_the_loudspeaker_a_little_after_it_came_in() -> None:
    _, run = both(20)
    founds = list(run)

    assert founds[:4] == [None] * 4
    for index, found in enumerate(founds[4:], 4):
        assert found is not None
        assert places(found) == list(range(index * FRAME + LEAD, (index + 1) * FRAME + LEAD))
        assert found.slip == (None if index == 4 else 0)
        assert (found.past is not None) is (index == 4)
    first = founds[4]
    assert first is not None
    assert first.past is not None
    assert len(first.past) == REACH
    assert round(float(first.past[-1]) * 32768) - 1 == 4 * FRAME + LEAD - 1
    assert first.past[0] == 0, "before the beginning there is silence"


def test_streams_that_began_apart_meet() -> None:
    _, run = both(40, played_at=100.25, heard_at=100.0)
    found = list(run)[-1]

    assert found is not None
    assert places(found)[0] == 39 * FRAME - 2000 + LEAD


def test_a_late_thread_moves_nothing() -> None:
    reference, run = both(30)
    for _ in range(20):
        next(run)
    late = frame(20, 100.0)
    found = reference.find(Frame(20, late.pcm, RATE_HZ, late.at + 0.2))

    assert found is not None
    assert found.past is None
    assert places(found)[0] == 20 * FRAME + LEAD


def test_drift_is_followed_by_slips_and_what_is_known_moves_with_it() -> None:
    reference = Reference(FRAME, RATE_HZ, REACH, settled_s=0.1)
    slips = []
    handed = 0
    for index in range(6000):
        while handed * BLOCK * 0.9995 / RATE_HZ - UNDER_WAY_S <= (index + 1) * FRAME_S:  # 500 ppm fast
            position = handed * BLOCK
            reference.add(PlayedBlock(position, sound(position, BLOCK), RATE_HZ, 100 + position * 0.9995 / RATE_HZ))
            handed += 1
        found = reference.find(frame(index, 100.0))
        if found is not None and found.slip:
            assert found.past is not None
            slips.append(found.slip)

    assert len(slips) == pytest.approx(120 * 0.0005 * 1000 / SLIP_MS, abs=1)
    assert all(slip == pytest.approx(SLIP_MS * RATE_HZ / 1000, abs=8) for slip in slips)


def test_a_leap_is_no_drift() -> None:
    """The device stopped for 50 ms: its samples leave it later from then on."""
    reference = Reference(FRAME, RATE_HZ, REACH, settled_s=0.1)
    founds = []
    for index in range(100):
        stop_s = 0.05 if index >= 40 else 0
        for number in (2 * index, 2 * index + 1):
            reference.add(block(number, 99.97 + stop_s))
        founds.append(reference.find(frame(index, 100.0)))
    assert founds[41] is not None
    assert founds[41].past is not None, "two blocks a frame: three are enough"
    leaps = [found for found in founds[5:] if found is not None and found.past is not None]

    assert len(leaps) == 1
    assert leaps[0].slip is None
    assert founds[-1] is not None
    assert places(founds[-1])[0] in range(99 * FRAME + LEAD - 162, 99 * FRAME + LEAD - 158)


def test_a_hole_in_what_was_captured_begins_anew() -> None:
    reference, run = both(20)
    list(run)
    assert not reference.is_lost
    for number in range(40, 90):
        reference.add(block(number, 100.0))
    founds = [reference.find(frame(index, 100.0)) for index in range(25, 33)]

    assert [found is None for found in founds] == [True] * 4 + [False] * 4
    found = founds[4]
    assert found is not None
    assert found.past is not None
    assert found.slip is None
    assert places(found)[0] == 29 * FRAME + LEAD


def test_what_was_not_handed_over_was_silence() -> None:
    reference, run = both(20)
    list(run)
    reference.add(block(0, 100.0, start=60 * BLOCK))  # 43 blocks came until now
    silent = reference.find(frame(20, 100.0))
    found = None
    for index in range(21, 30):
        found = reference.find(frame(index, 100.0))

    assert silent is not None
    assert found is not None
    assert places(found)[:80] == list(range(60 * BLOCK, 61 * BLOCK))
    assert set(places(found)[80:]) == {-1}


def test_after_a_long_silence_the_sound_is_found_all_the_same() -> None:
    reference, run = both(20)
    list(run)
    for index in range(20, 520):
        reference.rest(frame(index, 100.0))
    start = 520 * FRAME
    for number in range(8):
        reference.add(block(number, 100.0, start))
    found = reference.find(frame(521, 100.0))
    assert found is None, "520 is missing"
    reference, run = both(20)
    list(run)
    for index in range(20, 520):
        reference.rest(frame(index, 100.0))
    for number in range(8):
        reference.add(block(number, 100.0, start))
    found = reference.find(frame(520, 100.0))
    assert found is not None
    assert places(found) == [place % 30000 for place in range(start + LEAD, start + LEAD + FRAME)]


def test_a_device_that_is_opened_again_is_another_stream() -> None:
    reference, run = both(20)
    list(run)
    for number in range(4):
        reference.add(block(number, 100.4))
        assert reference.find(frame(20 + number, 100.0)) is None
        assert not reference.is_lost
    for number in range(4, 20):
        reference.add(block(number, 100.4))
    found = reference.find(frame(24, 100.0))

    assert found is not None
    assert places(found)[0] == 24 * FRAME - 3200 + LEAD


def test_what_is_held_is_bounded() -> None:
    reference = Reference(FRAME, RATE_HZ, REACH, settled_s=0.1)
    for number in range(3000):
        reference.add(block(number, 100.0))

    assert len(reference._held) == 6 * RATE_HZ
    assert reference._held_count <= 6 * RATE_HZ
