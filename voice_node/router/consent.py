"""What a person means: a clear yes, or a number in digits. In English, German, French, Spanish and Dutch.

Rules

1. A yes is clear when every word of what was said belongs to a yes or is a courtesy, and there is at least one yes.
   All else is no yes: "yes, but not now", "I said no", "well".
2. The words are those of the room's language; of a language that is not here, the English ones.
3. A number is read digit by digit, in figures or in words. Words that are none are passed over.
"""

import re

_YES = {
    "en": "yes|yeah|yep|yup|sure|certainly|absolutely|definitely|ok|okay|of course|do it|do that|go ahead|please do"
    "|confirm|confirmed|affirmative|that is right|thats right|correct|i am sure|im sure|yes i am|yes you may|you may",
    "de": "ja|jawohl|jep|klar|na klar|sicher|gerne|natürlich|selbstverständlich|genau|richtig|ok|okay|in ordnung"
    "|mach das|mach es|machs|tu das|tu es|bestätigt|einverstanden|auf jeden fall",
    "fr": "oui|ouais|bien sûr|d accord|daccord|ok|okay|vas y|allez y|certainement|absolument|exactement|fais le"
    "|faites le|confirmé|je confirme|tout à fait",
    "es": "sí|si|claro|claro que sí|por supuesto|vale|de acuerdo|ok|okay|adelante|hazlo|confirmado|confirmo|correcto"
    "|desde luego|seguro",
    "nl": "ja|jawel|jazeker|zeker|natuurlijk|oké|ok|okay|goed|is goed|prima|doe maar|doe het|ga je gang|akkoord"
    "|bevestigd|klopt|graag",
}
_COURTESY = {
    "en": "please|thanks|thank you|now|right now|then",
    "de": "bitte|danke|jetzt|dann|schon|doch",
    "fr": "s il vous plaît|s il te plaît|sil vous plaît|sil te plaît|merci|maintenant",
    "es": "por favor|gracias|ahora",
    "nl": "alsjeblieft|alstublieft|graag|dank je|dank u|bedankt|nu|maar|dan",
}
_DIGITS = {
    "en": ("zero oh o nought", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    "de": ("null", "eins ein", "zwei zwo", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun"),
    "fr": ("zéro zero", "un une", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf"),
    "es": ("cero", "uno un", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve"),
    "nl": ("nul", "een één", "twee", "drie", "vier", "vijf", "zes", "zeven", "acht", "negen"),
}
_TIMES = {"double": 2, "triple": 3}
"""English says a repeated digit so."""

PIN_QUESTION = {
    "en": "What is the code?",
    "de": "Wie lautet der Code?",
    "fr": "Quel est le code ?",
    "es": "¿Cuál es el código?",
    "nl": "Wat is de code?",
}
PIN_AGAIN = {
    "en": "That was not right. What is the code?",
    "de": "Das war nicht richtig. Wie lautet der Code?",
    "fr": "Ce n'est pas ça. Quel est le code ?",
    "es": "No es correcto. ¿Cuál es el código?",
    "nl": "Dat klopt niet. Wat is de code?",
}


def spoken_language(language: str) -> str:
    """The language of these tables for a room's, such as `de` for `de-AT`."""
    short = language.split("-")[0].lower()
    return short if short in _YES else "en"


def is_clear_yes(text: str, language: str) -> bool:
    """Whether these words can only mean yes."""
    language = spoken_language(language)
    said = " ".join(_words(text))
    yes, courtesy = _YES[language].split("|"), _COURTESY[language].split("|")
    has_yes = False
    while said:
        phrase = next(
            (phrase for phrase in sorted((*yes, *courtesy), key=len, reverse=True) if _begins(said, phrase)), None
        )
        if phrase is None:
            return False
        has_yes |= phrase in yes
        said = said[len(phrase) :].lstrip()
    return has_yes


def digits_in(text: str, language: str) -> str:
    """The digits that were said, in their order."""
    values = {
        word: str(digit) for digit, words in enumerate(_DIGITS[spoken_language(language)]) for word in words.split()
    }
    found, times = "", 1
    for word in _words(text):
        digits = "".join(str(int(letter)) for letter in word if letter.isdecimal()) or values.get(word, "")
        found += digits * times if len(digits) == 1 else digits
        times = _TIMES.get(word, 1)
    return found


def _words(text: str) -> list[str]:
    """Lower-case words without punctuation; an apostrophe parts them where a language writes them apart."""
    plain = text.casefold().replace("\u2019", "'")
    return re.sub(r"[^\w\s]|_", " ", re.sub(r"\b(i|that)'(m|s)\b", r"\1\2", plain)).split()


def _begins(text: str, phrase: str) -> bool:
    return text == phrase or text.startswith(f"{phrase} ")
