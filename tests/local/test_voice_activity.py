import pytest

from tests.local.client import needs_espeak, needs_sox, utter
from voice_node.local.voice_activity import FRAME_BYTES, VoiceActivity


def share(sound: bytes, threshold: float) -> float:
    activity = VoiceActivity(threshold)
    frames = [sound[start : start + FRAME_BYTES] for start in range(0, len(sound) - FRAME_BYTES, FRAME_BYTES)]
    return sum(map(activity.is_voiced, frames)) / len(frames)


@needs_espeak
@needs_sox
@pytest.mark.parametrize("threshold", [0.0, 0.5, 1.0])
def test_speech_is_voiced_and_silence_is_not(threshold: float) -> None:
    assert share(utter("turn on the kitchen light", rate_hz=16000), threshold) > 0.5
    assert share(bytes(FRAME_BYTES * 50), threshold) == 0
