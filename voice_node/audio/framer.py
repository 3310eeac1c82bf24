"""From blocks of a device or a file to frames that the gate takes: gain, high-pass, sample rate, length."""

import numpy as np

from voice_node.audio.high_pass import HighPass
from voice_node.audio.resample import Resampler
from voice_node.model.audio import BYTES_PER_SAMPLE

FRAME_RATES_HZ = (8000, 16000, 32000, 48000)
"""What webrtcvad takes."""


def frame_rate_hz(rate_hz: int) -> int:
    """The rate of the frames made from sound at `rate_hz`: the same where webrtcvad takes it, else the next above."""
    return next((rate for rate in FRAME_RATES_HZ if rate >= rate_hz), FRAME_RATES_HZ[-1])


class Framer:
    """Cuts a stream of mono s16le at `from_hz` into frames of `frame_ms` at `to_hz`.

    A block that already is one frame passes through as it is.
    """

    def __init__(
        self, from_hz: int, to_hz: int, gain_db: float, frame_ms: int, high_pass_hz: float | None = None
    ) -> None:
        self.from_hz = from_hz
        self.to_hz = to_hz
        self._gain = np.float32(10 ** (gain_db / 20))
        self._is_amplified = gain_db != 0
        self._frame_bytes = to_hz * frame_ms // 1000 * BYTES_PER_SAMPLE
        self._high_pass = None if high_pass_hz is None else HighPass(high_pass_hz, from_hz)
        self._resampler = Resampler(from_hz, to_hz)
        self._rest = b""

    def process(self, pcm: bytes) -> list[bytes]:
        """The frames that are whole after this block."""
        if self._is_amplified:
            pcm = self._amplify(pcm)
        if self._high_pass is not None:
            pcm = self._high_pass.process(pcm)
        return self._cut(self._resampler.process(pcm))

    def flush(self) -> list[bytes]:
        """The last frames of the stream, the very last one filled up with silence."""
        frames = self._cut(self._resampler.flush())
        if self._rest:
            frames.append(self._rest.ljust(self._frame_bytes, b"\0"))
            self._rest = b""
        return frames

    def reset(self) -> None:
        """Forget what is inside, because what comes next does not continue it."""
        if self._high_pass is not None:
            self._high_pass.reset()
        self._resampler.reset()
        self._rest = b""

    def _amplify(self, pcm: bytes) -> bytes:
        loud = np.frombuffer(pcm, np.int16) * self._gain
        out: bytes = np.clip(np.rint(loud), -32768, 32767).astype(np.int16).tobytes()
        return out

    def _cut(self, pcm: bytes) -> list[bytes]:
        size = self._frame_bytes
        if not self._rest and len(pcm) == size:
            return [pcm]
        pcm = self._rest + pcm
        whole = len(pcm) - len(pcm) % size
        self._rest = pcm[whole:]
        return [pcm[start : start + size] for start in range(0, whole, size)]
