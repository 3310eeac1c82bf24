"""The linear canceller against simulated rooms; frames of 20 ms at 16 kHz unless said."""

import numpy as np
import pytest

from tests.fakes.echo_room import Room, Samples, level_db, needs_espeak, replies, say, scaled
from voice_node.capture.echo_filter import LinearCanceller

RATE_HZ = 16000
FRAME = 320


def cancel(heard: Samples, played: Samples, canceller: LinearCanceller | None = None, frame: int = FRAME) -> Samples:
    """What is left, frame by frame."""
    canceller = canceller or LinearCanceller(frame, RATE_HZ)
    return np.concatenate(
        [
            canceller.process(heard[start : start + frame], played[start : start + frame])
            for start in range(0, len(heard) - frame + 1, frame)
        ]
    )


def enhancement_db(echo: Samples, left: Samples, from_s: float, to_s: float, rate_hz: int = RATE_HZ) -> float:
    """By how much the echo became fainter (ERLE)."""
    part = slice(int(from_s * rate_hz), int(to_s * rate_hz))
    return level_db(echo[part]) - level_db(left[part])


@pytest.fixture(scope="module")
def played() -> Samples:
    needs_espeak()
    return replies(16, RATE_HZ, pause_s=0.3)


@pytest.mark.parametrize(("frame", "delay_ms"), [(160, 20), (320, 80), (480, 0)])
def test_an_echo_goes_away_within_seconds(played: Samples, frame: int, delay_ms: int) -> None:
    room = Room(delay_ms=delay_ms)
    echo = room.echo(played)
    left = cancel(echo + room.noise(len(echo)), played, frame=frame)

    assert enhancement_db(echo, left, 1, 4) > 8
    assert enhancement_db(echo, left, 5, 8) > 17
    assert enhancement_db(echo, left, 12, 15) > 20


def test_a_loudspeaker_that_distorts_leaves_more(played: Samples) -> None:
    room = Room(distortion=2)
    echo = room.echo(played)
    left = cancel(echo + room.noise(len(echo)), played)

    assert enhancement_db(echo, left, 5, 15) > 12


@pytest.mark.parametrize("near_db", [6, 0, -12])
def test_a_voice_over_the_reply_is_kept_whole_and_teaches_nothing(played: Samples, near_db: float) -> None:
    room = Room()
    echo = room.echo(played)
    voice = np.zeros_like(echo)
    said = scaled(
        say("Please turn off all the lights in the house right now", "en-gb", RATE_HZ), level_db(echo) + near_db
    )
    start = 10 * RATE_HZ
    voice[start : start + len(said)] = said
    left = cancel(echo + voice + room.noise(len(echo)), played)
    span = slice(start, start + len(said))

    assert level_db((left - voice[: len(left)])[span]) < level_db(said) - min(12, 16 + near_db)
    assert enhancement_db(echo, left - voice[: len(left)], 10, 13) > 15
    assert enhancement_db(echo, left, 13.5, 15) > 20


def test_another_room_is_learnt(played: Samples) -> None:
    """Somebody moved the loudspeaker."""
    whole = np.concatenate([played, played])
    before, after = Room(seed=1).echo(whole), Room(seed=7).echo(whole)
    cut = 16 * RATE_HZ
    echo = np.concatenate([before[:cut], after[cut:]])
    left = cancel(echo + Room().noise(len(echo)), whole)

    assert enhancement_db(echo, left, 24, 31) > 17


def test_without_a_reference_what_is_heard_passes_untouched() -> None:
    heard = Room().noise(RATE_HZ)

    assert (cancel(heard, np.zeros_like(heard)) == heard).all()


def test_it_never_makes_anything_louder(played: Samples) -> None:
    """Even when it is told that something is played, and something else is."""
    heard = Room(seed=3).echo(played[::-1].copy())
    left = cancel(heard, played)

    for start in range(0, len(left), FRAME):
        assert np.sum(left[start : start + FRAME] ** 2) <= np.sum(heard[start : start + FRAME] ** 2) * 1.001


@pytest.mark.parametrize("later", [-96, 64])
def test_what_is_known_moves_with_the_reference(played: Samples, later: int) -> None:
    room = Room(delay_ms=30)
    echo = room.echo(played)
    canceller = LinearCanceller(FRAME, RATE_HZ)
    cut = 10 * RATE_HZ
    cancel(echo[:cut], played[:cut], canceller)
    canceller.shift(later)
    moved = np.concatenate([np.zeros(-later, np.float32), played]) if later < 0 else played[later:]
    canceller.look_back(moved[cut - canceller.reach : cut])
    left = cancel(echo[cut : cut + 2 * RATE_HZ], moved[cut : cut + 2 * RATE_HZ], canceller)

    assert enhancement_db(echo[cut:], left, 0, 2) > 20


def test_a_look_back_is_as_if_the_past_had_been_processed(played: Samples) -> None:
    echo = Room().echo(played)
    one, other = LinearCanceller(FRAME, RATE_HZ), LinearCanceller(FRAME, RATE_HZ)
    cut = 4 * RATE_HZ
    for canceller in (one, other):
        cancel(echo[:cut], played[:cut], canceller)
    other.look_back(played[cut - other.reach : cut])
    end = cut + FRAME

    assert np.allclose(
        one.process(echo[cut:end], played[cut:end]), other.process(echo[cut:end], played[cut:end]), atol=1e-6
    )
