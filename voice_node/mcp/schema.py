"""A stranger's JSON Schema, cut down to what this node checks: bounded, without references, quick whatever it says.

What a schema may hold stands in the tables here; all else is left out, for the server checks its arguments itself.
Patterns are left out because some take for ever to match, references because a few lines of them stand for millions.
A reference within the schema is put in where it stands.
"""

from collections.abc import Mapping
from typing import Any

MOST_NODES = 400
MOST_DEPTH = 12
LONGEST_TEXT = 500
"""Characters of a description or of any other text."""

_SCHEMAS_BY_NAME = ("properties",)
_LISTS_OF_SCHEMAS = ("anyOf", "oneOf", "allOf")
_SCHEMAS = ("items", "additionalProperties")
_VALUES = (
    *("type", "enum", "const", "required", "title", "description", "default", "format"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"),
)


class UnusableSchema(Exception):
    """No call could be checked against it. The text says why."""


def usable_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of an object of arguments; raises UnusableSchema."""
    cut: dict[str, Any] = _Cut(schema).schema(schema, 0)
    cut.setdefault("type", "object")
    if cut["type"] != "object":
        raise UnusableSchema("it describes no object")
    cut.setdefault("properties", {})
    return cut


class _Cut:
    """One walk over a schema, which counts."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._nodes = 0

    def schema(self, schema: Any, depth: int) -> Any:
        self._count(depth)
        if not isinstance(schema, Mapping):
            return schema if isinstance(schema, bool) else {}
        reference = schema.get("$ref")
        kept: dict[str, Any] = {}
        if isinstance(reference, str):
            found = self.schema(self._find(reference), depth + 1)
            kept = found if isinstance(found, dict) else {}
        for key, value in schema.items():
            if key in _VALUES:
                kept[key] = self._value(value, depth + 1)
            elif key in _SCHEMAS:
                kept[key] = self.schema(value, depth + 1)
            elif key in _LISTS_OF_SCHEMAS and isinstance(value, list) and value:
                kept[key] = [self.schema(item, depth + 1) for item in value]
            elif key in _SCHEMAS_BY_NAME and isinstance(value, Mapping):
                kept[key] = {self._text(name): self.schema(item, depth + 1) for name, item in value.items()}
        return kept

    def _value(self, value: Any, depth: int) -> Any:
        self._count(depth)
        match value:
            case str():
                return self._text(value)
            case list():
                return [self._value(item, depth + 1) for item in value]
            case Mapping():
                return {self._text(key): self._value(item, depth + 1) for key, item in value.items()}
            case _:
                return value

    def _text(self, text: Any) -> str:
        return clean(str(text), LONGEST_TEXT)

    def _find(self, reference: str) -> Any:
        here: Any = self._root
        if not reference.startswith("#/"):
            raise UnusableSchema("it refers to something outside of it, or to itself")
        for part in reference[2:].split("/"):
            name = part.replace("~1", "/").replace("~0", "~")
            if not isinstance(here, Mapping) or name not in here:
                raise UnusableSchema("it refers to something that is not in it")
            here = here[name]
        return here

    def _count(self, depth: int) -> None:
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise UnusableSchema(f"it has more than {MOST_NODES} parts")
        if depth > MOST_DEPTH:
            raise UnusableSchema("it is nested too deeply, or refers to itself")


def clean(text: str, longest: int) -> str:
    """Text of a server without control characters and halves of characters, cut to `longest`."""
    visible = "".join(char if char.isprintable() or char == "\n" else " " for char in text[: 4 * longest]).strip()
    return visible if len(visible) <= longest else visible[: longest - 1] + "…"
