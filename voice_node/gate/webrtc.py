"""WebRTC's voice activity detector: cheap, and quick to take noise for speech."""

import webrtcvad

from voice_node.audio.listening import LISTENING_HZ, ListeningRate
from voice_node.model.audio import Frame


class WebrtcDetector:
    """A verdict for each frame. It adapts to what it hears: give it every frame of one source, in order."""

    def __init__(self, aggressiveness: int) -> None:
        """0 lets most through, 3 least."""
        self._vad = webrtcvad.Vad(aggressiveness)
        self._rate = ListeningRate(LISTENING_HZ)
        self._rate_hz = LISTENING_HZ

    def is_speech(self, frame: Frame) -> bool:
        """True where the frame sounds like speech. webrtcvad raises where it cannot take a length."""
        if frame.rate_hz != self._rate_hz:
            self._rate, self._rate_hz = ListeningRate(frame.rate_hz), frame.rate_hz
        return bool(self._vad.is_speech(self._rate.process(frame.pcm), LISTENING_HZ))
