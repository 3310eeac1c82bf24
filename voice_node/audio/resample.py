"""Mono PCM from one sample rate to another, block by block."""

import numpy as np
import soxr

from voice_node.model.audio import BYTES_PER_SAMPLE

_QUALITY = "LQ"
"""Flat to two thirds of the lower band edge (8 kHz of 24 kHz) and 80 dB down beyond it: above what 16 bits of speech
hold, at half the delay of soxr's better grades (20 ms instead of 40 when the rate is halved)."""
_INSTANT_QUALITY = "QQ"
"""Cubic interpolation: 0.1 ms of delay, and mirror images above the lower band edge that ears would hear."""


class Resampler:
    """A stream of mono s16le from `from_hz` to `to_hz`, without a seam between blocks.

    The end of a stream stays inside until `flush`; equal rates pass through untouched and at once.

    Args:
        is_instant: what goes in comes out at once, at less than the quality for ears.
    """

    def __init__(self, from_hz: int, to_hz: int, *, is_instant: bool = False) -> None:
        quality = _INSTANT_QUALITY if is_instant else _QUALITY
        self._stream = None if from_hz == to_hz else soxr.ResampleStream(from_hz, to_hz, 1, "int16", quality)
        self._half_sample = b""

    def process(self, pcm: bytes) -> bytes:
        """What is ready after this block, of any length; half a sample waits for its other half."""
        if self._half_sample or len(pcm) % BYTES_PER_SAMPLE:
            pcm = self._half_sample + pcm
            whole = len(pcm) - len(pcm) % BYTES_PER_SAMPLE
            pcm, self._half_sample = pcm[:whole], pcm[whole:]
        if self._stream is None or not pcm:
            return pcm
        out: bytes = self._stream.resample_chunk(np.frombuffer(pcm, np.int16)).tobytes()
        return out

    def flush(self) -> bytes:
        """The rest of the stream, so that as much comes out as went in; the next block begins a new stream."""
        self._half_sample = b""
        if self._stream is None:
            return b""
        rest: bytes = self._stream.resample_chunk(np.zeros(0, np.int16), last=True).tobytes()
        self._stream.clear()
        return rest

    def reset(self) -> None:
        """Forget what is inside, because what comes next does not continue it."""
        self._half_sample = b""
        if self._stream is not None:
            self._stream.clear()
