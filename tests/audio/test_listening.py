import numpy as np
import pytest

from tests.fakes.tone import tone
from voice_node.audio.level import level_dbfs
from voice_node.audio.listening import LISTENING_HZ, ListeningRate

RATES_HZ = (8000, 16000, 32000, 48000)


def heard(pcm: bytes, rate_hz: int, block_ms: int = 20) -> bytes:
    rate, size = ListeningRate(rate_hz), 2 * rate_hz * block_ms // 1000
    return b"".join(rate.process(pcm[at : at + size]) for at in range(0, len(pcm), size))


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("block_ms", [10, 20, 30])
def test_as_much_comes_out_of_a_block_as_went_in(rate_hz: int, block_ms: int) -> None:
    assert (
        len(ListeningRate(rate_hz).process(bytes(2 * rate_hz * block_ms // 1000)))
        == 2 * LISTENING_HZ * block_ms // 1000
    )


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("tone_hz", [200, 1000, 3000])
def test_speech_keeps_its_level_and_its_pitch(rate_hz: int, tone_hz: int) -> None:
    pcm = tone(tone_hz, rate_hz, 600)
    out = heard(pcm, rate_hz)[640:]
    assert level_dbfs(out) == pytest.approx(level_dbfs(pcm), abs=1.5)
    spectrum = np.abs(np.fft.rfft(np.frombuffer(out, "<i2")))
    assert np.argmax(spectrum) * LISTENING_HZ / (len(out) // 2) == pytest.approx(tone_hz, abs=3)


@pytest.mark.parametrize(("rate_hz", "tone_hz"), [(32000, 10000), (48000, 10000), (48000, 18000)])
def test_what_lies_above_does_not_fold_back(rate_hz: int, tone_hz: int) -> None:
    pcm = tone(tone_hz, rate_hz, 400)
    assert level_dbfs(heard(pcm, rate_hz)[640:]) < level_dbfs(pcm) - 45


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_blocks_have_no_seam(rate_hz: int) -> None:
    pcm = tone(440, rate_hz, 300)
    assert heard(pcm, rate_hz, 10) == heard(pcm, rate_hz, 300)


def test_the_loudest_sound_is_clipped_and_does_not_wrap() -> None:
    square = np.tile(np.repeat(np.array([32767, -32768], "<i2"), 100), 20).tobytes()
    out = np.frombuffer(heard(square, 48000), "<i2")[32:]
    steady = out[np.abs(np.diff(out.astype(int), prepend=out[0])) < 100]
    assert np.abs(steady.astype(int)).min() > 25000
