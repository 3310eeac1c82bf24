"""Is there a voice in this frame? webrtcvad at the recogniser's rate."""

import webrtcvad

from voice_node.local.sound_format import HEARD_HZ
from voice_node.local.turn_detection import FRAME_MS

FRAME_BYTES = 2 * HEARD_HZ * FRAME_MS // 1000


class VoiceActivity:
    """A higher `threshold` (0 to 1) makes the library stricter: its modes are 0 to 3."""

    def __init__(self, threshold: float) -> None:
        self._vad = webrtcvad.Vad(min(3, int(threshold * 4)))

    def is_voiced(self, frame: bytes) -> bool:
        """Mono s16le of `FRAME_BYTES`."""
        return bool(self._vad.is_speech(frame, HEARD_HZ))
