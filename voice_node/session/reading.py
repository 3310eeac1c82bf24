"""Reading fields out of JSON that a stranger wrote.

A field without which an event means nothing is of the right type, or `Unreadable` with the field's name. Any other
field of the wrong type counts as absent: an odd price must not cost a turn.
"""

from collections.abc import Mapping
from typing import Any

LONGEST_ID = 256
"""Characters; ids are kept, logged and published, and those of services have thirty."""
MOST_TEXTS = 16
"""As many as the service takes of metadata."""


class Unreadable(Exception):
    """A field is missing, of the wrong type or far too long. The text names the field, never its value."""


def text(source: Mapping[str, Any], key: str) -> str:
    """The string at `key`, with lone surrogates replaced: they could not be published."""
    value = source.get(key)
    if not isinstance(value, str):
        raise Unreadable(f"{key} is not a string")
    return clean(value)


def text_or(source: Mapping[str, Any], key: str, default: str) -> str:
    """The string at `key`, or `default` where there is none."""
    return text(source, key) if isinstance(source.get(key), str) else default


def name(source: Mapping[str, Any], key: str) -> str:
    """The id at `key`."""
    value = text(source, key)
    if len(value) > LONGEST_ID:
        raise Unreadable(f"{key} is longer than {LONGEST_ID} characters")
    return value


def name_or(source: Mapping[str, Any], key: str, default: str) -> str:
    """The id at `key`, or `default` where there is none."""
    return name(source, key) if isinstance(source.get(key), str) else default


def number_or(source: Mapping[str, Any], key: str, default: float) -> float:
    """The number at `key`, or `default` where there is none that can be counted with."""
    value = source.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e15:
        return default
    return value


def count(source: Mapping[str, Any], key: str) -> int:
    """The number of things at `key`, 0 where there is none."""
    return max(0, int(number_or(source, key, 0)))


def mapping(source: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The object at `key`."""
    value = source.get(key)
    if not isinstance(value, dict):
        raise Unreadable(f"{key} is not an object")
    return value


def mapping_or_empty(source: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The object at `key`, empty where there is none."""
    value = source.get(key)
    return value if isinstance(value, dict) else {}


def mappings(source: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """The objects of the list at `key`; empty where there is no list; what is no object is left out."""
    value = source.get(key)
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def texts(source: Mapping[str, Any], key: str) -> dict[str, str]:
    """The object at `key` with its string values alone, and of these the short ones."""
    value = source.get(key)
    if not isinstance(value, dict):
        return {}
    short = [(name, entry) for name, entry in value.items() if isinstance(entry, str) and len(entry) <= LONGEST_ID]
    return {clean(name): clean(entry) for name, entry in short[:MOST_TEXTS]}


def clean(value: str) -> str:
    """The text with every lone surrogate replaced by U+FFFD."""
    if value.isascii():
        return value
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
