"""Automatic gain: quiet voices leave as loud as others, and nothing is cut off.

The gate never hears it: it works on what was let through already, so thresholds and noise floor keep their meaning.

1. The voice's level is the loudest of the last seconds of sound that was let through: it follows a louder piece at once
   and falls by `FORGET_DB_PER_S`, so that pauses and the room's noise in them do not count for quiet speech.
2. The gain that is wanted brings this level to `TARGET_DBFS`, within 0 and `most_db`; it amplifies and never dampens.
3. The gain moves towards it by at most `RISE_DB_PER_S` and `FALL_DB_PER_S`. It is kept from one segment to the next:
   the same people speak in a room. Before the first there is nothing to start from: the first piece sets it.
4. A stretch that would reach full scale gets less gain, at once and for as long as it lasts.
"""

import math

import numpy as np

from voice_node.model.audio import BYTES_PER_SAMPLE

TARGET_DBFS = -20.0
"""Of the loudest stretches of speech, whose peaks lie about 12 dB above."""
MOST_DB = 24.0
FORGET_DB_PER_S = 2.0
RISE_DB_PER_S = 6.0
FALL_DB_PER_S = 20.0

_STRETCH_MS = 20
_QUIETEST_DBFS = -70.0
"""What lies below is no voice: it tells nothing."""
_HIGHEST = 32768 * 10 ** (-1 / 20)
"""1 dB below full scale."""

_Samples = np.ndarray[tuple[int], np.dtype[np.float32]]


class AutomaticGain:
    """For the segments of one room: mono s16le at `rate_hz`, in pieces of any length."""

    def __init__(self, rate_hz: int, most_db: float = MOST_DB) -> None:
        self._stretch = rate_hz * _STRETCH_MS // 1000
        self._most_db = most_db
        self._voice_dbfs: float | None = None
        """None: nobody spoke yet."""
        self._wanted_db = 0.0
        self.gain_db = 0.0
        self._factor = 1.0
        """That the last sample got."""

    def process(self, pcm: bytes) -> bytes:
        """As many bytes as came in."""
        sound = np.frombuffer(pcm, "<i2").astype(np.float32)
        if not len(sound):
            return pcm
        is_first = self._voice_dbfs is None
        stretches = [sound[start : start + self._stretch] for start in range(0, len(sound), self._stretch)]
        for stretch in stretches if is_first else ():
            self._listen(stretch)
        if is_first:
            self.gain_db = self._wanted_db
            self._factor = _factor(self.gain_db)
        out = []
        for stretch in stretches:
            if not is_first:
                self._listen(stretch)
            out.append(self._amplify(stretch))
        loud: bytes = np.rint(np.concatenate(out)).astype("<i2").tobytes()
        assert len(loud) == len(sound) * BYTES_PER_SAMPLE
        return loud

    def _listen(self, stretch: _Samples) -> None:
        """Follow the voice's level."""
        seconds = len(stretch) / self._stretch * _STRETCH_MS / 1000
        power = float(stretch.dot(stretch)) / len(stretch) / 32768**2
        level = max(10 * math.log10(power), _QUIETEST_DBFS) if power > 0 else _QUIETEST_DBFS
        if self._voice_dbfs is None:
            if level > _QUIETEST_DBFS:
                self._voice_dbfs = level
        else:
            self._voice_dbfs = max(level, self._voice_dbfs - FORGET_DB_PER_S * seconds)
        if self._voice_dbfs is not None:
            self._wanted_db = min(max(TARGET_DBFS - self._voice_dbfs, 0.0), self._most_db)

    def _amplify(self, stretch: _Samples) -> _Samples:
        seconds = len(stretch) / self._stretch * _STRETCH_MS / 1000
        step = self._wanted_db - self.gain_db
        self.gain_db += min(max(step, -FALL_DB_PER_S * seconds), RISE_DB_PER_S * seconds)
        highest = float(np.abs(stretch).max())
        most = _HIGHEST / highest if highest > 0 else math.inf
        begin, end = min(self._factor, max(most, 1.0)), min(_factor(self.gain_db), max(most, 1.0))
        self._factor = end
        if begin == end:
            return stretch * np.float32(end)
        return stretch * np.linspace(begin, end, len(stretch), dtype=np.float32)


def _factor(gain_db: float) -> float:
    return float(10 ** (gain_db / 20))
