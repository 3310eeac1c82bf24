"""Short sounds: short, quiet, without clicks, and each its own."""

import numpy as np
import pytest

from voice_node.model.control import Chime
from voice_node.playback.chimes import LOUDNESS, samples


@pytest.mark.parametrize("rate_hz", [16000, 24000, 44100, 48000])
@pytest.mark.parametrize("chime", list(Chime))
def test_a_chime_is_short_and_quiet_and_begins_and_ends_in_silence(chime: Chime, rate_hz: int) -> None:
    sound = samples(chime, rate_hz)
    assert 0.05 <= len(sound) / rate_hz <= 0.3
    assert 0.9 * LOUDNESS * 32767 <= np.abs(sound.astype(int)).max() <= LOUDNESS * 32767
    assert abs(int(sound[0])) < 50
    assert abs(int(sound[-1])) < 50


def test_no_two_chimes_sound_alike() -> None:
    assert len({samples(chime, 24000).tobytes() for chime in Chime}) == len(Chime)
