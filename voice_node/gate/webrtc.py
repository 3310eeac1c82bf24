"""WebRTC's voice activity detector, the only thing here that says what is speech."""

import webrtcvad

from voice_node.model.audio import Frame


class WebrtcDetector:
    """A verdict for each frame. It adapts to what it hears: give it every frame of one source, in order."""

    def __init__(self, aggressiveness: int) -> None:
        """0 lets most through, 3 least."""
        self._vad = webrtcvad.Vad(aggressiveness)

    def is_speech(self, frame: Frame) -> bool:
        """True where the frame sounds like speech. webrtcvad raises where it cannot take a length or rate."""
        return bool(self._vad.is_speech(frame.pcm, frame.rate_hz))
