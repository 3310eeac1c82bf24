"""Sound as it is on the wire: base64 of `audio/pcm` (s16le at 24 kHz), `audio/pcmu`, `audio/pcma` (G.711 at 8 kHz)."""

import base64
import binascii

from voice_node.audio import g711
from voice_node.audio.resample import Resampler
from voice_node.local.refusal import Refused

PCM = "audio/pcm"
HEARD_HZ = 16000
"""What the recogniser takes."""
PCM_HZ = 24000
_LAWS: dict[str, g711.Law] = {"audio/pcmu": "pcmu", "audio/pcma": "pcma"}
_MOST_EVENT_BYTES = 15 * 1024 * 1024


class SoundReader:
    """A stream from a client: base64 in, mono s16le at 16 kHz out."""

    def __init__(self, kind: str = PCM) -> None:
        self.kind = kind
        self._resampler = Resampler(PCM_HZ if kind == PCM else g711.RATE_HZ, HEARD_HZ)

    def read(self, audio: object, param: str = "audio") -> bytes:
        """What is ready after this piece. Raises Refused, and then nothing was taken."""
        sound = _decode(audio, param)
        if self.kind != PCM:
            return self._resampler.process(g711.decode(sound, _LAWS[self.kind]))
        if len(sound) % 2:
            raise Refused("invalid_value", f"Invalid '{param}': 16-bit samples come in pairs of bytes.", param)
        return self._resampler.process(sound)

    def finish(self) -> bytes:
        """The rest; what comes next does not continue it."""
        return self._resampler.flush()

    def reset(self) -> None:
        """Forget the rest."""
        self._resampler.reset()


class SoundWriter:
    """A stream to a client: mono s16le at 24 kHz in, bytes as they are on the wire out."""

    def __init__(self, kind: str = PCM) -> None:
        self.kind = kind
        self._resampler = Resampler(PCM_HZ, PCM_HZ if kind == PCM else g711.RATE_HZ)

    def write(self, pcm: bytes) -> bytes:
        """What is ready after this piece."""
        return self._encode(self._resampler.process(pcm))

    def finish(self) -> bytes:
        """The rest."""
        return self._encode(self._resampler.flush())

    def _encode(self, pcm: bytes) -> bytes:
        return pcm if self.kind == PCM else g711.encode(pcm, _LAWS[self.kind])


def _decode(audio: object, param: str) -> bytes:
    if audio is None:
        raise Refused("missing_required_parameter", f"Missing required parameter: '{param}'.", param)
    if not isinstance(audio, str):
        raise Refused("invalid_type", f"Expected base64 of sound for '{param}'.", param)
    if len(audio) * 3 // 4 > _MOST_EVENT_BYTES:
        raise Refused("string_above_max_length", f"'{param}' holds more than 15 MiB of sound.", param)
    try:
        return base64.b64decode(audio, validate=True)
    except (binascii.Error, ValueError):
        raise Refused("invalid_value", f"Invalid '{param}': expected base64.", param) from None
