"""Sound as values. All PCM in this program is mono, 16 bit, signed, little-endian."""

from dataclasses import dataclass

BYTES_PER_SAMPLE = 2


@dataclass(frozen=True, slots=True)
class Frame:
    """10, 20 or 30 ms of captured sound."""

    index: int
    """Running number since capture began; a gap means that the frames between were lost."""
    pcm: bytes
    """Mono s16le."""
    rate_hz: int
    """8000, 16000, 32000 or 48000: what webrtcvad takes."""

    @property
    def duration_ms(self) -> float:
        """Milliseconds of sound in this frame."""
        return pcm_ms(self.pcm, self.rate_hz)


def pcm_ms(pcm: bytes, rate_hz: int) -> float:
    """Milliseconds that `pcm` (mono s16le) lasts at `rate_hz`."""
    return len(pcm) * 1000 / (BYTES_PER_SAMPLE * rate_hz)
