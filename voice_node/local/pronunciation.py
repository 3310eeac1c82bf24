"""How words are said, in phones of the CMU dictionary: what it has, and what espeak-ng's accents make of them.

The dictionary is American and knows no name that is not in it. espeak-ng knows rules for any word, and the accent of
Britain; without it there is the dictionary alone.
"""

import itertools
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

ACCENTS = ("en-us", "en-gb")
"""More accents make more words alike: with those of Scotland and the Caribbean 91 % of commands were right, not 96."""
_RHOTIC = frozenset({"en-us"})
"""Accents whose written r after a vowel is a part of espeak-ng's vowel; Scotland's stands by itself."""
_MOST_WAYS = 8
"""Of one word in one accent."""
_PATIENCE_S = 10
_LAST_LATIN = "\u024f"
"""Of letters beyond, espeak-ng says the names."""
_VARIANT = re.compile(r"\(\d+\)$")

_CONSONANTS = {
    **{sign: (sign.upper(),) for sign in "pbtdkgfvszmnlrw"},
    "T": ("TH",),
    "D": ("DH",),
    "S": ("SH",),
    "Z": ("ZH",),
    "h": ("HH",),
    "N": ("NG",),
    "j": ("Y",),
    "tS": ("CH",),
    "dZ": ("JH",),
    "t#": ("T", "D"),
    "t[": ("T",),
    "d[": ("D",),
    "t2": ("T",),
    "d2": ("D",),
    "?": ("T", ""),
    "l#": ("L",),
    "r-": ("R",),
    "n-": ("AH N",),
    "m-": ("AH M",),
    "@L": ("AH L",),
    "x": ("K",),
}
_VOWELS = {
    "a": ("AE",),
    "aa": ("AE", "AA"),
    "a#": ("AH",),
    "A:": ("AA",),
    "@": ("AH",),
    "@2": ("AH",),
    "@5": ("AH",),
    "0": ("AA", "AO"),
    "O": ("AO",),
    "O2": ("AO", "AA"),
    "O:": ("AO",),
    "V": ("AH",),
    "U": ("UH",),
    "u:": ("UW",),
    "e": ("EH",),
    "E": ("EH",),
    "E2": ("EH", "IH"),
    "I": ("IH",),
    "I2": ("IH",),
    "I#": ("IH",),
    "i": ("IY",),
    "i:": ("IY",),
    "aI": ("AY",),
    "aU": ("AW",),
    "eI": ("EY",),
    "oU": ("OW",),
    "OI": ("OY",),
    "IR": ("ER",),
    "VR": ("ER",),
}
_WITH_R = {
    "3": ("ER",),
    "3:": ("ER",),
    "A@": ("AA R",),
    "o@": ("AO R",),
    "O@": ("AO R",),
    "e@": ("EH R",),
    "i@": ("IY AH",),
    "i@3": ("IH R",),
    "U@": ("UH R",),
    "aI@": ("AY ER", "AY AH"),
    "aI3": ("AY ER",),
    "aU@": ("AW ER",),
}
_WITHOUT_R = {
    "3": ("AH", "ER"),
    "3:": ("ER", "AH"),
    "A@": ("AA",),
    "o@": ("AO",),
    "O@": ("AO",),
    "e@": ("EH", "EH AH"),
    "i@": ("IH AH", "IY AH"),
    "i@3": ("IH AH", "IH"),
    "U@": ("UH AH", "AO"),
    "aI@": ("AY AH",),
    "aI3": ("AY AH",),
    "aU@": ("AW AH",),
}
_SIGNS: Mapping[bool, Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {is_rhotic: {**_CONSONANTS, **_VOWELS, **(_WITH_R if is_rhotic else _WITHOUT_R)} for is_rhotic in (True, False)}
)
"""espeak-ng's signs as phones: each may be heard in several ways."""


def pronunciations(words: Iterable[str], dictionary: Path, command: str = "espeak-ng") -> dict[str, tuple[str, ...]]:
    """Each word's ways to be said, phones separated by a space; words that nobody can say are left out."""
    wanted = dict.fromkeys(words)
    ways: dict[str, dict[str, None]] = {word: {} for word in wanted}
    with dictionary.open(encoding="utf-8") as lines:
        for line in lines:
            word, _, phones = line.partition(" ")
            word = _VARIANT.sub("", word)
            if word in ways:
                ways[word][phones.strip()] = None
    spoken = [word for word in wanted if any(map(str.isalpha, word)) and max(word) <= _LAST_LATIN]
    for accent in ACCENTS:
        for word, signs in zip(spoken, _signs_of(spoken, accent, command), strict=False):
            ways[word].update(dict.fromkeys(as_phones(signs, is_rhotic=accent in _RHOTIC)))
    return {word: tuple(found) for word, found in ways.items() if found}


def as_phones(signs: str, *, is_rhotic: bool) -> list[str]:
    """The ways to hear espeak-ng's signs, separated by `_`; none where one of them is unknown."""
    table = _SIGNS[is_rhotic]
    options: list[Sequence[str]] = []
    for sign in re.sub(r"['`,%=|:]*(?=[^\s_:])|[|;]", lambda found: "" if found[0] != ":" else ":", signs).split("_"):
        if not sign.strip():
            continue
        if sign not in table:
            return []
        options.append(table[sign])
    ways = (" ".join(" ".join(way).split()) for way in itertools.islice(itertools.product(*options), _MOST_WAYS))
    return [way for way in dict.fromkeys(ways) if way]


def _signs_of(words: Sequence[str], accent: str, command: str) -> Iterator[str]:
    """One line of signs for each word; nothing where espeak-ng is absent, fails or counts otherwise."""
    if not words:
        return
    text = "".join(f"{word}\n\n" for word in words)
    try:
        done = subprocess.run(
            [command, "-q", "-x", "--sep=_", "-v", accent, "--stdin"],
            input=text,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=_PATIENCE_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return
    lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    if len(lines) == len(words):
        yield from lines
