"""All mistakes at once, and none that is a mere consequence."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from voice_node.settings.checks import check_settings
from voice_node.settings.document import read_document
from voice_node.settings.problem import KeyPath, Problem
from voice_node.settings.schema import RoomSettings
from voice_node.settings.secrets import find_written_secrets
from voice_node.settings.validate import validate


def paths(values: dict[str, object], *broken: KeyPath) -> list[KeyPath]:
    """Where there are problems."""
    return [problem.path for problem in validate(values, set(broken), [])[1]]


def test_right_values_become_settings_and_stay_as_they_are() -> None:
    values: dict[str, object] = {"room": "a", "tools": [{"name": "b", "description": "c"}]}
    settings, problems = validate(values, (), [])
    assert settings == RoomSettings.model_validate(values)
    assert problems == []


def test_what_is_wrong_falls_back_to_its_default_and_the_values_are_not_touched() -> None:
    values: dict[str, object] = {"room": "A B", "gate": {"frame_ms": 25, "onset_ms": 200}, "tools": [{}, {"name": "b"}]}
    before = repr(values)
    settings, problems = validate(values, (), [])
    assert settings is not None
    assert (settings.gate.frame_ms, settings.gate.onset_ms, settings.tools) == (20, 200, [])
    assert len(problems) == 5
    assert repr(values) == before


def test_problems_of_tools_keep_the_index_of_the_file() -> None:
    good = {"name": "good", "description": "x"}

    def check(settings: RoomSettings) -> list[Problem]:
        return [Problem(("tools", index), tool.name) for index, tool in enumerate(settings.tools)]

    values = {"room": "a", "tools": [{}, good, 5, {**good, "name": "bad", "confirm": 1}, good]}
    _, problems = validate(values, (), [check])
    found = [problem.path for problem in problems]
    assert found[:4] == [("tools", 0, "name"), ("tools", 0, "description"), ("tools", 2), ("tools", 3, "confirm")]
    assert found[4:] == [("tools", 1), ("tools", 4)]


def test_checks_that_read_what_is_wrong_are_withheld() -> None:
    def check(settings: RoomSettings) -> list[Problem]:
        return [
            Problem(("gate", "onset_ms"), "reads what is wrong", reads=(("mqtt", "port"),)),
            Problem(("mqtt", "port", "x"), "stands below what is wrong"),
            Problem(("gate", "frame_ms"), "stays"),
        ]

    _, problems = validate({"room": "a", "mqtt": {"port": 0}}, (), [check])
    assert [problem.path for problem in problems] == [("mqtt", "port"), ("gate", "frame_ms")]


def test_a_required_key_that_is_wrong_takes_its_section_with_it() -> None:
    truncation = {"type": "retention_ratio", "retention_ratio": 5}
    assert paths({"room": "a", "session": {"truncation": truncation}}) == [("session", "truncation", "retention_ratio")]


def test_broken_places_are_not_complained_about_again() -> None:
    values: dict[str, object] = {
        "room": None,
        "gate": {"frame_ms": None},
        "session": {"include": [None]},
        "tools": None,
    }
    broken: list[KeyPath] = [("room",), ("gate", "frame_ms"), ("session", "include", 0), ("tools",)]
    assert paths(values, *broken) == []
    assert len(paths(values)) == 4


def places(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    """The path of everything below `value`."""
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


ODD: list[Any] = [
    None,
    [],
    {},
    [[]],
    [{}],
    {"type": []},
    -1,
    "{x}",
    True,
    {"type": "object", "properties": {"a": {"enum": {}}}},
]


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_whatever_stands_anywhere_leads_to_problems_and_not_to_a_crash(odd: Any) -> None:
    kitchen = read_document(Path(__file__).parents[2] / "config" / "rooms" / "kitchen.yaml").values
    for path in places(kitchen):
        values: Any = copy.deepcopy(kitchen)
        holder = values
        for part in path[:-1]:
            holder = holder[part]
        holder[path[-1]] = copy.deepcopy(odd)
        settings, problems = validate(values, (), [check_settings])
        assert settings is not None
        problems += find_written_secrets(values)
        assert not any("Input" in problem.text or "\n" in problem.text for problem in problems)
