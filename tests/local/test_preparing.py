import math
from array import array

import pytest

from voice_node.local.preparing import RATE_HZ, prepare


def sound(*parts: tuple[float, float]) -> bytes:
    """Tones of so many seconds and such a peak, one after the other."""
    return array(
        "h",
        (
            round(32767 * peak * math.sin(2 * math.pi * 440 * index / RATE_HZ))
            for seconds, peak in parts
            for index in range(round(seconds * RATE_HZ))
        ),
    ).tobytes()


def seconds(pcm: bytes) -> float:
    return len(pcm) / 2 / RATE_HZ


@pytest.mark.parametrize(
    "silence",
    [(0.0, 0.0), (0.05, 0.0), (2.0, 0.0), (2.0, 0.008)],
    ids=["cut close", "a little", "much", "much, of a quiet room"],
)
def test_as_much_silence_is_around_speech_wherever_it_was_cut(silence: tuple[float, float]) -> None:
    prepared = prepare(sound(silence, (1.0, 0.3), silence))
    assert seconds(prepared) == pytest.approx(1.3, abs=0.03)


def test_pauses_within_stay() -> None:
    assert seconds(prepare(sound((0.5, 0.3), (1.0, 0.0), (0.5, 0.1)))) == pytest.approx(2.3, abs=0.03)


@pytest.mark.parametrize("peak", [0.01, 0.1, 1.0])
def test_noise_lies_25_db_below_whatever_was_said(peak: float) -> None:
    pcm = sound((1.0, peak))
    prepared = prepare(pcm)
    silence = array("h", prepared[: RATE_HZ // 5])
    level = math.sqrt(sum(sample * sample for sample in silence) / len(silence))
    assert 20 * math.log10(level / (32767 * peak / math.sqrt(2))) == pytest.approx(-25, abs=1.5)


@pytest.mark.parametrize("pcm", [b"", b"\x01\x00", bytes(400), bytes(32000), b"\xff\x7f\x00\x80" * 8000])
def test_any_sound_can_be_prepared(pcm: bytes) -> None:
    prepared = prepare(pcm)
    assert prepared
    assert len(prepared) % 2 == 0
    assert prepare(pcm) == prepared
