"""What is said in a piece of sound: a command of the grammar, or not. Needs pocketsphinx; runs in the worker only.

A grammar alone accepts almost any speech, so each decode is judged against a second one by free phones:

- the gain: the grammar's log-likelihood less that of the free phones, for each frame. A command loses little by being
  held to the grammar, other speech loses much.
- the distance: phones to change to get from the grammar's words to the free phones, as a part of the longer of both.
  Three changes are taken for granted, so that a word of three phones proves little.

Noise 25 dB below the speech is laid over everything: models made of real rooms hear digital silence badly (88 to 96 %
of commands right).

What is refused is decoded once more by the English language model, so that a person can see what was heard.
"""

import itertools
import math
import random
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from pocketsphinx import Config, Decoder, get_model_path

from voice_node.local.grammar import Grammar

RATE_HZ = 16000
_PADDING = (0,) * (RATE_HZ * 3 // 10)
"""300 ms of silence on either side: commands are cut close by a gate."""
_SCORE_SHIFT = 1024
"""pocketsphinx gives path scores divided by this, as logarithms (senone scores are kept shifted by 10 bits)."""
_GAIN_WEIGHT, _DISTANCE_WEIGHT, _BIAS = 3.8, 21.6, 20.7
"""Logistic regression over 124 commands and 179 other sentences by 14 espeak-ng voices, and 146 pieces of real speech
in noise, moved by 0.3 towards acceptance. On other sentences, voices and another grammar: of 132 commands 86 % right,
6 % heard as another command, 8 % refused; of 156 other sentences 2 % obeyed; of 52 real utterances none."""
_GRANTED_CHANGES = 3
_NOISE_BELOW_SPEECH = 10 ** (-25 / 20)


@dataclass(frozen=True, slots=True)
class Decoding:
    """What was heard: the command's words, or what the language model makes of other speech."""

    text: str
    is_command: bool


class CommandDecoder:
    """Models in memory: a process of about 80 MB, 190 MB once something was refused."""

    def __init__(self, grammar: Grammar) -> None:
        # bestpath, on by default, can loop for ever in hyp() with a grammar (5.0.4, 5.1.1)
        self._commands = Decoder(
            Config(lm=None, bestpath=False, beam=1e-80, pbeam=1e-80, wbeam=1e-60, lw=2.0, loglevel="FATAL")
        )
        self._quiet_mean = self._commands.get_cmn(False)
        self._phones = Decoder(
            Config(
                lm=None,
                allphone=get_model_path("en-us/en-us-phone.lm.bin"),
                bestpath=False,
                beam=1e-20,
                pbeam=1e-20,
                lw=2.0,
                loglevel="FATAL",
            )
        )
        self._speech: Decoder | None = None
        chance = random.Random(0)
        self._noise = [chance.gauss(0, 1) for _ in range(RATE_HZ)]
        jsgf, self.problems = grammar.to_jsgf(lambda word: self._commands.lookup_word(word) is not None)
        self._has_commands = jsgf is not None
        if jsgf is not None:
            self._commands.add_jsgf_string("room", jsgf)
            self._commands.activate_search("room")

    def decode(self, pcm: bytes) -> Decoding:
        """Mono s16le at 16 kHz, whole."""
        pcm = self._with_noise(pcm)
        if self._has_commands:
            text, score = self._run(self._commands, pcm)
            if text and self._margin(text, score, *self._run(self._phones, pcm)) > 0:
                return Decoding(text, is_command=True)
        if self._speech is None:
            # one pass with few hypotheses: half the time for as many wrong words
            self._speech = Decoder(Config(bestpath=False, fwdflat=False, maxhmmpf=3000, loglevel="FATAL"))
        return Decoding(self._run(self._speech, pcm)[0], is_command=False)

    def _run(self, decoder: Decoder, pcm: bytes) -> tuple[str, float]:
        """Words, and nats for each frame."""
        decoder.set_cmn(self._quiet_mean)  # else each utterance is heard through the one before
        decoder.start_utt()
        decoder.process_raw(pcm, full_utt=True)
        decoder.end_utt()
        found = decoder.hyp()
        if found is None or found.score <= 0:
            return "", -math.inf
        return found.hypstr, math.log(found.score) * _SCORE_SHIFT / max(decoder.n_frames(), 1)

    def _with_noise(self, pcm: bytes) -> bytes:
        """The sound within silence, and noise over both."""
        sound = array("h", pcm)
        level = math.sqrt(sum(sample * sample for sample in sound) / max(len(sound), 1)) + 1
        sigma = level * _NOISE_BELOW_SPEECH
        padded = itertools.chain(_PADDING, sound, _PADDING)
        noisy = (round(sample + sigma * noise) for sample, noise in zip(padded, itertools.cycle(self._noise)))
        return array("h", (max(-32768, min(32767, sample)) for sample in noisy)).tobytes()

    def _margin(self, text: str, score: float, phones: str, phone_score: float) -> float:
        if not phones:
            return -math.inf
        expected = [phone for word in text.split() for phone in (self._commands.lookup_word(word) or "").split()]
        heard = [phone for phone in phones.split() if phone != "SIL" and not phone.startswith("+")]
        longer = max(len(expected), len(heard))
        distance = (_edits(expected, heard) + _GRANTED_CHANGES) / (longer + _GRANTED_CHANGES)
        return _GAIN_WEIGHT * (score - phone_score) - _DISTANCE_WEIGHT * distance + _BIAS


def _edits(left: Sequence[str], right: Sequence[str]) -> int:
    """Insertions, deletions and substitutions from one to the other."""
    row = list(range(len(right) + 1))
    for index, one in enumerate(left, 1):
        previous, row[0] = row[0], index
        for column, other in enumerate(right, 1):
            previous, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, previous + (one != other))
    return row[-1]
