"""The tools that the model is offered, and the check of what it wants to call them with."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError, best_match
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable

from voice_node.model.json_text import BadJson, read_json, walk
from voice_node.router.pattern import MOST_CHARS, UnusablePattern, longest_text
from voice_node.settings.problem import Problem
from voice_node.settings.schema import RoomSettings
from voice_node.settings.tools import Tool

MAX_ARGUMENT_CHARS = MOST_CHARS
MAX_ARGUMENT_BYTES = 48_000
"""So that a call with them fits into one message of 64 KiB, however its numbers are written."""
MAX_DEPTH = 16
MAX_VALUES = 1000
"""Some checks of JSON Schema take time that grows with the square of this: `uniqueItems` a tenth of a second for it."""


class BadArguments(Exception):
    """The model's arguments cannot be used. The text is for the model: what is wrong, in one line."""


class ToolBox:
    """The room's tools by name, with their schemas ready to check."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._validators = {tool.name: _validator(tool) for tool in tools}
        self._problems = {tool.name: schema_problem(tool) for tool in tools}
        self._longest_names = {
            name: min(map(longest_text, _name_patterns(tool.parameters)), default=MAX_ARGUMENT_CHARS)
            for name, tool in self._tools.items()
            if self._problems[name] is None
        }

    def __iter__(self) -> Iterator[Tool]:
        return iter(self._tools.values())

    def get(self, name: str) -> Tool | None:
        """The tool of this name."""
        return self._tools.get(name)

    def read(self, name: str, arguments: str) -> dict[str, Any]:
        """The arguments of a call as checked values; raises BadArguments, KeyError for an unknown tool.

        A tool whose schema cannot be used has no arguments that could be: each call of it is refused.
        """
        validator = self._validators[name]
        if self._problems[name] is not None:
            raise BadArguments("the schema of this tool cannot be used")
        values = read_object(arguments)
        if any(
            len(key) > self._longest_names[name]
            for value, _ in walk(values)
            if isinstance(value, dict)
            for key in value
        ):
            raise BadArguments(f"a name is longer than {self._longest_names[name]} characters")
        try:
            error = best_match(validator.iter_errors(values))
        except (Unresolvable, RecursionError):
            raise BadArguments("the schema of this tool cannot be used") from None
        if error is not None:
            raise BadArguments(f"{_place(error.absolute_path)}: {error.message[:300]}")
        return values


def schema_problems(settings: RoomSettings) -> Iterator[Problem]:
    """The tools of a room whose `parameters` no call could be checked against."""
    for index, tool in enumerate(settings.tools):
        text = schema_problem(tool)
        if text is not None:
            yield Problem(("tools", index, "parameters"), " ".join(text.split()))


def schema_problem(tool: Tool) -> str | None:
    """What is wrong with the tool's `parameters` as a JSON Schema, or None."""
    try:
        Draft202012Validator.check_schema(tool.parameters)
    except SchemaError as error:
        return f"is not a valid JSON Schema at {_place(error.absolute_path)}: {error.message[:200]}"
    for pattern in (*_patterns(tool.parameters), *_name_patterns(tool.parameters)):
        try:
            longest_text(pattern)
        except UnusablePattern as error:
            return f"has the pattern {pattern[:100]}, which {error}"
    for reference in _references(tool.parameters):
        try:
            # Any value will do: the question is whether the way to the schema ends.
            best_match(_validator(tool).descend({}, {"$ref": reference}))
        except Unresolvable:
            return f"refers to {reference[:200]}, which is not in it"
        except RecursionError:
            return f"refers to {reference[:200]}, which refers to itself without end"
    return None


def read_object(text: str) -> dict[str, Any]:
    """A JSON object, read strictly: no NaN, no duplicate keys, no numbers or nesting that break what comes after."""
    if len(text) > MAX_ARGUMENT_CHARS:
        raise BadArguments(f"the arguments are longer than {MAX_ARGUMENT_CHARS} characters")
    if len(text.encode(errors="replace")) > MAX_ARGUMENT_BYTES:
        raise BadArguments(f"the arguments are longer than {MAX_ARGUMENT_BYTES} bytes")
    try:
        values = read_json(text or "{}", deepest=MAX_DEPTH - 1, most_values=MAX_VALUES, largest=2**53)
    except BadJson as error:
        raise BadArguments(f"the arguments cannot be read: {error}") from None
    if not isinstance(values, dict):
        raise BadArguments("the arguments are not a JSON object")
    return values


def _validator(tool: Tool) -> Draft202012Validator:
    # An empty registry: a `$ref` to the network is an error instead of a download.
    return _BoundedValidator(_without_dialects(tool.parameters), registry=Registry())


def _matches(_validator: Any, pattern: str, value: Any, _schema: Any) -> Iterator[ValidationError]:
    if not isinstance(value, str):
        return
    if len(value) > longest_text(pattern):
        raise BadArguments(f"a text is longer than {longest_text(pattern)} characters")  # no `not` may make it right
    if not re.search(pattern, value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


_extend: Callable[..., type[Draft202012Validator]] = extend  # the library gives it no type
_BoundedValidator = _extend(Draft202012Validator, {"pattern": _matches})


def _without_dialects(schema: Any) -> Any:
    """Without `$schema`: a part that names one would be checked by the library's own validator."""
    match schema:
        case Mapping():
            kept = {key: value for key, value in schema.items() if key != "$schema" or not isinstance(value, str)}
            return {key: _without_dialects(value) for key, value in kept.items()}
        case list():
            return [_without_dialects(item) for item in schema]
        case _:
            return schema


def _place(path: Any) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).lstrip(".") or "the arguments"


def _patterns(schema: Any) -> Iterator[str]:
    for value, _ in walk(schema):
        if isinstance(value, Mapping) and isinstance(value.get("pattern"), str):
            yield value["pattern"]


def _name_patterns(schema: Any) -> Iterator[str]:
    for value, _ in walk(schema):
        if isinstance(value, Mapping) and isinstance(value.get("patternProperties"), Mapping):
            yield from value["patternProperties"]


def _references(schema: Any) -> Iterator[str]:
    for value, _ in walk(schema):
        if isinstance(value, Mapping):
            yield from (value[key] for key in ("$ref", "$dynamicRef") if isinstance(value.get(key), str))
