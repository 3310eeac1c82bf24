import json
from typing import Any

import pytest

from voice_node.model.report import EventType, NodeState
from voice_node.mqtt.discovery import document
from voice_node.mqtt.topics import SETTINGS, Topics, is_publishable
from voice_node.settings.mcp import RemoteTool
from voice_node.settings.schema import RoomSettings

TOPICS = Topics("voice_node", "kitchen")
CONTRACT = {
    "voice_event": "event",
    "state": "sensor",
    "last_transcript": "sensor",
    "last_response": "sensor",
    "cost_today": "sensor",
    "tokens_today": "sensor",
    "session": "sensor",
    "speech": "binary_sensor",
    "problem": "binary_sensor",
    "connected": "binary_sensor",
    "mute": "switch",
    "listen": "button",
    "stop": "button",
    "new_conversation": "button",
    "restart_session": "button",
    "volume": "number",
    "gate_snr": "number",
    "hang_over": "number",
    "follow_up_window": "number",
    "daily_budget": "number",
    "say": "notify",
    "ask": "text",
}
"""The entities of the contract by key; *Wake word* is there only where one is used."""


def room(**sections: Any) -> dict[str, Any]:
    settings = RoomSettings.model_validate({"room": "kitchen", **sections})
    return document(settings, TOPICS, "1.2.3")


def entities(found: dict[str, Any]) -> dict[str, str]:
    parts = found["components"].items()
    return {key: part["platform"] for key, part in parts if part["platform"] != "device_automation"}


def test_it_holds_the_entities_of_the_contract() -> None:
    assert entities(room()) == CONTRACT
    waking = room(activation={"mode": "wake_word", "wake_word": "hey_jarvis"})
    assert entities(waking) == CONTRACT | {"wake_word": "select"}
    assert "hey_jarvis" in waking["components"]["wake_word"]["options"]


def test_ids_are_made_of_the_room_and_the_key_alone() -> None:
    found = room(name="Küche 2", tools=[{"name": "a", "description": "b"}])
    assert found["device"]["identifiers"] == ["voice_node_kitchen"]
    assert found["device"]["suggested_area"] == "Küche 2"
    for key, platform in CONTRACT.items():
        assert found["components"][key]["unique_id"] == f"voice_node_kitchen_{key}"
        assert found["components"][key]["default_entity_id"] == f"{platform}.voice_node_kitchen_{key}"


def test_each_tool_has_a_trigger_and_waking_has_one() -> None:
    found = room(tools=[{"name": "set_light", "description": "b"}, {"name": "scene-2", "description": "b"}])
    triggers = {
        (part["type"], part["subtype"]): (part["topic"], part.get("payload"))
        for part in found["components"].values()
        if part["platform"] == "device_automation"
    }
    assert triggers == {
        ("wake", "wake_word"): (TOPICS.event, "wake"),
        ("tool_call", "set_light"): (TOPICS.call("set_light"), None),
        ("tool_call", "scene-2"): (TOPICS.call("scene-2"), None),
    }


def test_it_knows_every_state_every_event_and_every_setting() -> None:
    parts = room(activation={"mode": "wake_word"})["components"]
    assert parts["state"]["options"] == list(NodeState)
    assert parts["voice_event"]["event_types"] == list(EventType)
    settings = {part["command_topic"] for part in parts.values() if part.get("command_topic", "").endswith("/set")}
    assert settings == {TOPICS.setting_set(name) for name in SETTINGS}


@pytest.mark.parametrize("room_name", ["kitchen", "k" * 64])
def test_every_topic_can_be_published_to(room_name: str) -> None:
    settings = RoomSettings.model_validate({"room": room_name, "tools": [{"name": "t" * 64, "description": "b"}]})
    found = document(settings, Topics("b" * 64, room_name), "1")
    for part in found["components"].values():
        for name in ("state_topic", "command_topic", "topic", "json_attributes_topic"):
            assert name not in part or is_publishable(part[name])


def test_a_hundred_tools_fit_into_one_message() -> None:
    tools = [{"name": f"set_something_of_number_{number}", "description": "b"} for number in range(128)]
    assert len(json.dumps(room(tools=tools))) < 64 * 1024


def test_a_tool_of_an_mcp_server_has_no_trigger() -> None:
    tool = RemoteTool(name="hass_turn_on", description="x", server="home", remote_name="HassTurnOn")
    settings = RoomSettings(room="kitchen").model_copy(update={"tools": [tool]})
    assert "tool_call_hass_turn_on" not in document(settings, TOPICS, "1")["components"]
