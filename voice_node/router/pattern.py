"""Regular expressions in the schemas of tools: none may keep the node busy, whatever a model writes.

Python's engine tries one way after the other to match, and `(a+)+b` has more ways than there is time; it cannot be
interrupted. So the ways that a pattern leaves open are counted before it is used:

1. An open repeat (`*`, `+`, `{2,}`) leaves as many as the text is long, a bounded one as many as it allows, `?` two,
   alternatives as many as there are. What follows each other multiplies.
2. A repeated group whose inside leaves a choice leaves that choice each time: without a bound that is without end.
3. A pattern that does not begin with `^` is tried at each character.
4. The more ways, the shorter the texts that are matched against it. Where even short ones have too many, or where the
   pattern is written in a way that is not counted here, it cannot be used.
"""

import math
import re
from functools import lru_cache

MOST_CHARS = 16384
"""In the arguments of one call."""
MOST_TRIES = 1_100_000
"""For the arguments of one call: half a second on a busy machine."""
LENGTHS = (1024, 256, 64, 32)
"""How long a text may be, in characters: the first for which there are not too many ways."""
LONGEST_PATTERN = 1000

_FLAGS = re.compile(r"\?[aimsu]+\)")
_GROUP = re.compile(r"\?(?:[aimsu]*(?:-[ims]+)?:|P<\w+>|<?[=!]|>)")
_ANCHOR = re.compile(r"\^(?![*+?{])")
_COUNT = re.compile(r"\{(\d*),(\d*)\}|\{(\d+)\}")


class UnusablePattern(Exception):
    """No text is matched against it. The text says why."""


@lru_cache(256)
def longest_text(pattern: str) -> int:
    """Of how many characters a text may be that is matched against `pattern`; raises UnusablePattern."""
    if len(pattern) > LONGEST_PATTERN:
        raise UnusablePattern(f"is longer than {LONGEST_PATTERN} characters")
    try:
        re.compile(pattern)
        for length in LENGTHS:
            if _Reader(pattern, length).tries() * MOST_CHARS / length <= MOST_TRIES:
                return length
    except (re.error, OverflowError, RecursionError):
        raise UnusablePattern("is no regular expression that Python reads") from None
    raise UnusablePattern(
        "could take for ever to match: begin it with ^, "
        "write no repeat and no alternatives within a repeat, and at most two open repeats"
    )


class _Reader:
    """Counts the ways to match one pattern against a text of some length."""

    def __init__(self, pattern: str, length: int) -> None:
        self._pattern = pattern
        self._length = length
        self._at = 0
        self._depth = 0
        self._is_anchored = _ANCHOR.match(pattern) is not None

    def tries(self) -> float:
        """At most so often the engine begins again, for one text."""
        ways = self.ways()
        return ways if self._is_anchored else ways * self._length

    def ways(self) -> float:
        """Of the alternatives from here to the end, or to the end of the group."""
        sum_of_ways, ways = 0.0, 1.0
        while self._at < len(self._pattern) and self._pattern[self._at] != ")":
            if self._pattern[self._at] == "|":
                self._at += 1
                self._is_anchored = self._is_anchored and self._depth > 0
                sum_of_ways, ways = sum_of_ways + ways, 1.0
            else:
                ways = min(ways * self._repeated(), math.inf)
        return sum_of_ways + ways

    def _repeated(self) -> float:
        is_group = self._pattern[self._at] == "("
        ways = self._part()
        low, high = self._repeats()
        if high <= 1 and low == high:
            return ways
        if ways > 1:
            return sum(ways**times for times in range(int(low), int(high) + 1)) if high <= 16 else math.inf
        return min(high, self._length) if is_group else min(high, self._length) - min(low, self._length) + 1

    def _part(self) -> float:
        """One character, class or group."""
        sign = self._pattern[self._at]
        self._at += 1
        if sign == "\\":
            self._at += 1
        elif sign == "[":
            self._class()
        elif sign == "(":
            return self._group()
        return 1.0

    def _class(self) -> None:
        self._at += self._pattern.startswith("^", self._at)
        self._at += self._pattern.startswith("]", self._at)
        while self._pattern[self._at] != "]":
            self._at += 2 if self._pattern[self._at] == "\\" else 1
        self._at += 1

    def _group(self) -> float:
        flags = _FLAGS.match(self._pattern, self._at)
        if flags is not None:
            self._at = flags.end()
            return 1.0
        if self._pattern.startswith("?", self._at):
            kind = _GROUP.match(self._pattern, self._at)
            if kind is None:
                raise UnusablePattern("holds a kind of group that is not taken here")
            self._at = kind.end()
        self._depth += 1
        ways = self.ways()
        self._depth -= 1
        self._at += 1
        return ways

    def _repeats(self) -> tuple[float, float]:
        """The fewest and the most times that the part may stand."""
        sign = self._pattern[self._at : self._at + 1]
        simple = {"*": (0.0, math.inf), "+": (1.0, math.inf), "?": (0.0, 1.0)}.get(sign)
        count = _COUNT.match(self._pattern, self._at)
        if simple is not None:
            self._at += 1
            low, high = simple
        elif count is not None:
            self._at = count.end()
            low, high = float(count[1] or count[3] or 0), float(count[2] or count[3] or math.inf)
        else:
            return 1.0, 1.0
        self._at += self._pattern[self._at : self._at + 1] in ("?", "+")  # lazy or possessive
        return low, high
