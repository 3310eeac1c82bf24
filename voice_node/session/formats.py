"""The sound formats of the session: what is sent, and what comes back, as mono s16le inside the node."""

from voice_node.audio import g711
from voice_node.audio.resample import Resampler
from voice_node.model.audio import BYTES_PER_SAMPLE
from voice_node.session.setup import SESSION_RATE_HZ
from voice_node.settings.session import AudioFormat


class InputEncoder:
    """Writes what the microphone heard in the session's `input_format`. Keeps nothing between blocks."""

    def __init__(self, input_format: AudioFormat) -> None:
        self._format: AudioFormat = input_format
        self.rate_hz = SESSION_RATE_HZ if input_format == "pcm" else g711.RATE_HZ
        """What must come in."""

    @property
    def bytes_per_second(self) -> int:
        """Of what goes out."""
        return self.rate_hz * (BYTES_PER_SAMPLE if self._format == "pcm" else 1)

    def size(self, duration_ms: int) -> int:
        """Bytes of so much sound that goes out."""
        return self.bytes_per_second * duration_ms // 1000

    def encode(self, pcm: bytes) -> bytes:
        """Whole samples of mono s16le at `rate_hz`, as they are sent."""
        return pcm if self._format == "pcm" else g711.encode(pcm, self._format)


class OutputDecoder:
    """Reads the session's `output_format`, one reply at a time; what comes out is mono s16le at `SESSION_RATE_HZ`."""

    def __init__(self, output_format: AudioFormat) -> None:
        self._format: AudioFormat = output_format
        self._resampler = Resampler(SESSION_RATE_HZ if output_format == "pcm" else g711.RATE_HZ, SESSION_RATE_HZ)

    def decode(self, sound: bytes) -> bytes:
        """What is ready after this block of a reply; at G.711's rate a few ms stay inside."""
        return self._resampler.process(sound if self._format == "pcm" else g711.decode(sound, self._format))

    def flush(self) -> bytes:
        """The rest of the reply."""
        return self._resampler.flush()

    def reset(self) -> None:
        """Forget the reply: the next block begins another."""
        self._resampler.reset()
