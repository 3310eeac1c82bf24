"""What a client has appended and not committed, as mono s16le at 16 kHz, on the clock of all that was ever appended.

At most `LONGEST_S` of sound is held. Who ends the turns says what happens beyond that: a client that commits is refused
(`has_room`), and where the server listens for the end of speech the oldest is forgotten.
"""

from voice_node.local.refusal import Refused
from voice_node.local.sound_format import HEARD_HZ

LONGEST_S = 120
BYTES_PER_MS = 2 * HEARD_HZ // 1000
_LONGEST = LONGEST_S * 1000 * BYTES_PER_MS
_LEAST_MS = 100


class SoundBuffer:
    """Times are in milliseconds since the session's first sound."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._forgotten = 0

    @property
    def start_ms(self) -> int:
        """Where what is held begins."""
        return self._forgotten // BYTES_PER_MS

    @property
    def end_ms(self) -> int:
        """Where it ends: all that was appended."""
        return (self._forgotten + len(self._held)) // BYTES_PER_MS

    @property
    def duration_ms(self) -> float:
        """What is held."""
        return len(self._held) / BYTES_PER_MS

    def has_room(self, pcm: bytes) -> bool:
        """Whether so much more may be held."""
        return len(self._held) + len(pcm) <= _LONGEST

    def append(self, pcm: bytes) -> None:
        """What was said next."""
        self._held += pcm
        self._drop(len(self._held) - _LONGEST)

    def clear(self) -> None:
        """Forget what is held."""
        self._drop(len(self._held))

    def forget_before(self, start_ms: int) -> None:
        """Forget what is older."""
        self._drop(start_ms * BYTES_PER_MS - self._forgotten)

    def take(self) -> bytes:
        """What is held; then nothing is. Raises Refused below 100 ms."""
        if self.duration_ms < _LEAST_MS:
            raise Refused(
                "input_audio_buffer_commit_empty",
                "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, but buffer "
                f"only has {self.duration_ms:.2f}ms of audio.",
            )
        return self.take_until(self.end_ms + 1)

    def take_until(self, end_ms: int) -> bytes:
        """What is held up to there; the rest stays."""
        taken = bytes(self._held[: max(0, end_ms * BYTES_PER_MS - self._forgotten)])
        self._drop(len(taken))
        return taken

    def _drop(self, count: int) -> None:
        count = min(max(0, count), len(self._held))
        del self._held[:count]
        self._forgotten += count
