"""Tones that stand and tones that glide, alone and over a hum."""

import numpy as np
import pytest

from voice_node.gate.tonality import CHUNK_SAMPLES, Tonality

RATE_HZ = 16000
Samples = np.ndarray[tuple[int], np.dtype[np.float32]]


def partials(pitch_hz: "Samples") -> "Samples":
    phase = 2 * np.pi * np.cumsum(pitch_hz) / RATE_HZ
    return np.asarray(sum(np.sin(k * phase) / k for k in range(1, 12)) * 3000, np.float32)


def notes(seconds: float) -> "Samples":
    """A melody: a new pitch every 0.4 s."""
    scale = np.array([196, 247, 294, 330, 392, 262, 220, 349])
    at = np.arange(int(seconds * RATE_HZ)) // (RATE_HZ * 2 // 5) % len(scale)
    return partials(scale[at].astype(np.float32))


def glide(seconds: float) -> "Samples":
    """A pitch that never stands, as a voice's."""
    time_s = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    return partials((150 + 50 * np.sin(2 * np.pi * 1.7 * time_s)).astype(np.float32))


def noise(seconds: float, amplitude: float = 100) -> "Samples":
    return np.random.default_rng(3).normal(0, amplitude, int(seconds * RATE_HZ)).astype(np.float32)


def measured(samples: "Samples") -> list[float]:
    tonality = Tonality()
    starts = range(0, len(samples) - CHUNK_SAMPLES + 1, CHUNK_SAMPLES)
    return [tonality.hear(samples[at : at + CHUNK_SAMPLES]) for at in starts]


def test_a_melody_stands_a_voice_glides_and_noise_is_neither() -> None:
    melody = measured(notes(3) + noise(3))[15:]
    assert np.median(melody) > 0.45
    assert max(measured(glide(3) + noise(3))[15:]) < 0.45
    assert max(measured(noise(3))[15:]) < 0.45


@pytest.mark.parametrize("hum_hz", [100, 237])
def test_a_hum_that_was_there_before_does_not_count(hum_hz: int) -> None:
    hum = partials(np.full(6 * RATE_HZ, hum_hz, np.float32))
    voice = np.concatenate((np.zeros(3 * RATE_HZ, np.float32), glide(3)))
    assert max(measured(hum + voice + noise(6))[3 * 32 + 15 :]) < 0.45


def test_what_is_not_known_yet_is_no_tone() -> None:
    tonality = Tonality()
    melody = notes(1) + noise(1)
    values = [tonality.hear(melody[at : at + CHUNK_SAMPLES]) for at in range(0, 8 * CHUNK_SAMPLES, CHUNK_SAMPLES)]
    assert values[:4] == [0, 0, 0, 0]
    tonality.forget()
    assert tonality.hear(melody[:CHUNK_SAMPLES]) == 0


def test_digital_silence_is_no_tone() -> None:
    assert measured(np.zeros(RATE_HZ, np.float32)) == [0] * 31
