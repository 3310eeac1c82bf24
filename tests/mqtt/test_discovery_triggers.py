"""A trigger of the device is there where it can fire."""

from tests.mqtt.test_discovery import room


def test_a_tool_that_goes_straight_to_a_device_has_none() -> None:
    plug = {"name": "plug", "description": "b", "publish": {"topic": "cmnd/plug/POWER", "payload": "ON"}}
    found = room(tools=[plug, {"name": "light", "description": "b"}])["components"]
    assert "tool_call_plug" not in found
    assert "tool_call_light" in found
