"""Which tools the local engine never calls, and where that is worth a word."""

from typing import Any

import pytest

from voice_node.settings.schema import RoomSettings
from voice_node.settings.unspoken import unspoken_tools

LIGHT: dict[str, Any] = {"name": "light", "description": "A light.", "sentences": ["light on"]}
BLIND: dict[str, Any] = {"name": "blind", "description": "A blind."}
FAN: dict[str, Any] = {"name": "fan", "description": "A fan."}


def warnings(*tools: dict[str, Any], provider: str = "local", fallback: str | None = "local") -> list[str]:
    content = {"session": {"provider": provider}, "fallback": {"provider": fallback}, "tools": list(tools)}
    return list(unspoken_tools(RoomSettings.model_validate({"room": "kitchen"} | content), lambda _: True))


def test_a_local_room_is_told_each_tool_that_nothing_means() -> None:
    assert warnings(LIGHT) == []
    blind, fan = warnings(BLIND, LIGHT, FAN)
    assert blind.startswith("tools[blind]: has no `sentences`")
    assert fan.startswith("tools[fan]: has no `sentences`")


@pytest.mark.parametrize("tools", [[], [LIGHT | {"offline": False}], [LIGHT | {"name": "unlock"}]])
def test_a_local_room_that_understands_nothing_is_told_so(tools: list[dict[str, Any]]) -> None:
    (warning,) = warnings(*tools)
    assert "no tool has a sentence" in warning


def test_both_are_told_where_no_tool_has_a_sentence() -> None:
    each, all_of_them = warnings(BLIND)
    assert each.startswith("tools[blind]")
    assert "no tool has a sentence" in all_of_them


def test_sentences_of_home_assistant_are_sentences() -> None:
    assert warnings(BLIND | {"intents": [{"intent": "HassTurnOn"}]}) == []


def test_a_room_with_a_service_is_told_once() -> None:
    (warning,) = warnings(BLIND, LIGHT, FAN, provider="openai")
    assert warning.startswith("fallback: ")
    assert "blind, fan" in warning
    assert "light" not in warning
    assert warnings(LIGHT, provider="openai") == []
    assert warnings(BLIND, LIGHT, provider="openai", fallback=None) == []
    assert warnings(BLIND, provider="openai") == [], "then there is no fallback, which is told elsewhere"


@pytest.mark.parametrize("keys", [{"offline": False}, {"confirm": "mqtt"}, {"name": "unlock"}])
def test_what_is_not_offered_offline_needs_no_sentence(keys: dict[str, Any]) -> None:
    for provider in ("local", "openai"):
        assert warnings(BLIND | keys, LIGHT, provider=provider) == []
