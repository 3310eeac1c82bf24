import pytest

from voice_node.model.audio import BYTES_PER_SAMPLE, Frame, pcm_ms


@pytest.mark.parametrize("rate_hz", [8000, 16000, 24000, 32000, 48000])
@pytest.mark.parametrize("duration_ms", [10, 20, 30])
def test_a_frame_knows_how_long_it_lasts(rate_hz: int, duration_ms: int) -> None:
    pcm = bytes(rate_hz * duration_ms // 1000 * BYTES_PER_SAMPLE)
    assert pcm_ms(pcm, rate_hz) == duration_ms
    assert Frame(0, pcm, rate_hz).duration_ms == duration_ms


def test_no_sound_lasts_no_time_and_one_sample_a_little() -> None:
    assert pcm_ms(b"", 16000) == 0
    assert pcm_ms(b"\0\0", 16000) == 0.0625
