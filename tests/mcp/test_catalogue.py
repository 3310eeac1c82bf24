"""What a server lists, and what the model is offered of it."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_node.mcp.catalogue import LONGEST_NAME, MOST_TOOLS, Catalogue, Listed, catalogue, safe_names
from voice_node.settings.mcp import McpServer

OBJECT: dict[str, Any] = {"type": "object", "properties": {}}


def server(*allow: str, **keys: Any) -> McpServer:
    return McpServer.model_validate({"name": "home", "url": "http://home/api/mcp", "allow": list(allow), **keys})


def listed(*names: str) -> list[Listed]:
    return [Listed(name, "Does it.", OBJECT) for name in names]


def offered(found: Catalogue) -> dict[str, str]:
    return {tool.name: tool.remote_name for tool in found.tools}


def test_names_go_there_and_back() -> None:
    found = catalogue(server("*"), listed("homeassistant__HassTurnOn", "GetLiveContext", "get_date", "HTTPGet"))
    assert offered(found) == {
        "get_date": "get_date",
        "get_live_context": "GetLiveContext",
        "homeassistant__hass_turn_on": "homeassistant__HassTurnOn",
        "http_get": "HTTPGet",
    }
    assert found.problems == ()


@pytest.mark.parametrize(
    ("allow", "names"),
    [
        (["homeassistant__HassTurnOn"], {"HassTurnOn"}),
        (["HassTurnOn"], {"HassTurnOn"}),
        (["HassTurn*"], {"HassTurnOn", "HassTurnOff"}),
        (["homeassistant__*"], {"HassTurnOn", "HassTurnOff", "GetLiveContext"}),
        ([], set()),
    ],
)
def test_only_what_is_allowed_is_offered(allow: list[str], names: set[str]) -> None:
    all_names = ("HassTurnOn", "HassTurnOff", "GetLiveContext")
    found = catalogue(server(*allow), listed(*(f"homeassistant__{name}" for name in all_names)))
    assert {tool.remote_name.removeprefix("homeassistant__") for tool in found.tools} == names


def test_what_the_room_names_and_nobody_lists_is_told() -> None:
    found = catalogue(server("HassTurnOn", "Gone", tools=[{"name": "Other"}]), listed("homeassistant__HassTurnOn"))
    assert found.problems == ("Gone: it lists no such tool", "Other: it lists no such tool")


def test_the_policy_of_a_tool() -> None:
    rules = [{"name": "HassTurnOff", "confirm": "voice", "max_per_minute": 2, "hours": "07:00-22:00"}]
    settings = server("*", confirm="mqtt", timeout_s=20, max_per_minute=5, tools=rules)
    off, on = catalogue(settings, listed("homeassistant__HassTurnOff", "homeassistant__HassTurnOn")).tools
    assert (off.policy, off.max_per_minute, off.hours, off.timeout_s) == ("voice", 2, "07:00-22:00", 20)
    assert (on.policy, on.max_per_minute, on.hours, on.server) == ("mqtt", 5, None, "home")


def test_a_name_that_looks_dangerous_is_seen_in_spite_of_its_capitals() -> None:
    found = catalogue(server("*"), listed("OpenGate", "HassUnlock", "SetTor", "TurnOn"))
    assert {tool.name: tool.policy for tool in found.tools} == {
        "hass_unlock": "deny",
        "open_gate": "deny",
        "set_tor": "deny",
        "turn_on": "never",
    }
    assert len(found.problems) == 3


def test_the_order_of_a_list_is_no_change() -> None:
    assert catalogue(server("*"), listed("b", "a")) == catalogue(server("*"), listed("a", "b"))


def test_names_that_come_out_alike_differ_and_stay_the_same() -> None:
    names = ["HassTurnOn", "hass_turn_on", "hass turn on"]
    safe = safe_names(names)
    assert safe[1] == "hass_turn_on"
    assert len(set(safe)) == 3
    assert safe_names(list(reversed(names))) == list(reversed(safe))


@given(st.lists(st.text(max_size=200), unique=True, max_size=20))
def test_every_name_is_one_that_a_tool_may_have(names: list[str]) -> None:
    safe = safe_names(names)
    assert all(re.fullmatch(r"[a-z0-9_-]{1,64}", name) for name in safe)
    assert len(safe) == len(names)


def test_strange_tools_are_left_out_and_the_others_stay() -> None:
    tools = [
        *listed("good", "good", "", "\x00\ud800", "x" * 128),
        Listed("far", "", {"type": "object", "properties": {"a": {"$ref": "http://elsewhere/"}}}),
        Listed("silent", "", OBJECT),
        Listed("loud", "\x1b[31m" + "x" * 10**6, OBJECT),
    ]
    found = catalogue(server("*"), tools)
    names = [tool.name for tool in found.tools]
    assert {"good", "silent", "loud"} <= set(names)
    assert len(names) == len(set(names)) == 5
    assert all(len(name) <= LONGEST_NAME for name in names)
    assert all(1 <= len(tool.description) <= 1024 for tool in found.tools)
    assert found.problems == ("far: its schema cannot be used: it refers to something outside of it, or to itself",)


def test_a_schema_with_a_fault_is_left_out() -> None:
    found = catalogue(server("*"), listed("a", "b"), lambda tool: "is bad" if tool.name == "a" else None)
    assert offered(found) == {"b": "b"}
    assert found.problems == ("a: its schema cannot be used: is bad",)


def test_a_list_without_end_is_cut() -> None:
    found = catalogue(server("*"), listed(*(f"tool_{number:04}" for number in range(1000))))
    assert len(found.tools) == MOST_TOOLS
    assert len(found.problems) == 1
