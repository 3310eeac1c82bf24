import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_node.router.consent import PIN_AGAIN, PIN_QUESTION, digits_in, is_clear_yes, spoken_language


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Yes."),
        ("en", "yes, please!"),
        ("en", "Yeah, go ahead."),
        ("en-GB", "OK, do it now"),
        ("en", "Yes, I'm sure."),
        ("en", "Of course. Thank you."),
        ("en", "Yes, right now."),
        ("de", "Ja, bitte."),
        ("de-AT", "Na klar, mach das!"),
        ("fr", "Oui, s'il vous plaît."),
        ("fr", "D'accord, vas-y"),
        ("es", "¡Sí, por favor!"),
        ("es", "Claro que sí"),
        ("nl", "Ja, doe maar."),
        ("it", "yes"),
    ],
)
def test_a_clear_yes(language: str, text: str) -> None:
    assert is_clear_yes(text, language)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", ""),
        ("en", "..."),
        ("en", "please"),
        ("en", "No."),
        ("en", "yes and no"),
        ("en", "Yes, but not now"),
        ("en", "Yeah, right."),
        ("en", "yesterday"),
        ("en", "Do you mean yes?"),
        ("en", "I am not sure"),
        ("en", "What?"),
        ("en", "sure it is cold"),
        ("en", "ja"),
        ("de", "nein"),
        ("de", "Ja, aber erst morgen"),
        ("de", "ja oder nein"),
        ("fr", "non"),
        ("fr", "oui mais non"),
        ("es", "no"),
        ("es", "sí no"),
        ("nl", "nee"),
        ("nl", "ja misschien"),
    ],
)
def test_no_clear_yes(language: str, text: str) -> None:
    assert not is_clear_yes(text, language)


@given(st.text(max_size=200), st.sampled_from(["en", "de", "fr", "es", "nl", "xx"]))
def test_any_text_can_be_asked_about(text: str, language: str) -> None:
    is_clear_yes(text, language)
    assert set(digits_in(text, language)) <= set("0123456789")


@pytest.mark.parametrize(
    ("language", "text", "digits"),
    [
        ("en", "one two three four", "1234"),
        ("en", "One, two, oh, nine.", "1209"),
        ("en", "it's 1-2-3-4", "1234"),
        ("en", "1234.", "1234"),
        ("en", "double five three", "553"),
        ("en", "triple zero seven", "0007"),
        ("en", "double 12", "12"),
        ("en", "The code is unknown", ""),
        ("de", "eins zwo drei null", "1230"),
        ("de", "vier fünf sechs sieben acht neun", "456789"),
        ("fr", "zéro un deux trois quatre", "01234"),
        ("es", "cero uno dos nueve", "0129"),
        ("nl", "nul één twee acht", "0128"),
        ("en", "\u0661\u0662\u0663", "123"),
    ],
)
def test_digits(language: str, text: str, digits: str) -> None:
    assert digits_in(text, language) == digits


def test_each_language_can_ask_for_the_code() -> None:
    assert set(PIN_QUESTION) == set(PIN_AGAIN) == {"en", "de", "fr", "es", "nl"}
    assert {spoken_language(code) for code in ("en-US", "de", "FR-ca", "ja")} == {"en", "de", "fr"}
