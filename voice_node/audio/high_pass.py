"""Takes away what lies below speech: hum, rumble, wind.

It stands before the gate and everything behind it, so that the noise floor and the voice are measured on the same
sound: `gate.min_snr_db` means what it meant, only that rumble no longer counts as noise or as speech.
"""

import math
from typing import Any

import numpy as np

_STAGES = 2
_EXACT = 1e6
"""By how much the powers in one stretch may differ: 64-bit floats still hold 16 bits of sound many times over."""

_Samples = np.ndarray[Any, np.dtype[np.floating[Any]]]


class HighPass:
    """Two filters of first order in a row: half the power at `corner_hz`, 12 dB an octave below it, no ringing.

    Each is y[n] = a y[n-1] + g (x[n] - x[n-1]), by the bilinear transform. The sum over a stretch is one `cumsum` of
    samples divided by a power of a, which costs a fraction of a millisecond for a second of sound.
    """

    def __init__(self, corner_hz: float, rate_hz: int) -> None:
        stage_hz = corner_hz * math.sqrt(2 ** (1 / _STAGES) - 1)
        k = math.tan(math.pi * stage_hz / rate_hz)
        self._pole = (1 - k) / (1 + k)
        self._factor = 1 / (1 + k)
        self._stretch = max(1, int(math.log(_EXACT) / -math.log(self._pole)))
        self._powers: _Samples = self._pole ** np.arange(self._stretch + 1)
        self._before = [0.0] * _STAGES
        self._out = [0.0] * _STAGES

    def process(self, pcm: bytes) -> bytes:
        """As many samples as came in (mono s16le, whole samples)."""
        sound: _Samples = np.frombuffer(pcm, "<i2").astype(np.float64)
        if not len(sound):
            return pcm
        for stage in range(_STAGES):
            sound = self._filter(stage, sound)
        out: bytes = np.clip(np.rint(sound), -32768, 32767).astype("<i2").tobytes()
        return out

    def reset(self) -> None:
        """Forget what is inside, because what comes next does not continue it."""
        self._before = [0.0] * _STAGES
        self._out = [0.0] * _STAGES

    def _filter(self, stage: int, sound: _Samples) -> _Samples:
        steps = self._factor * np.diff(sound, prepend=self._before[stage])
        self._before[stage] = float(sound[-1])
        out = np.empty_like(sound)
        last = self._out[stage]
        for start in range(0, len(sound), self._stretch):
            part = steps[start : start + self._stretch]
            powers = self._powers[1 : len(part) + 1]
            out[start : start + len(part)] = (np.cumsum(part / powers) + last) * powers
            last = float(out[start + len(part) - 1])
        self._out[stage] = last
        return out
