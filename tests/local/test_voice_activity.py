import numpy as np
import pytest

from tests.local.client import needs_espeak, needs_sox, utter
from voice_node.local.session import default_session
from voice_node.local.turn_detection import TurnDetector, turns_of
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


def test_the_noise_of_a_room_begins_no_turn() -> None:
    """A minute of white noise at -45 dBFS."""
    noise = np.random.default_rng(1).normal(size=16000 * 60) * 32768 * 10 ** (-45 / 20)
    pcm = noise.astype("<i2").tobytes()
    turns = turns_of(default_session("", "realtime", "m")["audio"]["input"]["turn_detection"])
    assert turns is not None
    detector, activity = TurnDetector(turns, 0), VoiceActivity(turns.threshold)
    frames = [pcm[start : start + FRAME_BYTES] for start in range(0, len(pcm), FRAME_BYTES)]
    assert [edge for frame in frames if (edge := detector.step(activity.is_voiced(frame)))] == []
