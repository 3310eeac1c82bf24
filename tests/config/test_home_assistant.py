"""What Home Assistant's users copy fits the rooms that they have."""

import json
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from voice_node.mqtt.discovery import document
from voice_node.mqtt.topics import Topics
from voice_node.settings.load import load_room
from voice_node.settings.schema import RoomSettings

SHIPPED = Path(__file__).parents[2] / "config" / "home_assistant"


def test_the_dashboard_shows_entities_that_there_are() -> None:
    found = document(RoomSettings(room="kitchen"), Topics("voice_node", "kitchen"), "1")
    there_are = {part.get("default_entity_id") for part in found["components"].values()}
    text = (SHIPPED / "dashboard.yaml").read_text()
    shown = {word.strip("(',") for word in text.split() if "voice_node_kitchen_" in word}
    shown = {word.partition("'")[2].partition("'")[0] if "'" in word else word for word in shown}
    assert len(shown) > 10
    assert shown <= there_are


def test_the_tools_are_those_that_the_package_answers(tmp_path: Path) -> None:
    tools = YAML(typ="safe").load(SHIPPED / "tools.yaml")["tools"]
    room = tmp_path / "kitchen.yaml"
    room.write_text(json.dumps({"room": "kitchen", "tools": tools}))
    assert load_room(room).warnings == ()
    automations = YAML(typ="safe").load(SHIPPED / "packages" / "voice_node.yaml")["automation"]
    answered = {automation["use_blueprint"]["input"].get("tool") for automation in automations} - {None}
    assert answered == {tool["name"] for tool in tools}


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("blueprints/*/voice_node/*.yaml")), ids=lambda path: path.stem)
def test_a_blueprint_says_what_it_does(path: Path) -> None:
    text = path.read_text()
    assert text.startswith('blueprint:\n  name: "Voice node: ')
    assert "min_version: 2025.4.0" in text
