"""Words for what pydantic finds. The messages themselves are held in test_load."""

import json

import pytest
from pydantic import ValidationError

from voice_node.settings.schema import GateSettings, RoomSettings
from voice_node.settings.session import ServerVad, SessionSettings
from voice_node.settings.tools import Tool
from voice_node.settings.wording import PATTERNS, fields_at, problems_of, sections_in


def test_every_pattern_of_the_schema_has_words_and_none_is_left_over() -> None:
    found = set()

    def walk(node: object) -> None:
        if isinstance(node, dict):
            if isinstance(node.get("pattern"), str):
                found.add(node["pattern"])
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(json.loads(json.dumps(RoomSettings.model_json_schema())))
    assert found == set(PATTERNS)


def test_keys_of_a_place_are_found_through_lists_and_unions() -> None:
    assert set(fields_at(())) == set(RoomSettings.model_fields)
    assert set(fields_at(("tools", 3))) == set(Tool.model_fields)
    assert set(fields_at(("session", "turn_detection"))) == {*ServerVad.model_fields, "eagerness"}
    assert fields_at(("tools", 3, "parameters")) == fields_at(("nowhere", "at", "all")) == {}
    assert list(sections_in(RoomSettings.model_fields["gate"].annotation)) == [GateSettings]


@pytest.mark.parametrize(
    "value",
    [{"AuthUrl": 3}, {"url": 3, "literal['api_key','client_secret']": 1}, {"AuthUrl": {"AuthUrl": {"url": 3}}}],
)
def test_keys_named_like_branches_of_a_union_do_no_harm(value: object) -> None:
    values = {"room": "a", "session": {"auth": value}}
    with pytest.raises(ValidationError) as caught:
        RoomSettings.model_validate(values)
    problems = problems_of(caught.value, values)
    assert problems
    assert all(problem.path[:2] == ("session", "auth") for problem in problems)


@pytest.mark.parametrize("name", list(SessionSettings.model_fields))
def test_one_mistake_in_a_session_is_one_problem(name: str) -> None:
    wrong: tuple[object, ...] = (-1, {}, [[]], "", None, True)
    for value in wrong:
        values = {"room": "a", "session": {name: value}}
        try:
            RoomSettings.model_validate(values)
        except ValidationError as error:
            problems = problems_of(error, values)
            below = [problem for problem in problems if problem.path != ("session", name)]
            assert len(problems) == 1 or below == problems
