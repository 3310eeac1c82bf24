"""The demo's stand-in for home automation: a lamp and a heating that obey tool calls and answer them."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from voice_node.mqtt.message import Incoming, Message
from voice_node.mqtt.topics import Topics


@dataclass(slots=True)
class Home:
    """What a home's automations would do, for every tool that is called: remember the wish, and answer `done`."""

    topics: Topics
    publish: Callable[[Message], None]
    things: dict[str, str] = field(default_factory=dict)
    """Thing -> its state now."""

    def hear(self, message: Incoming) -> str | None:
        """Obey a tool call; what happened, in words, or None where the message is none."""
        name = self._tool(message.topic)
        if name is None:
            return None
        match _read(message.payload):
            case {"call_id": str(call_id), "arguments": dict(arguments)}:
                thing, state = self._wish(name, arguments)
            case _:  # anybody may publish at a broker
                return None
        self.things[thing] = state
        answer = {"call_id": call_id, "output": {"result": "done", thing: state}}
        self.publish(Message(self.topics.result(name), json.dumps(answer).encode(), qos=1))
        return f"{thing}: {state}"

    def _tool(self, topic: str) -> str | None:
        match self.topics.below(topic).split("/"):
            case ["tool", name, "call"]:
                return name
            case _:
                return None

    @staticmethod
    def _wish(name: str, arguments: dict[str, Any]) -> tuple[str, str]:
        values = {key: str(value) for key, value in arguments.items()}
        if "area" in values and "state" in values:
            return f"{values['area']} {name.removeprefix('set_')}", values["state"]
        return name.removeprefix("set_"), ", ".join(values.values()) or "done"


def _read(payload: bytes) -> Any:
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        return None
