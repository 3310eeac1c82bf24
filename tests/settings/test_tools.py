"""The section `tools`."""

from typing import Any

import pytest
from pydantic import ValidationError

from voice_node.settings.tools import Tool, looks_dangerous


def tool(**keys: Any) -> Tool:
    """A tool with these keys."""
    return Tool.model_validate({"name": "light", "description": "x", **keys})


@pytest.mark.parametrize("hours", ["00:00-23:59", "22:30-06:00"])
def test_hours_are_a_span_of_the_day(hours: str) -> None:
    assert tool(hours=hours).hours == hours


@pytest.mark.parametrize(
    "hours", ["", "7:00-22:00", "07:00", "24:00-01:00", "07:00-22:60", "07:00-07:00", "07:00-08:00 "]
)
def test_anything_else_is_not(hours: str) -> None:
    with pytest.raises(ValidationError):
        tool(hours=hours)


@pytest.mark.parametrize("topic", ["", "a/+", "#", "$SYS/a", "a\0", "a\n", "a\x7f", "x" * 257])
def test_a_device_has_one_topic(topic: str) -> None:
    with pytest.raises(ValidationError):
        tool(publish={"topic": topic, "payload": ""})
    with pytest.raises(ValidationError):
        tool(expect={"topic": topic})


def test_arguments_are_an_object() -> None:
    assert tool().parameters == {"type": "object", "properties": {}}
    for parameters in ({}, {"type": "string"}, {"type": ["object"]}):
        with pytest.raises(ValidationError):
            tool(parameters=parameters)


def test_a_name_is_one_level_of_a_topic() -> None:
    for name in ("", "a/b", "A", "x" * 65):
        with pytest.raises(ValidationError):
            tool(name=name)


@pytest.mark.parametrize(
    "name",
    [
        "unlock", "lock_door", "doorlock", "front-door", "open_garage", "garagedoor", "gate", "open_gate", "opengate",
        "alarm", "disarm_alarm", "arm", "oven", "preheat-oven", "stove_on", "haustuer", "schloss_auf", "backofen",
        "porte", "ouvrir_porte", "serrure", "puerta", "horno", "deur", "voordeur", "safe",
    ],
)  # fmt: skip
def test_names_that_look_dangerous(name: str) -> None:
    assert looks_dangerous(name)
    assert tool(name=name).policy == "deny"
    assert tool(name=name, confirm="never").policy == "never"


@pytest.mark.parametrize(
    "name",
    [
        "set_light", "clock", "set_clock", "block_ads", "outdoor_light", "indoor_fan", "doorbell", "navigate",
        "report", "swarm", "charm", "woven", "proven", "storm", "monitor", "timeslot", "fourth", "investigate",
    ],
)  # fmt: skip
def test_names_that_do_not(name: str) -> None:
    assert not looks_dangerous(name)
    assert tool(name=name).policy == "never"
    assert tool(name=name, confirm="pin").policy == "pin"
