from typing import Any

import pytest

from voice_node.local.checks import Check, boolean, fields, list_of, number, one_of, or_null, text, texts_by_name, whole
from voice_node.local.refusal import Refused


@pytest.mark.parametrize(
    ("check", "good", "bad", "code", "param"),
    [
        (fields({"a": boolean}), {"a": True}, {"b": 1}, "unknown_parameter", "x.b"),
        (fields({"a": boolean}, "a"), {"a": True}, {}, "missing_required_parameter", "x.a"),
        (fields({}), {}, None, "invalid_type", "x"),
        (boolean, False, 0, "invalid_type", "x"),
        (number(0, 1), 0.5, 1.5, "invalid_value", "x"),
        (number(0, 1), 1, True, "invalid_type", "x"),
        (whole(0, 5), 5, 2.0, "invalid_type", "x"),
        (whole(0, 5), 0, 6, "invalid_value", "x"),
        (one_of("a", 1), 1, True, "invalid_value", "x"),
        (or_null(text(3)), None, "long", "string_above_max_length", "x"),
        (text(3), "abc", 5, "invalid_type", "x"),
        (list_of(text(3), 2), ["a"], ["a", 5], "invalid_type", "x[1]"),
        (list_of(text(3), 2), [], ["a"] * 3, "invalid_value", "x"),
        (list_of(text(3), 2), [], "a", "invalid_type", "x"),
        (texts_by_name(1, 2, 3), {"a": "b"}, {"a": "long"}, "string_above_max_length", "x.a"),
        (texts_by_name(1, 2, 3), {}, {"a": "b", "c": "d"}, "invalid_value", "x"),
        (texts_by_name(1, 2, 3), {}, [], "invalid_type", "x"),
    ],
)
def test_the_good_passes_and_the_bad_is_named(check: Check, good: Any, bad: Any, code: str, param: str) -> None:
    check(good, "x")
    with pytest.raises(Refused) as refusal:
        check(bad, "x")
    assert (refusal.value.code, refusal.value.param) == (code, param)
    assert param in refusal.value.message
