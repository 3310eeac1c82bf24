"""Wake words in synthetic speech: the real models hear them, and words that are none wake nobody."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pymicro_wakeword", reason="the extra `wake` is not installed")

from pymicro_wakeword import Model
from pymicro_wakeword.microwakeword import _MODELS_DIR

from voice_node.gate.wake_word import MicroWakeWords
from voice_node.model.audio import Frame
from voice_node.model.errors import ConfigError
from voice_node.settings.schema import BUNDLED_WAKE_WORDS

needs_a_voice = pytest.mark.skipif(not shutil.which("espeak-ng") or not shutil.which("sox"), reason="no espeak-ng, sox")


def spoken(text: str, rate_hz: int = 16000) -> bytes:
    """With a second of silence before and after: the models want to hear where they are."""
    wav = subprocess.run(
        ["espeak-ng", "-v", "en-gb", "-s", "130", "--stdout", text], capture_output=True, check=True
    ).stdout
    command = f"sox -q -D -t wav - -r {rate_hz} -b 16 -c 1 -t raw -"
    raw = subprocess.run(command.split(), input=wav, capture_output=True, check=True).stdout
    hiss = np.random.default_rng(1).normal(0, 10, rate_hz).astype("<i2").tobytes()
    return hiss + raw + hiss


def heard(words: MicroWakeWords, pcm: bytes, rate_hz: int = 16000) -> list[str]:
    size = rate_hz // 50 * 2
    frames = [Frame(at // size, pcm[at : at + size], rate_hz) for at in range(0, len(pcm) - size + 1, size)]
    return [word for frame in frames if (word := words.hear(frame)) is not None]


def test_the_bundled_names_are_those_of_the_library() -> None:
    assert sorted(BUNDLED_WAKE_WORDS) == sorted(model.value for model in Model)


@needs_a_voice
@pytest.mark.parametrize("rate_hz", [16000, 48000])
def test_a_word_is_heard_once_and_other_words_are_not(rate_hz: int) -> None:
    words = MicroWakeWords(["alexa"])
    assert heard(words, spoken("alexa, turn on the light", rate_hz), rate_hz) == ["alexa"]
    assert heard(words, spoken("the kitchen is a nice and quiet room today", rate_hz), rate_hz) == []


@needs_a_voice
def test_several_words_are_told_apart() -> None:
    words = MicroWakeWords(["okay_nabu", "alexa"])
    assert heard(words, spoken("alexa") + spoken("okay nabu")) == ["alexa", "okay_nabu"]


@needs_a_voice
def test_a_model_of_ones_own_is_named_by_its_file(tmp_path: Path) -> None:
    described = json.loads((_MODELS_DIR / "alexa.json").read_text())
    shutil.copy(_MODELS_DIR / "alexa.tflite", tmp_path / "mine.tflite")
    (tmp_path / "house.json").write_text(json.dumps({**described, "model": "mine.tflite"}))
    assert heard(MicroWakeWords([str(tmp_path / "house.json")]), spoken("alexa")) == ["house"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, r"house\.json cannot be read: No such file"),
        ("{", "is not the description"),
        ("[]", "is not the description"),
        ('{"model": "x.tflite"}', "is not the description"),
        ('{"model": 1, "wake_word": "a", "micro": {"probability_cutoff": 1, "sliding_window_size": 5}}', "is not the"),
        (
            '{"model": "x.tflite", "wake_word": "a", "micro": {"probability_cutoff": 1, "sliding_window_size": 5}}',
            r"x\.tflite is no TensorFlow Lite model",
        ),
        (
            '{"model": "y.tflite", "wake_word": "a", "micro": {"probability_cutoff": 1, "sliding_window_size": 5}}',
            r"y\.tflite cannot be read",
        ),
    ],
)
def test_what_is_no_model_is_an_error_of_the_room_file(tmp_path: Path, text: str | None, problem: str) -> None:
    (tmp_path / "x.tflite").write_bytes(b"not a network at all")
    if text is not None:
        (tmp_path / "house.json").write_text(text)
    with pytest.raises(ConfigError, match=problem):
        MicroWakeWords([str(tmp_path / "house.json")])
