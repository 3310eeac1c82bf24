import numpy as np
import pytest

from tests.fakes.tone import loudness_of, tone
from voice_node.audio.high_pass import HighPass


def through(corner_hz: float, rate_hz: int, hz: float, piece: int = 2880) -> float:
    """By how many dB a sine leaves the filter quieter."""
    sound, high_pass = tone(hz, rate_hz, 2000), HighPass(corner_hz, rate_hz)
    out = b"".join(high_pass.process(sound[start : start + piece]) for start in range(0, len(sound), piece))
    assert len(out) == len(sound)
    half = len(sound) // 4 * 2
    return float(20 * np.log10(loudness_of(hz, sound[half:], rate_hz) / loudness_of(hz, out[half:], rate_hz)))


@pytest.mark.parametrize("rate_hz", [8000, 16000, 44100, 48000])
def test_hum_goes_and_speech_stays(rate_hz: int) -> None:
    assert through(80, rate_hz, 80) == pytest.approx(3, abs=0.2)
    assert through(80, rate_hz, 20) > 17
    assert through(80, rate_hz, 300) < 0.3
    assert through(80, rate_hz, 3000) < 0.05


@pytest.mark.parametrize("piece", [2, 320, 5760, 192000])
def test_the_size_of_the_pieces_changes_nothing(piece: int) -> None:
    sound = np.random.default_rng(1).integers(-20000, 20000, 48000).astype("<i2").tobytes()
    whole, pieces = HighPass(400, 48000), HighPass(400, 48000)
    cut = b"".join(pieces.process(sound[start : start + piece]) for start in range(0, len(sound) // 10, piece))
    expected = whole.process(sound)[: len(cut)]

    difference = np.frombuffer(cut, "<i2").astype(int) - np.frombuffer(expected, "<i2")
    assert np.abs(difference).max() <= 1


def test_a_constant_offset_is_taken_away_for_good() -> None:
    high_pass = HighPass(80, 16000)
    sound = np.full(16000 * 60, 12000, "<i2").tobytes()
    out = [high_pass.process(sound[start : start + 1920]) for start in range(0, len(sound), 1920)]

    assert not any(out[-1])


def test_it_does_not_go_round_at_full_scale() -> None:
    square = np.tile(np.repeat(np.array([32767, -32768], "<i2"), 20), 500).tobytes()
    out = np.frombuffer(HighPass(80, 16000).process(square), "<i2").astype(int)

    assert (np.sign(out) == np.sign(np.frombuffer(square, "<i2"))).mean() > 0.95


def test_reset_forgets_and_nothing_comes_of_nothing() -> None:
    high_pass, fresh = HighPass(80, 16000), HighPass(80, 16000)
    high_pass.process(tone(50, 16000, 100))
    high_pass.reset()

    assert high_pass.process(b"") == b""
    assert high_pass.process(tone(200, 16000, 50)) == fresh.process(tone(200, 16000, 50))
