"""What a client has appended and not committed, at the recogniser's rate.

At most `LONGEST_S` of sound is held; an append beyond that is refused whole, and what is held stays.
"""

import base64
import binascii

from voice_node.audio import g711
from voice_node.audio.resample import Resampler
from voice_node.local.refusal import Refused

PCM = "audio/pcm"
_LAWS: dict[str, g711.Law] = {"audio/pcmu": "pcmu", "audio/pcma": "pcma"}
HEARD_HZ = 16000
LONGEST_S = 120
_MOST_EVENT_BYTES = 15 * 1024 * 1024
_LEAST_MS = 100


class SoundBuffer:
    """Takes `audio/pcm` (s16le at 24 kHz), `audio/pcmu` or `audio/pcma` (G.711 at 8 kHz); gives s16le at 16 kHz."""

    def __init__(self, kind: str = PCM) -> None:
        self.kind = kind
        self._rate_hz = 24000 if kind == PCM else g711.RATE_HZ
        self._bytes_per_ms = self._rate_hz / (500 if kind == PCM else 1000)
        self.clear()

    @property
    def duration_ms(self) -> float:
        """What is held."""
        return self._bytes / self._bytes_per_ms

    def append(self, audio: object, param: str = "audio") -> None:
        """Base64 of sound. Raises Refused."""
        sound = _decode(audio, param)
        if self.kind == PCM and len(sound) % 2:
            raise Refused("invalid_value", f"Invalid '{param}': 16-bit samples come in pairs of bytes.", param)
        if self.duration_ms + len(sound) / self._bytes_per_ms > LONGEST_S * 1000:
            message = f"The input audio buffer holds at most {LONGEST_S} s: commit or clear it."
            raise Refused("input_audio_buffer_full", message, param)
        self._bytes += len(sound)
        self._heard += self._resampler.process(sound if self.kind == PCM else g711.decode(sound, _LAWS[self.kind]))

    def clear(self) -> None:
        """Forget what is held."""
        self._heard = bytearray()
        self._resampler = Resampler(self._rate_hz, HEARD_HZ)
        self._bytes = 0

    def take(self) -> bytes:
        """What is held, as mono s16le at 16 kHz; then nothing is held. Raises Refused below 100 ms."""
        if self.duration_ms < _LEAST_MS:
            raise Refused(
                "input_audio_buffer_commit_empty",
                "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, but buffer "
                f"only has {self.duration_ms:.2f}ms of audio.",
            )
        self._heard += self._resampler.flush()
        heard = bytes(self._heard)
        self.clear()
        return heard


def _decode(audio: object, param: str) -> bytes:
    if not isinstance(audio, str):
        raise Refused("invalid_type", f"Expected base64 of sound for '{param}'.", param)
    if len(audio) * 3 // 4 > _MOST_EVENT_BYTES:
        raise Refused("string_above_max_length", f"'{param}' holds more than 15 MiB of sound.", param)
    try:
        return base64.b64decode(audio, validate=True)
    except (binascii.Error, ValueError):
        raise Refused("invalid_value", f"Invalid '{param}': expected base64.", param) from None
