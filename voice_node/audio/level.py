"""How loud a piece of sound is."""

import math

import numpy as np

SILENCE_DBFS = -96.0
"""The lowest level that is told: digital silence, and all that lies below the last of 16 bits."""

_FULL_SCALE_POWER = 32768.0**2


def level_dbfs(pcm: bytes) -> float:
    """The level of `pcm` (mono s16le) in dB below full scale, never under `SILENCE_DBFS`.

    It is the RMS about the mean, so a sound card's constant offset does not count as sound. A full-scale square
    wave is 0 dBFS, a full-scale sine -3.
    """
    count = len(pcm) // 2
    if count == 0:
        return SILENCE_DBFS
    samples = np.frombuffer(pcm, "<i2").astype(np.float32)
    mean = float(samples.sum()) / count
    power = (float(samples.dot(samples)) / count - mean * mean) / _FULL_SCALE_POWER
    return max(10 * math.log10(power), SILENCE_DBFS) if power > 0 else SILENCE_DBFS
