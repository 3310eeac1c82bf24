"""Keys and values in messages: short, on one line, without secrets."""

import pytest

from voice_node.settings.problem import is_touched, key_name, looks_secret, one_of, shown


def test_keys_are_read_as_people_write_them() -> None:
    values = {"tools": [{"name": "light"}, {"name": "a b"}, {"name": "twice"}, {"name": "twice"}, 5, {}]}
    names = [key_name(("tools", index, "say"), values) for index in range(7)]
    assert names == ["tools[light].say", *(f"tools[{index}].say" for index in range(1, 7))]
    assert key_name(("gate", "frame_ms"), None) == "gate.frame_ms"
    assert key_name(("session", "include", 2), values) == "session.include[2]"
    assert key_name((), values) == ""
    assert key_name(("a\nb\x07" + "x" * 50,), values) == "a\\nb?" + "x" * 35 + "…"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "nothing"),
        (True, "true"),
        (5, "5"),
        (0.5, "0.5"),
        ("yes", '"yes"'),
        ("a\n\x1b[0m", '"a\\n?[0m"'),
        ("x" * 99, '"' + "x" * 39 + '…"'),
        ([1], "a list"),
        ({}, "keys with values"),
        ("sk-0123456789abcdef", "what stands there"),
    ],
)
def test_values_are_short(value: object, expected: str) -> None:
    assert shown(value) == expected


def test_values_of_keys_where_people_paste_secrets_are_not_shown() -> None:
    assert shown("hunter2", ("session", "auth", "url")) == "what stands there"
    assert shown("hunter2", ("session", "voice")) == '"hunter2"'


def test_secrets_have_a_form() -> None:
    assert looks_secret("Bearer ek_0123456789abcdef")
    assert not looks_secret("task-number-one-hundred")
    assert not looks_secret("sk-short")


def test_alternatives_are_joined_in_english() -> None:
    assert [one_of(words) for words in (["a"], ["a", "b"], ["a", "b", "c"])] == ["a", "a or b", "a, b or c"]


def test_touched_is_above_at_and_below() -> None:
    assert all(is_touched(path, [("a", 1)]) for path in [(), ("a",), ("a", 1), ("a", 1, "b")])
    assert not any(is_touched(path, [("a", 1)]) for path in [("b",), ("a", 2)])
    assert not is_touched((), [])
