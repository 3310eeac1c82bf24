"""What a room file may ask for and this version does not do yet.

One line for each: delete it when the node acts on the key. What would change who is listened to, or who pays, is an
error; the rest is a warning. Values that ask for nothing (null, off) are not mentioned.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from voice_node.settings.problem import KeyPath, Problem, shown


@dataclass(frozen=True, slots=True)
class NotYet:
    """A key, the values that ask for nothing new, and what happens instead."""

    key: tuple[str, ...]
    """`*` stands for every item of a list."""
    fine: tuple[Any, ...]
    text: str
    is_error: bool = False


_LATER = "is not in this version yet"

NOT_YET = (
    NotYet(
        ("session", "tools", "*", "require_approval"),
        ("never",),
        f"{_LATER}: nobody can approve, so what needs it is never called",
    ),
)


def find_not_yet(values: dict[str, Any]) -> Iterator[tuple[Problem, bool]]:
    """What the file asks for too early, and whether that is an error. Only keys that the file holds."""
    for entry in NOT_YET:
        for path, value in _found(values, entry.key, ()):
            if value not in entry.fine:
                what = f"{shown(value, path)} " if isinstance(value, str) else ""
                yield Problem(path, what.replace('"', "") + entry.text), entry.is_error


def _found(value: Any, key: tuple[str, ...], path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    if not key:
        yield path, value
    elif key[0] == "*" and isinstance(value, list):
        for index, item in enumerate(value):
            yield from _found(item, key[1:], (*path, index))
    elif isinstance(value, dict) and key[0] in value:
        yield from _found(value[key[0]], key[1:], (*path, key[0]))
