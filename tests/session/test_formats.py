"""Sound in the session's formats."""

import numpy as np
import pytest

from voice_node.session.formats import InputEncoder, OutputDecoder
from voice_node.settings.session import AudioFormat


def tone(rate_hz: int, seconds: float = 0.5) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    times = np.arange(int(rate_hz * seconds)) / rate_hz
    sound: np.ndarray[tuple[int], np.dtype[np.int16]] = (8000 * np.sin(2 * np.pi * 440 * times)).astype("<i2")
    return sound


def loudest_hz(pcm: bytes, rate_hz: int) -> float:
    sound = np.frombuffer(pcm, "<i2").astype(float)
    return float(np.abs(np.fft.rfft(sound * np.hanning(len(sound)))).argmax() * rate_hz / len(sound))


@pytest.mark.parametrize(("input_format", "rate_hz", "bytes_per_second"), [("pcm", 24000, 48000), ("pcmu", 8000, 8000)])
def test_what_is_sent(input_format: AudioFormat, rate_hz: int, bytes_per_second: int) -> None:
    encoder = InputEncoder(input_format)
    assert (encoder.rate_hz, encoder.bytes_per_second) == (rate_hz, bytes_per_second)
    assert len(encoder.encode(tone(rate_hz).tobytes())) == bytes_per_second // 2


@pytest.mark.parametrize("sound_format", ["pcm", "pcmu", "pcma"])
def test_what_is_sent_comes_back_at_the_rate_of_the_session(sound_format: AudioFormat) -> None:
    encoder, decoder = InputEncoder(sound_format), OutputDecoder(sound_format)
    sent = encoder.encode(tone(encoder.rate_hz).tobytes())
    blocks = [sent[start : start + 777] for start in range(0, len(sent), 777)]
    heard = b"".join(map(decoder.decode, blocks)) + decoder.flush()
    assert abs(len(heard) - 24000) <= 60, "half a second"
    assert abs(loudest_hz(heard, 24000) - 440) < 3
    peak = np.abs(np.frombuffer(heard, "<i2").astype(int)).max()
    assert 7600 < peak < 8500


def test_the_rest_of_a_reply_that_was_given_up_is_not_heard_in_the_next() -> None:
    decoder = OutputDecoder("pcmu")
    decoder.decode(InputEncoder("pcmu").encode(tone(8000).tobytes()))
    decoder.reset()
    silence = decoder.decode(b"\xff" * 800) + decoder.flush()
    assert np.abs(np.frombuffer(silence, "<i2")).max() <= 1
