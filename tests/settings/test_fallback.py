"""Whether somebody stands behind a room's service, and the warning where nobody does."""

from typing import Any

import pytest

from voice_node.settings.fallback import INTENTS, NEEDED, find_no_fallback, has_fallback
from voice_node.settings.schema import RoomSettings

LIGHT: dict[str, Any] = {"name": "light", "description": "A light.", "sentences": ["light on"]}
LOCK: dict[str, Any] = {"name": "unlock", "description": "A lock.", "confirm": "pin", "sentences": ["unlock the door"]}


def room(*tools: dict[str, Any], fallback: dict[str, Any] | None = None, **session: Any) -> RoomSettings:
    content: dict[str, Any] = {"room": "kitchen", "session": {"provider": "openai"} | session, "tools": list(tools)}
    return RoomSettings.model_validate(content if fallback is None else content | {"fallback": fallback})


def warnings(settings: RoomSettings, *, is_there: bool = True) -> list[str]:
    return [problem.text for problem in find_no_fallback(settings, lambda _: is_there)]


def test_a_cloud_room_has_one_unless_it_says_otherwise() -> None:
    assert has_fallback(room(LIGHT), lambda module: module == NEEDED)
    assert warnings(room(LIGHT)) == []
    assert not has_fallback(room(LIGHT, fallback={"provider": None}), lambda _: True)
    assert warnings(room(LIGHT, fallback={"provider": None}), is_there=False) == []


def test_a_local_room_needs_none() -> None:
    assert not has_fallback(room(LIGHT, provider="local"), lambda _: True)
    assert warnings(room(LIGHT, provider="local"), is_there=False) == []


def test_without_the_extra_nobody_answers_and_a_warning_says_so() -> None:
    assert not has_fallback(room(LIGHT), lambda _: False)
    (warning,) = warnings(room(LIGHT), is_there=False)
    assert "nobody answers" in warning
    assert "pip install 'voice-node[local]'" in warning


@pytest.mark.parametrize(
    ("tools", "session", "why"),
    [
        ([LIGHT], {"type": "transcription"}, "only writes down"),
        ([], {}, "no tool"),
        ([LOCK], {}, "no tool"),
        ([LIGHT | {"offline": False}], {}, "no tool"),
        ([LIGHT | {"sentences": []}], {}, "no tool"),
    ],
)
def test_where_it_could_understand_nothing_there_is_none(
    tools: list[dict[str, Any]], session: dict[str, Any], why: str
) -> None:
    assert not has_fallback(room(*tools, **session), lambda _: True)
    assert warnings(room(*tools, **session)) == [], "nobody wrote it"
    (warning,) = warnings(room(*tools, fallback={"provider": "local"}, **session))
    assert why in warning


def test_sentences_of_home_assistant_are_sentences_where_they_are_installed() -> None:
    fan = room({"name": "fan", "description": "A fan.", "intents": [{"intent": "HassTurnOn"}]})
    assert has_fallback(fan, lambda _: True)
    assert not has_fallback(fan, lambda module: module != INTENTS)


def test_what_must_be_confirmed_is_offered_offline_only_where_the_room_says_so() -> None:
    offered = {tool.name for tool in room(LIGHT, LOCK).tools if tool.works_offline}
    assert offered == {"light"}
    assert has_fallback(room(LOCK | {"offline": True}), lambda _: True)
