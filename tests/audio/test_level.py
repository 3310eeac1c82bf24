import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_node.audio.level import SILENCE_DBFS, level_dbfs


def pcm(samples: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> bytes:
    return samples.round().astype("<i2").tobytes()


def sine(amplitude: float) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    return amplitude * np.sin(np.arange(960) * 2 * math.pi / 48)


@pytest.mark.parametrize(("amplitude", "level"), [(32767, -3.01), (3276.7, -23.01), (327.67, -43.01)])
def test_a_sine_lies_3_db_below_its_peak(amplitude: float, level: float) -> None:
    assert level_dbfs(pcm(sine(amplitude))) == pytest.approx(level, abs=0.02)


def test_a_full_scale_square_wave_is_0_dbfs() -> None:
    assert level_dbfs(pcm(np.tile([32767.0, -32767.0], 80))) == pytest.approx(0, abs=0.001)


def test_a_constant_offset_is_no_sound() -> None:
    assert level_dbfs(pcm(np.full(480, 3000.0))) == SILENCE_DBFS
    assert level_dbfs(pcm(sine(100) + 3000)) == pytest.approx(level_dbfs(pcm(sine(100))), abs=0.1)


@pytest.mark.parametrize("silence", [b"", bytes(320)])
def test_silence_has_the_lowest_level(silence: bytes) -> None:
    assert level_dbfs(silence) == SILENCE_DBFS


@given(st.binary(max_size=2000).filter(lambda data: len(data) % 2 == 0))
def test_any_sound_has_a_level_in_range(data: bytes) -> None:
    assert SILENCE_DBFS <= level_dbfs(data) <= 0.001
