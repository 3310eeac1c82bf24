from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.tone import sinad_db, tone
from voice_node.audio.resample import Resampler
from voice_node.model.audio import BYTES_PER_SAMPLE

RATES = [
    (48000, 24000),
    (44100, 48000),
    (16000, 24000),
    (24000, 48000),
    (24000, 44100),
    (11025, 16000),
    (192000, 48000),
]


@pytest.mark.parametrize(("from_hz", "to_hz"), RATES)
def test_a_sine_in_20_ms_blocks_stays_a_sine(from_hz: int, to_hz: int) -> None:
    """No click at the border of two blocks: noise and distortion stay 60 dB below the tone."""
    resampler = Resampler(from_hz, to_hz)
    sound = tone(1000, from_hz, 2000)
    block = from_hz // 50 * BYTES_PER_SAMPLE
    out = b"".join(resampler.process(sound[start : start + block]) for start in range(0, len(sound), block))
    out += resampler.flush()

    assert sinad_db(out, to_hz, 1000) >= 60


@pytest.mark.parametrize(("from_hz", "to_hz"), RATES)
def test_as_much_comes_out_as_went_in(from_hz: int, to_hz: int) -> None:
    resampler = Resampler(from_hz, to_hz)
    sound = tone(440, from_hz, 777)
    out = resampler.process(sound) + resampler.flush()

    assert abs(len(out) / to_hz - len(sound) / from_hz) * to_hz <= BYTES_PER_SAMPLE


def test_what_lies_beyond_the_band_does_not_fold_back() -> None:
    resampler = Resampler(48000, 24000)
    out = np.frombuffer(resampler.process(tone(14000, 48000, 500)) + resampler.flush(), np.int16)[1200:-1200]

    assert np.abs(out).max() < 20


def test_after_flush_a_new_stream_begins() -> None:
    resampler = Resampler(48000, 24000)
    sound = tone(1000, 48000, 100)
    first = resampler.process(sound) + resampler.flush()
    second = resampler.process(sound) + resampler.flush()

    # soxr dithers: the two differ by the last bit at most
    assert np.abs(np.frombuffer(first, np.int16).astype(int) - np.frombuffer(second, np.int16)).max() <= 2


def test_after_reset_nothing_of_before_is_left() -> None:
    resampler = Resampler(48000, 24000)
    resampler.process(tone(1000, 48000, 100) + b"\1")
    resampler.reset()
    out = resampler.process(b"\0" * 9600) + resampler.flush()

    assert len(out) == 4800
    assert np.abs(np.frombuffer(out, np.int16)).max() <= 1


def test_equal_rates_pass_through() -> None:
    resampler = Resampler(24000, 24000)
    sound = tone(1000, 24000, 20)

    assert resampler.process(sound) is sound
    assert resampler.flush() == b""


@given(cuts=st.lists(st.integers(0, 4000), max_size=20), to_hz=st.sampled_from([16000, 24000]))
def test_blocks_of_any_size_make_the_same_sound(cuts: list[int], to_hz: int) -> None:
    """Odd sizes too: half a sample waits for its other half."""
    sound = tone(500, 16000, 125)
    borders = [0, *sorted(cuts), len(sound)]
    resampler = Resampler(16000, to_hz)
    out = b"".join(resampler.process(sound[a:b]) for a, b in pairwise(borders)) + resampler.flush()
    whole = Resampler(16000, to_hz)
    expected = whole.process(sound) + whole.flush()

    assert len(out) == len(expected)
    assert np.abs(np.frombuffer(out, np.int16).astype(int) - np.frombuffer(expected, np.int16)).max() <= 2


@pytest.mark.parametrize(("from_hz", "to_hz"), [(24000, 48000), (24000, 16000), (44100, 48000)])
def test_an_instant_resampler_holds_nothing_back(from_hz: int, to_hz: int) -> None:
    resampler = Resampler(from_hz, to_hz, is_instant=True)
    sound = tone(700, from_hz, 1000)
    size = from_hz // 100 * 2
    out = b""
    for start in range(0, len(sound), size):
        out += resampler.process(sound[start : start + size])
        assert abs(len(out) / to_hz - (start + size) / from_hz) / 2 < 0.0005

    assert sinad_db(out, to_hz, 700) > 40
