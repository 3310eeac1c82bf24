from datetime import datetime

import pytest

from voice_node.local.phrases import Phrase, date_in_words, phrase_of, phrases, time_in_words


@pytest.mark.parametrize(
    ("text", "language", "phrase"),
    [
        ("Yes, please!", "en", Phrase.YES),
        ("please stop", "en", Phrase.STOP),
        ("What\u2019s the time?", "en", Phrase.TIME),
        ("Wie spät ist es?", "de", Phrase.TIME),
        ("yes", "de", None),
        ("yes of course not", "en", None),
        ("", "en", None),
        ("yes", "xx", None),
    ],
)
def test_the_whole_text_must_mean_it(text: str, language: str, phrase: Phrase | None) -> None:
    assert phrase_of(text, language) is phrase


@pytest.mark.parametrize("language", ["en", "de"])
def test_each_phrase_means_what_it_stands_for(language: str) -> None:
    for are_questions in (False, True):
        for text in phrases(language, are_questions=are_questions):
            phrase = phrase_of(text, language)
            assert phrase is not None
            assert (phrase in (Phrase.TIME, Phrase.DATE)) == are_questions


def test_the_clock_is_read_out() -> None:
    moment = datetime(2026, 3, 1, 7, 5)  # noqa: DTZ001  # what a clock on the wall shows
    assert time_in_words(moment) == "It is 7:05."
    assert date_in_words(moment) == "It is Sunday, 1 March 2026."
