"""A tool's parameters as things that can be said: which words stand for which value of the JSON Schema."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeGuard

from voice_node.settings.tools import Tool

_MOST_VALUES = 1000
"""A wider range is nothing that a person says; the grammar would grow without use."""


@dataclass(frozen=True, slots=True)
class Values:
    """A closed list: words, and what they mean."""

    choices: tuple[tuple[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Span:
    """Whole numbers from `start` to `stop`, both included."""

    start: int
    stop: int
    step: int = 1
    is_integer: bool = True
    """False: the schema says `number`; the value is still whole."""


Sayable = Values | Span
"""Closed: match it with `assert_never`."""


def read_slot(schema: object, spell: Callable[[int], str]) -> Sayable | str:
    """What of this property schema can be said, or why nothing can; `spell` writes a number in words."""
    if not isinstance(schema, dict):
        return "its schema is not a mapping"
    if "const" in schema:
        return _values([schema["const"]], spell)
    if isinstance(schema.get("enum"), list):
        return _values(schema["enum"], spell)
    match schema.get("type"):
        case "boolean":
            return Values((("on", True), ("off", False)))
        case "integer" | "number" as kind:
            return _span(schema, is_integer=kind == "integer")
        case _:
            return "only enum, const, boolean and numbers with minimum and maximum can be said"


def spoken(value: object) -> str:
    """A value as a person reads it out: `living_room` -> `living room`, True -> `on`."""
    match value:
        case bool():
            return "on" if value else "off"
        case float() if value.is_integer():
            return str(int(value))
        case _:
            return " ".join(str(value).replace("_", " ").split())


def _values(values: list[Any], spell: Callable[[int], str]) -> Sayable | str:
    choices: list[tuple[str, Any]] = []
    for value in values:
        if not isinstance(value, str | int | float | bool):
            continue  # null, lists and objects have no words
        words = [spell(int(word)) if word.isascii() and word.isdigit() else word for word in spoken(value).split()]
        if words:
            choices.append((" ".join(words).lower(), value))
    return Values(tuple(choices)) if choices else "none of its values can be said"


def _span(schema: dict[str, Any], *, is_integer: bool) -> Sayable | str:
    low, high, step = schema.get("minimum"), schema.get("maximum"), schema.get("multipleOf", 1)
    if not _is_finite(low) or not _is_finite(high):
        return "a number can be said only with minimum and maximum"
    whole_step = int(step) if _is_finite(step) and step >= 1 and step == int(step) else 1
    start, stop = math.ceil(low / whole_step) * whole_step, math.floor(high)
    if start > stop:
        return "there is no whole number between minimum and maximum"
    if (stop - start) // whole_step >= _MOST_VALUES:
        return f"its range holds more than {_MOST_VALUES} numbers"
    return Span(start, stop, whole_step, is_integer)


def _is_finite(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def required_of(tool: Tool) -> tuple[dict[str, Any], frozenset[str]]:
    """Arguments that need no words, and the names that a match must have."""
    properties = tool.parameters.get("properties", {})
    names = tool.parameters.get("required", [])
    required = frozenset(name for name in names if isinstance(name, str)) if isinstance(names, list) else frozenset()
    fixed = {
        name: schema.get("const", schema.get("default"))
        for name, schema in properties.items()
        if name in required and isinstance(schema, dict) and ("const" in schema or "default" in schema)
    }
    return json.loads(json.dumps(fixed)), required


def integers_of(tool: Tool) -> frozenset[str]:
    """The parameters whose values are whole numbers."""
    properties = tool.parameters.get("properties", {})
    return frozenset(
        name for name, schema in properties.items() if isinstance(schema, dict) and schema.get("type") == "integer"
    )
