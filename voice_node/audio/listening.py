"""What judges sound hears 16 kHz, whatever the microphone's rate: at 48 kHz webrtcvad costs eight times as much.

What is streamed does not come through here: `resample` serves that, at a grade that people hear.
"""

import math
from typing import Any

import numpy as np

LISTENING_HZ = 16000

_BLOCK_MS = 1
_PASSED_HZ = 7000
"""-6 dB here. What lies above 8 kHz folds back into where no detector looks for speech."""
_ZEROS = 5
"""Zero crossings of the filter on each side: 0.4 ms of delay, 45 dB down half an octave above the edge."""
_SAMPLE = np.dtype("<i2")

_Floats = np.ndarray[Any, np.dtype[np.float32]]


class ListeningRate:
    """A stream of mono s16le from `rate_hz` (8000, 16000, 32000 or 48000) to `LISTENING_HZ`.

    As much sound comes out of each block as went in, so a frame stays a frame. 16 kHz pass through untouched.
    """

    def __init__(self, rate_hz: int) -> None:
        self._is_through = rate_hz == LISTENING_HZ
        self._step = rate_hz * _BLOCK_MS // 1000
        self._filter = _filter(rate_hz)
        self._reach = len(self._filter) - self._step
        self._make_room(np.zeros(self._reach, np.float32), 0)

    def process(self, pcm: bytes) -> bytes:
        """The block at the other rate; it holds whole milliseconds."""
        if self._is_through:
            return pcm
        block = np.frombuffer(pcm, _SAMPLE)
        history = self._inside[-self._reach :]
        if len(block) + self._reach != len(self._inside):
            self._make_room(history, len(block))
        else:
            self._inside[: self._reach] = history
        self._inside[self._reach :] = block
        np.matmul(self._pieces, self._filter, out=self._outside)
        self._outside.clip(-32768, 32767, out=self._outside)
        out: bytes = self._outside.astype(_SAMPLE).tobytes()
        return out

    def _make_room(self, history: _Floats, length: int) -> None:
        """For blocks of `length` samples: what is made once costs nothing in each of fifty frames a second."""
        self._inside = np.concatenate((history, np.zeros(length, np.float32)))
        width = self._inside.itemsize
        self._pieces = np.lib.stride_tricks.as_strided(  # one row a millisecond, each with the history that it needs
            self._inside,
            shape=(length // self._step, len(self._filter)),
            strides=(width * self._step, width),
        )
        self._outside = np.empty((length // self._step, self._filter.shape[1]), np.float32)


def _filter(rate_hz: int) -> "np.ndarray[tuple[int, int], np.dtype[np.float32]]":
    """A windowed sinc for each sample that comes out of one millisecond: its column, over all that goes in."""
    cutoff_hz = min(_PASSED_HZ, _PASSED_HZ / LISTENING_HZ * rate_hz)
    reach = math.ceil(_ZEROS * rate_hz / (2 * cutoff_hz))
    inside = np.arange(rate_hz * _BLOCK_MS // 1000 + 2 * reach)
    outside = reach + np.arange(LISTENING_HZ * _BLOCK_MS // 1000) * rate_hz / LISTENING_HZ
    distance = inside[:, None] - outside[None, :]
    window = np.where(np.abs(distance) <= reach, 0.54 + 0.46 * np.cos(np.pi * distance / reach), 0)
    taps = np.sinc(2 * cutoff_hz / rate_hz * distance) * window
    even: np.ndarray[tuple[int, int], np.dtype[np.float32]] = (taps / taps.sum(axis=0)).astype(np.float32)
    return even
