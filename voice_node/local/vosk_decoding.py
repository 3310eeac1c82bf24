"""What is said in a piece of sound, by vosk with a model that the user chose. Needs vosk; runs in the worker only.

A small model hears the words of the grammar and nothing else, and says `[unk]` for other speech; a large one hears any
words. Either way, whether words are a sentence is for the templates to say; here only the words' confidence counts.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from vosk import KaldiRecognizer, Model, SetLogLevel

from voice_node.local.grammar import Grammar

RATE_HZ = 16000
_UNKNOWN = "[unk]"
_SURE, _DOUBT = 0.75, 0.5
"""Of the least sure word: obeyed at once, and read back."""


@dataclass(frozen=True, slots=True)
class VoskDecoding:
    """What was heard."""

    text: str
    is_command: bool
    is_doubtful: bool = False
    """It was heard badly."""


class VoskDecoder:
    """A model in memory. Raises FileNotFoundError where the folder holds none."""

    is_large = False
    """There is nothing that it could do without."""

    def __init__(self, grammar: Grammar, folder: Path) -> None:
        if not any((folder / place).is_file() for place in ("am/final.mdl", "final.mdl")):
            raise FileNotFoundError(f"{folder} holds no model")
        SetLogLevel(-1)
        self.problems: tuple[str, ...] = ()
        words = [" ".join(grammar.words()), _UNKNOWN]
        self._recogniser = KaldiRecognizer(Model(str(folder)), RATE_HZ, json.dumps(words))
        self._recogniser.SetWords(True)

    def shrink(self) -> None:
        """Nothing."""

    def decode(self, pcm: bytes) -> VoskDecoding:
        """Mono s16le at 16 kHz, whole."""
        self._recogniser.AcceptWaveform(pcm)
        return read_result(self._recogniser.FinalResult())


def read_result(text: str) -> VoskDecoding:
    """vosk's JSON: the words, and how sure each is."""
    result = json.loads(text)
    words = [word for word in str(result.get("text", "")).split() if word != _UNKNOWN]
    sure = min((float(word.get("conf", 1)) for word in result.get("result", [])), default=1.0)
    is_whole = bool(words) and _UNKNOWN not in str(result.get("text", ""))
    return VoskDecoding(" ".join(words), is_whole and sure >= _DOUBT, is_whole and _DOUBT <= sure < _SURE)
