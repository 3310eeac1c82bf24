"""Schemas of strangers."""

import time
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from voice_node.mcp.schema import LONGEST_TEXT, MOST_NODES, UnusableSchema, clean, usable_schema


def thing(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def test_what_home_assistant_writes_stays() -> None:
    schema = thing(
        name={"type": "string"},
        area={"type": "string", "description": "Where."},
        brightness={"type": "integer", "minimum": 0, "maximum": 100},
        domain={"type": "array", "items": {"type": "string", "enum": ["light", "cover"]}},
        temperature={"anyOf": [{"type": "number"}, {"type": "null"}], "default": None},
    )
    assert usable_schema(schema) == schema


def test_references_are_put_in_where_they_stand() -> None:
    schema = thing(color={"$ref": "#/$defs/Color", "description": "Of the light."}) | {
        "$defs": {"Color": {"type": "string", "enum": ["red"], "description": "A color."}},
    }
    assert usable_schema(schema) == thing(color={"type": "string", "enum": ["red"], "description": "Of the light."})


def test_what_could_take_for_ever_is_left_out() -> None:
    schema = thing(
        name={"type": "string", "pattern": "^(a+)+$"},
        pattern={"type": "string"},
    ) | {"patternProperties": {"^(a+)+$": {}}, "unevaluatedProperties": {"not": {}}, "$dynamicRef": "#a", "not": {}}
    assert usable_schema(schema) == thing(name={"type": "string"}, pattern={"type": "string"})


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        (thing(a={"$ref": "http://169.254.169.254/x"}), "outside"),
        (thing(a={"$ref": "#"}), "itself"),
        (thing(a={"$ref": "#/properties/a"}), "itself"),
        (thing(a={"$ref": "#/$defs/nothing"}), "not in it"),
        (thing(**{f"p{number}": {} for number in range(MOST_NODES)}), "parts"),
        (thing(a={"enum": [list(range(MOST_NODES))]}), "parts"),
        ({"type": "array"}, "object"),
        ({"type": "object", "$defs": {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)}}
         | {"properties": {"a": {"$ref": "#/$defs/d0"}}}, "deep|parts"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_at_once(schema: dict[str, Any], why: str) -> None:
    began = time.monotonic()
    with pytest.raises(UnusableSchema, match=why):
        usable_schema(schema)
    assert time.monotonic() - began < 5, "it must not hang"


def test_deep_nesting_is_refused() -> None:
    schema: dict[str, Any] = {}
    for _ in range(900):
        schema = {"items": schema}
    with pytest.raises(UnusableSchema, match="deep"):
        usable_schema(thing(a=schema))


@pytest.mark.parametrize("schema", [{}, {"properties": None}, {"properties": {"a": 5}}, {"anyOf": []}])
def test_little_is_enough(schema: dict[str, Any]) -> None:
    usable = usable_schema(schema)
    assert usable["type"] == "object"
    Draft202012Validator.check_schema(usable)


def test_texts_are_bounded_and_visible() -> None:
    assert clean("a\x00b\x1b[31mc\ud800\u202e", 50) == "a b [31mc"
    assert clean("x" * 100, 10) == "x" * 9 + "…"
    usable = usable_schema(thing(a={"description": "x" * 10**6}))
    assert len(usable["properties"]["a"]["description"]) == LONGEST_TEXT
