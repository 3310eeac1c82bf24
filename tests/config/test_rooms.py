"""The rooms that come with the program: they load, and the kitchen shows all that there is."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from voice_node.settings.document import read_document
from voice_node.settings.load import load_room
from voice_node.settings.schema import RoomSettings
from voice_node.settings.section import Section
from voice_node.settings.wording import sections_in

ROOMS = Path(__file__).parents[2] / "config" / "rooms"


@pytest.mark.parametrize("path", sorted(ROOMS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_room_loads_under_its_own_name(path: Path) -> None:
    assert load_room(path).settings.room == path.stem


def missing_keys(section: type[Section], values: Any, text: str, place: str = "") -> Iterator[str]:
    """Keys of `section` that neither `values` holds nor, for sections that are switched off, a comment shows."""
    shown = values if isinstance(values, list) else [values]
    for name, info in section.model_fields.items():
        held = [value[name] for value in shown if isinstance(value, dict) and name in value]
        may_be_a_comment = info.default is None or not any(isinstance(value, dict) for value in shown)
        if not held and not (may_be_a_comment and re.search(rf"#.*\b{name}:", text)):
            yield place + name
        for inner in sections_in(info.annotation):
            yield from missing_keys(inner, held[0] if held else None, text, f"{place}{name}.")


def test_the_kitchen_names_every_key() -> None:
    values = read_document(ROOMS / "kitchen.yaml").values
    text = (ROOMS / "kitchen.yaml").read_text(encoding="utf-8")
    assert list(missing_keys(RoomSettings, values, text)) == []


def test_a_key_that_the_kitchen_lacks_would_be_found() -> None:
    values = read_document(ROOMS / "bedroom.yaml").values
    missing = list(missing_keys(RoomSettings, values, "# ca: x"))
    assert {"gate", "gate.frame_ms", "tools.confirm", "tools.publish.topic", "mqtt.tls.key"} <= set(missing)
    assert not {"room", "tools", "tools.name", "mqtt.tls.ca"} & set(missing)


def test_the_kitchen_shows_the_defaults() -> None:
    kitchen = load_room(ROOMS / "kitchen.yaml").settings
    default = RoomSettings(room="kitchen", name="Kitchen", tools=kitchen.tools)
    assert kitchen.session.instructions.strip() == default.session.instructions
    session = kitchen.session.model_copy(update={"instructions": default.session.instructions})
    assert kitchen.model_copy(update={"session": session}) == default


def test_the_bedroom_is_the_least() -> None:
    assert len((ROOMS / "bedroom.yaml").read_text(encoding="utf-8").splitlines()) <= 10
    assert load_room(ROOMS / "bedroom.yaml").warnings == ()


@pytest.mark.parametrize("room", ["kitchen", "bedroom"])
def test_sentences_are_in_the_template_language(room: str) -> None:
    sampler = pytest.importorskip("hassil.parse_expression", reason="the extra `local` is not installed")
    for tool in load_room(ROOMS / f"{room}.yaml").settings.tools:
        assert tool.sentences, f"{tool.name} cannot be asked for offline"
        for sentence in tool.sentences:
            sampler.parse_sentence(sentence)
