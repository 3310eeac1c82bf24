"""Whether what the grammar made of a piece of sound was said at all, judged against a decode by free phones.

A grammar alone accepts almost any speech. The evidence:

- the gain: the log-likelihood of the grammar's path less that of the free phones, for each frame of speech. A command
  loses little by being held to the grammar, other speech loses much;
- the worst word's distance, where all other words may fit ("set the cellar to twenty degrees"): what must be changed to
  get from its phones to the free ones. Phones that are easily taken for each other cost less than others;
- speech before the first and after the last word.

Two things rule it out alone (neither was so in any of 200 commands, at up to 200 words a minute and half in noise):

- a word that is squeezed into less time than anybody needs to say it: the grammar put it where another word was (64 of
  200 other sentences);
- speech between two of its words: "turn off the staircase lights" for "turn off the lights" (a quarter of those that
  were accepted without this).
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

_LEAST_FRAMES = 4.5
"""Of 10 ms, for each phone of a word: quicker nobody speaks."""
_LONGEST_BETWEEN = 12
"""Frames of speech between two words: less is the sound of a mouth."""
_FEWEST_PHONES = 3
"""Shorter words are swallowed now and then."""
_VOWELS = frozenset({"AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW"})
_NEAR_VOWELS = (
    *({"AA", "AO", "AH", "AE"}, {"IH", "IY", "EY", "EH"}, {"UH", "UW", "OW", "AH"}, {"EH", "AE", "AH"}),
    *({"ER", "AH", "UH"}, {"AY", "AA", "AH", "EY"}, {"AW", "AO", "AE", "OW"}, {"OW", "AO", "L"}, {"IH", "AH", "UH"}),
)
_ALIKE = (
    *({"P", "B"}, {"T", "D", "DH", "TH"}, {"K", "G"}, {"F", "V", "TH", "DH"}, {"S", "Z", "SH", "ZH", "CH", "JH"}),
    *({"M", "N", "NG"}, {"L", "R", "W", "Y", "ER", "OW", "UW"}, {"HH", "F"}, {"T", "CH"}, {"D", "JH"}, {"V", "W", "B"}),
)
_OFTEN_LOST = frozenset({"AH", "HH", "T", "D", "R", "L"})


@dataclass(frozen=True, slots=True)
class Piece:
    """A word or a phone of a path."""

    phones: tuple[str, ...]
    start: int
    """Its first frame."""
    end: int
    """Its last frame."""
    score: float
    """Nats of the whole piece."""

    @property
    def length(self) -> int:
        """In frames."""
        return self.end - self.start + 1


def evidence(words: Sequence[Piece], phones: Sequence[Piece], gain: float) -> tuple[float, ...]:
    """Of a path with words, and the free phones of the same sound without their silences; `gain` in nats."""
    start, end = words[0].start, words[-1].end
    outside = sum(max(0, start - piece.start) for piece in phones if piece.start < start)
    outside += sum(max(0, piece.end - end) for piece in phones if piece.end > end)
    worst = max(_distance(word, phones) for word in words)
    return gain / (end - start + 1), worst, min(outside, 100) / 100


def is_ruled_out(words: Sequence[Piece], phones: Sequence[Piece]) -> bool:
    """Whether the path cannot be what was said, whatever else speaks for it."""
    return any(map(_is_squeezed, words)) or any(
        sum(max(0, min(piece.end, after.start - 1) - max(piece.start, before.end + 1) + 1) for piece in phones)
        > _LONGEST_BETWEEN
        for before, after in itertools.pairwise(words)
    )


def _is_squeezed(word: Piece) -> bool:
    return len(word.phones) >= _FEWEST_PHONES and word.length < _LEAST_FRAMES * len(word.phones)


def changes(left: Sequence[str], right: Sequence[str]) -> float:
    """The least cost of insertions, deletions and substitutions from one to the other."""
    row = [0.0]
    for other in right:
        row.append(row[-1] + _loss(other))
    for one in left:
        previous, row[0] = row[0], row[0] + _loss(one)
        for column, other in enumerate(right, 1):
            best = min(row[column] + _loss(one), row[column - 1] + _loss(other), previous + _exchange(one, other))
            previous, row[column] = row[column], best
    return row[-1]


def _distance(word: Piece, phones: Sequence[Piece]) -> float:
    """Of a word to the phones that lie within it for the most part; one change is taken for granted."""
    within = [
        phone
        for piece in phones
        if min(piece.end, word.end) - max(piece.start, word.start) + 1 >= piece.length / 2
        for phone in piece.phones
    ]
    return max(0.0, changes(word.phones, within) - 1) / max(len(word.phones), 2)


def _loss(phone: str) -> float:
    return 0.6 if phone in _OFTEN_LOST else 1.0


def _exchange(one: str, other: str) -> float:
    if one == other:
        return 0.0
    if any(one in group and other in group for group in _NEAR_VOWELS):
        return 0.35
    if any(one in group and other in group for group in _ALIKE):
        return 0.5
    return 0.7 if one in _VOWELS and other in _VOWELS else 1.0
