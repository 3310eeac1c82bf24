from typing import Any

import pytest

from voice_node.local.slots import Sayable, Span, Values, read_slot, spoken


def spell(number: int) -> str:
    return {2: "two", 21: "twenty one"}.get(number, str(number))


@pytest.mark.parametrize(
    ("schema", "sayable"),
    [
        ({"enum": ["living_room", "Hall"]}, Values((("living room", "living_room"), ("hall", "Hall")))),
        ({"enum": [21, None, [], "tv_2"]}, Values((("twenty one", 21), ("tv two", "tv_2")))),
        ({"const": "fan"}, Values((("fan", "fan"),))),
        ({"type": "boolean"}, Values((("on", True), ("off", False)))),
        ({"type": "integer", "minimum": 0, "maximum": 100}, Span(0, 100)),
        ({"type": "integer", "minimum": 3, "maximum": 22, "multipleOf": 5}, Span(5, 22, 5)),
        ({"type": "number", "minimum": 4.5, "maximum": 30}, Span(5, 30, 1, is_integer=False)),
    ],
)
def test_what_can_be_said(schema: dict[str, Any], sayable: Sayable) -> None:
    assert read_slot(schema, spell) == sayable


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        (5, "not a mapping"),
        ({"enum": [None]}, "none of its values"),
        ({"type": "string"}, "only enum"),
        ({"type": "integer", "minimum": 1}, "minimum and maximum"),
        ({"type": "integer", "minimum": 0, "maximum": float("inf")}, "minimum and maximum"),
        ({"type": "integer", "minimum": 0, "maximum": 65535}, "more than 1000"),
        ({"type": "integer", "minimum": 1.2, "maximum": 1.8}, "no whole number"),
    ],
)
def test_what_cannot_be_said(schema: object, why: str) -> None:
    answer = read_slot(schema, spell)
    assert isinstance(answer, str)
    assert why in answer


@pytest.mark.parametrize(("value", "words"), [(True, "on"), ("living_room", "living room"), (21.0, "21"), (2.5, "2.5")])
def test_values_are_read_out(value: object, words: str) -> None:
    assert spoken(value) == words
