"""What a person says to the engine itself: yes and no, stop, say that again, the time and the date."""

import re
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from types import MappingProxyType


class Phrase(Enum):
    """What is meant."""

    YES = "yes"
    NO = "no"
    STOP = "stop"
    REPEAT = "repeat"
    TIME = "time"
    DATE = "date"


_ENGLISH = {
    Phrase.YES: ("yes", "yeah", "yep", "yes please", "yes i did", "sure", "okay", "ok", "correct", "do it", "go ahead"),
    Phrase.NO: ("no", "nope", "no thanks", "no thank you", "no i did not", "do not", "don't"),
    Phrase.STOP: ("stop", "stop it", "be quiet", "never mind", "forget it", "cancel", "cancel that"),
    Phrase.REPEAT: ("repeat", "repeat that", "say that again", "say it again", "what did you say", "once more"),
    Phrase.TIME: ("what time is it", "what is the time", "what's the time", "tell me the time"),
    Phrase.DATE: (
        "what day is it",
        "what day is it today",
        "what day is today",
        "what date is it",
        "what is the date",
        "what's the date",
        "what is the date today",
        "what's the date today",
        "what is today's date",
        "tell me the date",
    ),
}
_GERMAN = {
    Phrase.YES: ("ja", "ja bitte", "genau", "richtig", "mach das"),
    Phrase.NO: ("nein", "nein danke", "nicht"),
    Phrase.STOP: ("stopp", "stop", "halt", "vergiss es", "abbrechen", "egal", "sei still"),
    Phrase.REPEAT: ("wiederhole das", "noch einmal", "sag das noch einmal", "was hast du gesagt"),
    Phrase.TIME: ("wie spät ist es", "wie viel uhr ist es"),
    Phrase.DATE: ("welcher tag ist heute", "welches datum ist heute", "der wievielte ist heute"),
}
_PHRASES: Mapping[str, Mapping[Phrase, tuple[str, ...]]] = MappingProxyType({"en": _ENGLISH, "de": _GERMAN})
_WORD_OF_COURTESY = MappingProxyType({"en": "please", "de": "bitte"})
QUESTIONS = (Phrase.TIME, Phrase.DATE)
"""They make sense at any time; the others are answers."""


def phrases(language: str, *, are_questions: bool) -> tuple[str, ...]:
    """All words that can be said."""
    known = _PHRASES.get(language, {})
    return tuple(text for phrase, texts in known.items() if (phrase in QUESTIONS) == are_questions for text in texts)


def phrase_of(text: str, language: str) -> Phrase | None:
    """What is meant by the whole of `text`, whatever its case and punctuation."""
    plain = " ".join(re.sub(r"[^\w'\s]", " ", text.lower().replace("\u2019", "'")).split())
    courtesy = _WORD_OF_COURTESY.get(language, "")
    bare = plain.removeprefix(courtesy).removesuffix(courtesy).strip() if courtesy else plain
    for phrase, texts in _PHRASES.get(language, {}).items():
        if plain in texts or bare in texts:
            return phrase
    return None


def time_in_words(now: datetime) -> str:
    """`It is 14:05.`"""
    return f"It is {now.hour}:{now.minute:02}."


def date_in_words(now: datetime) -> str:
    """`It is Friday, 20 November 2026.`"""
    return f"It is {now:%A}, {now.day} {now:%B} {now.year}."
