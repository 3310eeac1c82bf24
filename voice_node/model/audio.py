"""Sound as values. All PCM in this program is mono, 16 bit, signed, little-endian."""

from dataclasses import dataclass, field

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
    at: float = field(default=0.0, compare=False)
    """When its last sample came in, in seconds of the process's steady clock; 0: not known, as in a recording."""

    @property
    def duration_ms(self) -> float:
        """Milliseconds of sound in this frame."""
        return pcm_ms(self.pcm, self.rate_hz)


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A frame without the node's own voice, once for each ear: same number, rate and length."""

    for_gate: Frame
    """Nothing of the node's voice is left, nor all of a voice over it."""
    for_wake: Frame
    """All of a voice over the node's is left, and a little of the node's own."""


@dataclass(frozen=True, slots=True)
class PlayedBlock:
    """A piece of sound that was handed to a loudspeaker: the reference of an echo canceller."""

    position: int
    """Of its first sample: samples of sound and silence since the device was opened, where it begins at 0 again."""
    pcm: bytes
    """Mono s16le, volume and all."""
    rate_hz: int
    at: float
    """When its first sample leaves the loudspeaker, in seconds of the process's steady clock: the driver's estimate."""


def pcm_ms(pcm: bytes, rate_hz: int) -> float:
    """Milliseconds that `pcm` (mono s16le) lasts at `rate_hz`."""
    return len(pcm) * 1000 / (BYTES_PER_SAMPLE * rate_hz)
