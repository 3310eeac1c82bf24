"""Sentences with one parameter left out: who says "turn on the light" is asked for the rest.

From `(turn|switch) {state} [the] {area} light` without `area` comes `(turn|switch) {state} [the] light`. With a
parameter at the end go the little words before it; with a number goes everything after it: `set a timer`.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

_LITTLE: Mapping[str, str] = MappingProxyType(
    {"en": r"to|for|in|at|of|on|by", "de": r"auf|in|im|um|für|von|am"},
)
_ARTICLES: Mapping[str, str] = MappingProxyType({"en": r"the|a|an", "de": r"der|die|das|den|dem|ein|eine|einen"})
ANSWERS = {
    "en": "[(in|to|for|at|on|about|make it)] [the] {%s} [(percent|degrees|degree|minutes|minute)]",
    "de": "[(in|im|auf|für|um)] [(der|die|das|dem|den)] {%s} [(prozent|grad|minuten|minute|uhr)]",
}
"""How a question for one parameter is answered, by language."""
_FEWEST_WORDS = 2
"""With fewer of its own, a sentence says nothing."""


def without(template: str, slot: str, language: str, *, is_number: bool) -> str | None:
    """The template with this slot left out; None where what is left says too little, or the slot stands in brackets."""
    before, mark, after = template.partition(f"{{{slot}}}")
    if not mark or _depth(before) or language not in _LITTLE or (is_number and "{" in after):
        return None
    after = "" if is_number else after.strip()
    article = rf"(?:\[(?:{_ARTICLES[language]})\]|\b(?:{_ARTICLES[language]}))\s*$"
    little = rf"\b(?:{_LITTLE[language]})\s*$"
    bare = re.sub(article, "", before.rstrip()).rstrip()
    shorn = re.sub(little, "", bare)
    if shorn != bare:
        before = shorn
    elif not after:
        before = bare
    short = " ".join(f"{before} {after}".split())
    own = re.sub(r"\{[^}]*\}", " ", _outside_brackets(short))
    words = [word for word in own.split() if word != "|"]
    is_bare = re.match(rf"(?:\[?(?:{_ARTICLES[language]}|{_LITTLE[language]})\b)", short) is not None
    return short if len(words) >= _FEWEST_WORDS and not is_bare else None


def _depth(text: str) -> int:
    return sum(text.count(sign) for sign in "([") - sum(text.count(sign) for sign in ")]")


def _outside_brackets(text: str) -> str:
    """What must be said: `[...]` is nothing, `(...)` one word."""
    previous = ""
    while previous != text:
        previous = text
        text = re.sub(r"\[[^\[\]]*\]", " ", text)
        text = re.sub(r"\([^()]*\)", " word ", text)
    return text
