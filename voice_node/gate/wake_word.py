"""Wake words by microWakeWord: small neural networks that hear 16 kHz sound, 2 to 4 ms for each second of it and word.

https://github.com/kahrendt/microWakeWord; the library brings four models and runs others that are described by a JSON
file of that project beside their `.tflite`.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pymicro_wakeword import MicroWakeWord, MicroWakeWordFeatures, Model

from voice_node.audio.resample import Resampler
from voice_node.model.audio import Frame
from voice_node.model.errors import ConfigError

RATE_HZ = 16000
DEAF_S = 1.0
"""After a word: its tail would wake again."""


class MicroWakeWords:
    """Several words at once over one set of features. Raises ConfigError where a model cannot be used."""

    def __init__(self, words: Sequence[str]) -> None:
        self._models = [_load(word) for word in words]
        self._features = MicroWakeWordFeatures()
        self._resampler: Resampler | None = None
        self._rate_hz = 0
        self._deaf_ms = 0.0

    def hear(self, frame: Frame) -> str | None:
        """The name of the word that ended about now, None for none. Frames of any rate; a new rate begins anew."""
        if frame.rate_hz != self._rate_hz:
            self._rate_hz, self._resampler = frame.rate_hz, Resampler(frame.rate_hz, RATE_HZ)
        assert self._resampler is not None
        self._deaf_ms = max(0.0, self._deaf_ms - frame.duration_ms)
        heard: str | None = None
        for features in self._features.process_streaming(self._resampler.process(frame.pcm)):
            for name, model in self._models:
                if model.process_streaming(features) and not self._deaf_ms:
                    heard, self._deaf_ms = name, DEAF_S * 1000
        return heard


def _load(word: str) -> tuple[str, MicroWakeWord]:
    """A bundled name, or the path of a model's JSON file."""
    if word in {model.value for model in Model}:
        return word, MicroWakeWord.from_builtin(Model(word))
    path = Path(word).with_suffix(".json")
    place = f"activation.wake_word: {word}"
    try:
        network = path.parent / _network(json.loads(path.read_text(encoding="utf-8")))
        # The C library does not come back from a file that is none of its own: the mark of the format is looked at.
        with network.open("rb") as file:
            mark = file.read(8)[4:]
    except OSError as error:
        raise ConfigError(f"{place}: {Path(str(error.filename)).name} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise ConfigError(f"{place}: is not the description of a microWakeWord model") from None
    if mark != b"TFL3":
        raise ConfigError(f"{place}: {network.name} is no TensorFlow Lite model")
    return path.stem, MicroWakeWord.from_config(path)


def _network(described: dict[str, Any]) -> str:
    """The name of the network's file; raises where something is missing that the library takes for granted."""
    micro = described["micro"]
    values: list[tuple[Any, type]] = [
        (described["model"], str),
        (described["wake_word"], str),
        (float(micro["probability_cutoff"]), float),
        (micro["sliding_window_size"], int),
    ]
    if not all(isinstance(value, kind) for value, kind in values):
        raise TypeError
    return str(described["model"])
