"""What a pattern costs, measured in what the engine does and not in time."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voice_node.router.pattern import LONGEST_PATTERN, UnusablePattern, longest_text

USUAL = {
    r"": 1024,
    r"^(on|off)$": 1024,
    r"^[0-9]{2}:[0-9]{2}$": 1024,
    r"^([01]\d|2[0-3]):[0-5]\d$": 1024,
    r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?(Z|[+-]\d{2}:\d{2})?$": 1024,
    r"^#[0-9a-fA-F]{6}$": 1024,
    r"^(light|switch)\.[a-z0-9_]+$": 1024,
    r"^[A-Za-zäöü ,.'-]{1,64}$": 1024,
    r"^\d{1,3}(,\d{3})*$": 1024,
    r"(?i)^on$": 1024,
    r"^(?i:on)$": 1024,
    r"^(?P<part>a)b{,3}$": 1024,
    r"^[]a]+$": 1024,
    r"^[^]a\]]+$": 1024,
    r"^\(+$": 1024,
    r"^a{2}{b}$": 1024,
    r"^(?=a)a+?$": 1024,
    r"^(ab?){3}$": 1024,
    r"^[a-z_]+\.[a-z0-9_]+$": 64,
    r"^\S+@\S+$": 64,
    r"^\d+(\.\d+)?$": 64,
    r"\d+": 64,
    r"^on$|^\d+$": 64,
}


@pytest.mark.parametrize(("pattern", "length"), USUAL.items())
def test_what_people_write_can_be_used(pattern: str, length: int) -> None:
    re.compile(pattern)
    assert longest_text(pattern) == length


@pytest.mark.parametrize(
    "pattern",
    [
        r"(a+)+$",
        r"^(a+)+$",
        r"^(a|a)*$",
        r"^(a|b|ab)+$",
        r"^(a*)*$",
        r"^((a{1,9})*)$",
        r"^(.*a){12}$",
        r"^(a?){40}a{40}$",
        "^" + "a?" * 40 + "a" * 40,
        "^" + "(a|a)" * 40 + "$",
        r"^a*a*a*$",
        r"a*a*b",
        r"(?m)^a*a*b",
        r"^a|b*b*c",
        r"^((((){1000}){1000}){1000})$",
        r"^(?:(?:a+)?)*$",
        r"^(?:a+){2,}$",
    ],
)
def test_what_could_take_for_ever_is_refused(pattern: str) -> None:
    with pytest.raises(UnusablePattern, match="could take for ever"):
        longest_text(pattern)


@pytest.mark.parametrize("pattern", ["(", "[", "*", r"^*a*a*b", "a**", r"(?(2)a|b)", "\\", "(" * 400 + ")" * 400])
def test_what_is_none_is_refused(pattern: str) -> None:
    with pytest.raises(UnusablePattern, match=r"is no regular expression|could take for ever"):
        longest_text(pattern)


@pytest.mark.parametrize("pattern", [r"(?P<n>a)(?P=n)", r"(?x) a", r"a(?#note)", r"(a)?(?(1)b|c)"])
def test_what_is_not_counted_is_refused(pattern: str) -> None:
    with pytest.raises(UnusablePattern, match="a kind of group"):
        longest_text(pattern)


def test_a_pattern_is_short() -> None:
    assert longest_text("a" * LONGEST_PATTERN) == 1024
    with pytest.raises(UnusablePattern, match="is longer than"):
        longest_text("a" * (LONGEST_PATTERN + 1))


PIECES = st.lists(st.sampled_from([*"ab()|*+?[]^$.\\", "{2}", "{1,3}", "{2,}", "(?:", "a", "ab"]), max_size=14)


@given(PIECES)
@settings(max_examples=300, deadline=None)
@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.timeout(60)
def test_what_is_taken_ends(pieces: list[str]) -> None:
    """Whatever it is made of: without the bound, one of these in some hundred takes longer than anybody waits."""
    pattern = "".join(pieces)
    try:
        length = longest_text(pattern)
    except UnusablePattern:
        return
    for text in ("a", "ab", "aab"):
        began = time.thread_time()
        re.search(pattern, (text * length)[: length - 1] + "!")
        assert time.thread_time() - began < 5
