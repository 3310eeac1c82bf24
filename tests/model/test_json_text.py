import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_node.model.json_text import BadJson, read_json

REFUSED = {
    "": "not valid JSON",
    "{": "not valid JSON",
    "{}{}": "not valid JSON",
    "\ufeff1": "not valid JSON",
    '"a\nb"': "not valid JSON",
    "NaN": "NaN is not a JSON number",
    "[-Infinity]": "-Infinity is not a JSON number",
    "1e999": "too large",
    '{"a": [-1e999]}': "too large",
    "9" * 5000: "a number is too long",
    '{"a": 1, "a": 1}': "given twice",
    '[{"a": 1, "\\u0061": 1}]': "given twice",
    '"\\ud800"': "half a character",
    '{"\\udfff": 1}': "half a character",
    "[" * 100_000: "nested too deeply",
    "[" * 66 + "]" * 66: "nested too deeply",
    '{"a":' * 66 + "1" + "}" * 66: "nested too deeply",
}


@pytest.mark.parametrize(("text", "why"), REFUSED.items(), ids=range(len(REFUSED)))
def test_what_is_not_json_or_breaks_who_writes_it_again_is_refused(text: str, why: str) -> None:
    with pytest.raises(BadJson, match=why) as caught:
        read_json(text)
    assert len(str(caught.value)) < 100


def test_the_bounds() -> None:
    assert read_json("[[1]]", deepest=2, most_values=3, largest=1) == [[1]]
    for text, why in (
        ("[[[1]]]", "deeply"),
        ("[1,1,1,1]", "more than 3"),
        ('{"a":1,"b":1}', "more than 3"),
        ("2", "large"),
    ):
        with pytest.raises(BadJson, match=why):
            read_json(text, deepest=2, most_values=3, largest=1)
    assert read_json("true", largest=0) is True
    assert read_json("1" * 4000) == int("1" * 4000)


def test_whole_characters_are_taken_however_they_are_written() -> None:
    assert read_json('"\\ud83d\\ude00 ä\U0001f600"') == "\U0001f600 ä\U0001f600"


@given(st.recursive(st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(), st.lists))
def test_what_is_json_is_read(value: Any) -> None:
    assert read_json(json.dumps(value)) == value


@given(st.text(alphabet='{}[]",:0123456789.eE-\\udtrfalsn N', max_size=40))
def test_whatever_comes_it_is_a_value_that_can_be_written_or_refused(text: str) -> None:
    try:
        value = read_json(text)
    except BadJson:
        return
    written = json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    assert read_json(written.decode()) == value
