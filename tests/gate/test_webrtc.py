"""The detector and the gate together, on speech that espeak-ng speaks into noise that sox makes."""

import shutil
import subprocess
from itertools import count
from pathlib import Path

import pytest

from voice_node.gate.gate import Gate
from voice_node.gate.webrtc import WebrtcDetector
from voice_node.model.audio import Frame
from voice_node.model.speech import Speech, SpeechEnded
from voice_node.settings.schema import GateSettings

needs_speech = pytest.mark.skipif(
    not (shutil.which("espeak-ng") and shutil.which("sox")), reason="espeak-ng and sox make the recordings"
)


def sox(*arguments: str | Path) -> bytes:
    return subprocess.run(["sox", "-R", *map(str, arguments)], capture_output=True, check=True).stdout


def in_noise(directory: Path, rate_hz: int) -> tuple[bytes, int, int]:
    """Pink noise with a sentence from 3 s on: the PCM, and where the sentence begins and ends in milliseconds."""
    spoken, speech, noise = (directory / f"{name}.wav" for name in ("spoken", "speech", "noise"))
    subprocess.run(["espeak-ng", "-w", spoken, "Turn on the light in the kitchen, please."], check=True)
    rate = str(rate_hz)
    sox(spoken, "-r", rate, "-b", "16", "-c", "1", speech, "norm", "-12", "silence", "1", "0.01", "1%", "reverse",
        "silence", "1", "0.01", "1%", "reverse")  # fmt: skip
    length_ms = (speech.stat().st_size - 44) * 1000 // (2 * rate_hz)
    seconds = str(6 + length_ms / 1000)
    sox("-n", "-r", rate, "-b", "16", "-c", "1", noise, "synth", seconds, "pinknoise", "norm", "-40")
    raw = ("-t", "raw", "-e", "signed", "-b", "16", "-")
    return sox("-m", "-v", "1", noise, "-v", "1", f"|sox {speech} -p pad 3 3", *raw), 3000, 3000 + length_ms


@needs_speech
@pytest.mark.parametrize("rate_hz", [8000, 16000, 32000, 48000])
@pytest.mark.parametrize("frame_ms", [10, 20, 30])
def test_a_sentence_in_noise_is_one_segment(tmp_path: Path, rate_hz: int, frame_ms: int) -> None:
    pcm, start_ms, end_ms = in_noise(tmp_path, rate_hz)
    settings = GateSettings.model_validate({"frame_ms": frame_ms})
    detector = WebrtcDetector(settings.aggressiveness)
    numbers = count()
    gate = Gate(settings, lambda: str(next(numbers)))
    length = 2 * rate_hz * frame_ms // 1000
    said: list[Speech] = []
    for index in range(len(pcm) // length):
        frame = Frame(index, pcm[index * length : (index + 1) * length], rate_hz)
        said += gate.hear(frame, detector.is_speech(frame))
    said += gate.end()
    (segment,) = (speech for speech in said if isinstance(speech, SpeechEnded) and speech.is_kept)
    assert start_ms - 600 <= segment.start_ms <= start_ms + 20
    assert end_ms - 50 <= segment.end_ms <= end_ms + 600
    assert segment.snr_db > 10


@pytest.mark.parametrize("rate_hz", [8000, 16000, 32000, 48000])
def test_silence_is_no_speech(rate_hz: int) -> None:
    detector = WebrtcDetector(3)
    assert not any(detector.is_speech(Frame(index, bytes(rate_hz // 25), rate_hz)) for index in range(50))


def test_a_frame_of_another_length_is_refused() -> None:
    with pytest.raises(Exception, match="processing frame"):
        WebrtcDetector(3).is_speech(Frame(0, bytes(100), 16000))
