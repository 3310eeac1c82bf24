"""Tools as a room file has them, for the tests of the local engine."""

from typing import Any

from voice_node.settings.tools import Tool


def words(*values: str) -> dict[str, Any]:
    """The schema of a parameter with these values."""
    return {"type": "string", "enum": list(values)}


def tool(name: str, sentences: list[str], properties: dict[str, Any] | None = None, **more: Any) -> Tool:
    """A tool whose parameters are all required."""
    names = list(properties or {})
    parameters = {"type": "object", "properties": properties or {}, "required": names, "additionalProperties": False}
    return Tool(name=name, description=name, parameters=parameters, sentences=sentences, **more)


SET_LIGHT = tool(
    "set_light",
    ["(turn|switch) {state} [the] {area} light[s]", "(turn|switch) [the] {area} light[s] {state}"],
    {"area": words("kitchen", "bedroom", "living_room"), "state": words("on", "off")},
    say="The {area} light is {state}.",
)
SET_BLIND = tool(
    "set_blind",
    ["set [the] {area} (blind|blinds) to {position}[%| percent]"],
    {"area": words("kitchen"), "position": {"type": "integer", "minimum": 0, "maximum": 100}},
)
GET_TIME = tool("get_time", ["what time is it", "what is the time"])
UNLOCK = tool("unlock_door", ["unlock [the] [front] door"], confirm="pin")

ROOM = (SET_LIGHT, SET_BLIND, GET_TIME, UNLOCK)


def as_offered(*tools: Tool) -> list[dict[str, Any]]:
    """As a client lists tools in `session.update`."""
    return [
        {"type": "function", "name": one.name, "description": one.description, "parameters": one.parameters}
        for one in tools
    ]
