"""Is the microphone too loud? Samples at full scale are cut off, which nothing behind them can mend.

A second of sound is clipped when `LEAST_SAMPLES` of it stand at full scale, or would after the gain that follows: a
single one may be chance. Clipping persists when `PERSISTENT_S` of the last `WINDOW_S` seconds were clipped; it is over
when none of them was.
"""

from collections import deque

import numpy as np

LEAST_SAMPLES = 3
PERSISTENT_S = 5
WINDOW_S = 60

_FULL_SCALE = 32767


class ClippingMeter:
    """Counts over a stream of sound that is amplified by `gain_db` afterwards."""

    def __init__(self, gain_db: float = 0) -> None:
        self._limit = int(_FULL_SCALE / max(10 ** (gain_db / 20), 1))
        self.clipped_s = 0
        """Seconds that were clipped, from the start."""
        self.is_persistent = False
        self._seconds: deque[bool] = deque(maxlen=WINDOW_S)
        self._samples = 0
        self._at_full_scale = 0

    def hear(self, pcm: bytes, rate_hz: int) -> bool:
        """Take a block of mono s16le, of no more than a second; True: from now on clipping persists."""
        sound = np.frombuffer(pcm, "<i2")
        if not len(sound):
            return False
        limit = self._limit
        if sound.max() >= limit or sound.min() <= -limit:
            self._at_full_scale += int(np.count_nonzero((sound >= limit) | (sound <= -limit)))
        self._samples += len(sound)
        if self._samples < rate_hz:
            return False
        is_clipped = self._at_full_scale >= LEAST_SAMPLES
        self._samples = self._at_full_scale = 0
        self._seconds.append(is_clipped)
        self.clipped_s += is_clipped
        clipped = sum(self._seconds)
        has_become = clipped >= PERSISTENT_S and not self.is_persistent
        self.is_persistent = clipped >= PERSISTENT_S or (self.is_persistent and clipped > 0)
        return has_become
