"""What is said in a piece of sound: a command of the grammar, or not. Needs pocketsphinx; runs in the worker only.

Sound is decoded by the grammar and by free phones, and `judging` compares the two; a command that just passes must
stand against its `rivals` too, or it is doubtful. Where no sentence was heard for sure, the answers to questions are
tried. What is refused is decoded once more by the English language model, so that a person can
see what was heard; that model is dropped when it has not been needed for a while, and where there is little memory it
is never loaded: commands need a quarter as much, and lose nothing.
"""

import math
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pocketsphinx import Config, Decoder, get_model_path

from voice_node.local.grammar import Grammar
from voice_node.local.judging import Piece, evidence, is_ruled_out
from voice_node.local.memory import memory_limit
from voice_node.local.preparing import prepare
from voice_node.local.pronunciation import pronunciations
from voice_node.local.rivals import STRANGERS, Rivals

_SCORE_SHIFT = 1024
"""pocketsphinx gives path scores divided by this, as logarithms (senone scores are kept shifted by 10 bits)."""
_WEIGHTS, _BIAS = (2.0, -6.56, -8.1), 9.97
"""Of the evidence: logistic regression over 120 commands and 180 other sentences (nine in ten of them but a word or two
from a command) of three homes, by 7 espeak-ng voices at 120 to 210 words a minute, half in kitchen noise. The bias lies
0.5 above the regression's, which costs no more of those others and refuses fewer short commands."""
_BEYOND_STRANGERS = 2.0
"""A command that is surer than that is not held against its `rivals`: they would cost more commands than others."""
_DOUBT = -0.5
"""Between this and 0 a command is read back."""
_ANSWERS_ARE_SHORT = 3.0
"""What an answer's margin must have more: almost any sound fits one of a hundred single words."""
_LANGUAGE_MODEL_NEEDS = 700_000_000
"""Bytes for all: it takes 200 MB at most, beside the room and the system."""
_SENTENCES, _ANSWERS, _PHONES, _RIVALS = "sentences", "answers", "phones", "rivals"


@dataclass(frozen=True, slots=True)
class Decoding:
    """What was heard: the command's words, or what the language model makes of other speech, if it may."""

    text: str
    is_command: bool
    is_doubtful: bool = False
    """A command that was heard badly."""


@dataclass(frozen=True, slots=True)
class _Path:
    """A decode: its words, and its score in nats."""

    text: str
    score: float
    pieces: tuple[Piece, ...]


class CommandDecoder:
    """Models in memory."""

    def __init__(self, grammar: Grammar, memory: int | None = None) -> None:
        """`memory` in bytes; None: as much as there is."""
        words = grammar.words()
        known = pronunciations((*words, *STRANGERS), Path(get_model_path("en-us/cmudict-en-us.dict")))
        ways = {word: known[word] for word in words if word in known}
        self._rivals = Rivals(known)
        with tempfile.NamedTemporaryFile("w", suffix=".dict", encoding="utf-8") as dictionary:
            dictionary.writelines(_dictionary(known))
            dictionary.flush()
            # bestpath, on by default, can loop for ever in hyp() with a grammar (5.0.4, 5.1.1)
            beams = {"beam": 1e-80, "pbeam": 1e-80, "wbeam": 1e-60}
            self._decoder = Decoder(
                Config(lm=None, dict=dictionary.name, bestpath=False, lw=2.0, loglevel="FATAL", **beams)
            )
        jsgf, self.problems = grammar.to_jsgf(ways.__contains__)
        answers = grammar.answers_to_jsgf(ways.__contains__)
        self._searches = [name for name, text in ((_SENTENCES, jsgf), (_ANSWERS, answers)) if text is not None]
        if jsgf is not None:
            self._decoder.add_jsgf_string(_SENTENCES, jsgf)
        if answers is not None:
            self._decoder.add_jsgf_string(_ANSWERS, answers)
        self._set_beams(1e-20)
        self._decoder.add_allphone_file(_PHONES, get_model_path("en-us/en-us-phone.lm.bin"))
        self._set_beams(1e-40)  # for the rivals, who come later
        self._speech: Decoder | None = None
        self._writes_down = (memory_limit() if memory is None else memory) >= _LANGUAGE_MODEL_NEEDS

    @property
    def is_large(self) -> bool:
        """Whether the language model is in memory."""
        return self._speech is not None

    def shrink(self) -> None:
        """Drop the language model until it is needed again."""
        self._speech = None

    def decode(self, pcm: bytes) -> Decoding:
        """Mono s16le at 16 kHz, whole."""
        pcm = prepare(pcm)
        phones: _Path | None = None
        doubtful: Decoding | None = None
        for name in self._searches:
            path = self._run(self._decoder, name, pcm)
            if not path.pieces:
                continue
            phones = phones or self._run(self._decoder, _PHONES, pcm)
            margin = _margin(path, phones)
            if name == _ANSWERS:
                margin -= _ANSWERS_ARE_SHORT
            is_near = name == _SENTENCES and _DOUBT < margin <= _BEYOND_STRANGERS
            if margin > 0 and not (is_near and self._has_stranger(path.text, pcm)):
                return Decoding(path.text, is_command=True)
            if is_near:
                doubtful = Decoding(path.text, is_command=True, is_doubtful=True)
        if doubtful is not None:
            return doubtful
        if not self._writes_down:
            return Decoding("", is_command=False)
        if self._speech is None:
            # one pass with few hypotheses: half the time for as many wrong words
            self._speech = Decoder(Config(bestpath=False, fwdflat=False, maxhmmpf=3000, loglevel="FATAL"))
        return Decoding(self._run(self._speech, None, pcm).text, is_command=False)

    def _set_beams(self, beam: float) -> None:
        """Of the searches that are added next."""
        self._decoder.config["beam"] = self._decoder.config["pbeam"] = self._decoder.config["wbeam"] = beam

    def _has_stranger(self, text: str, pcm: bytes) -> bool:
        """Whether one of the words is likelier to be none of the grammar's."""
        jsgf = self._rivals.to_jsgf(text.split())
        if jsgf is None:
            return False
        self._decoder.add_jsgf_string(_RIVALS, jsgf)
        return self._run(self._decoder, _RIVALS, pcm).text != text

    def _run(self, decoder: Decoder, search: str | None, pcm: bytes) -> _Path:
        # the front end's estimate of noise and mean outlives an utterance: each would be heard through the one before
        decoder.reinit_feat()
        if search is not None:
            decoder.activate_search(search)
        decoder.start_utt()
        decoder.process_raw(pcm, full_utt=True)
        decoder.end_utt()
        found = decoder.hyp()
        if found is None or found.score <= 0:
            return _Path("", -math.inf, ())
        return _Path(found.hypstr, _nats(found.score), tuple(self._pieces(decoder, search == _PHONES)))

    def _pieces(self, decoder: Decoder, are_phones: bool) -> Iterator[Piece]:
        for segment in decoder.seg():
            word = segment.word
            if segment.end_frame < segment.start_frame or word[0] in "<([+" or word == "SIL":
                continue
            phones = word if are_phones else decoder.lookup_word(word) or ""
            yield Piece(tuple(phones.split()), segment.start_frame, segment.end_frame, _nats(segment.ascore))


def _margin(path: _Path, phones: _Path) -> float:
    """Positive where it was said."""
    if 2 * len(phones.pieces) < sum(len(word.phones) for word in path.pieces):
        return -math.inf  # noise
    if is_ruled_out(path.pieces, phones.pieces):
        return -math.inf
    found = evidence(path.pieces, phones.pieces, path.score - phones.score)
    return sum(weight * value for weight, value in zip(_WEIGHTS, found, strict=True)) + _BIAS


def _nats(score: float) -> float:
    return math.log(max(score, 1e-300)) * _SCORE_SHIFT


def _dictionary(ways: dict[str, tuple[str, ...]]) -> Iterator[str]:
    for word, said in ways.items():
        for number, phones in enumerate(said, 1):
            yield f"{word} {phones}\n" if number == 1 else f"{word}({number}) {phones}\n"
