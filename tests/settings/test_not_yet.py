"""The table of what is not done yet speaks of keys and values that exist."""

from typing import Any

import pytest

from voice_node.settings.not_yet import NOT_YET, NotYet, find_not_yet
from voice_node.settings.schema import RoomSettings
from voice_node.settings.wording import fields_at

ITEMS = {"tools": {"name": "a", "description": "b"}, "session": {"type": "mcp", "server_label": "a"}}
"""The least that an item of each list holds."""


def nested(key: tuple[str, ...], value: Any) -> dict[str, Any]:
    """A room's values with `value` at `key`."""
    for part in reversed(key):
        value = [{**ITEMS[key[0]], **value}] if part == "*" else {part: value}
    return {"room": "a", **value}


@pytest.mark.parametrize("entry", NOT_YET, ids=lambda entry: ".".join(entry.key))
def test_each_entry_is_a_key_and_its_fine_values_are_right(entry: NotYet) -> None:
    path = tuple(0 if part == "*" else part for part in entry.key)
    assert path[-1] in fields_at(path[:-1])
    for value in entry.fine:
        if (path, value) != (("session", "conversation"), None):
            RoomSettings.model_validate(nested(entry.key, value))
        assert list(find_not_yet(nested(entry.key, value))) == []


def test_what_is_not_in_the_file_is_not_mentioned() -> None:
    assert list(find_not_yet({"room": "a", "tools": 5, "gate": None, "budget": []})) == []
