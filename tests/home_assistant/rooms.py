"""A node in a home with Home Assistant: started, asked, and looked at from Home Assistant's side."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.fakes.broker import Broker
from tests.fakes.mqtt_spy import MqttSpy, Seen
from tests.fakes.until import until
from tests.home_assistant.program import SHIPPED, HomeAssistant
from tests.system.house import Program, write_room

IDENTITY = "voice_node_kitchen"
TOOLS: list[dict[str, Any]] = YAML(typ="safe").load(SHIPPED / "tools.yaml")["tools"]
PATIENCE_S = 15.0


class Room:
    """The kitchen, as Home Assistant has it."""

    def __init__(self, home_assistant: HomeAssistant, identity: str = IDENTITY) -> None:
        self._home_assistant = home_assistant
        self._identity = identity

    async def found(self, count: int = 20) -> None:
        """Return when it is there with its entities."""
        await until(lambda: len(self._home_assistant.entities(self._identity)) >= count, PATIENCE_S)

    def entity(self, key: str) -> str:
        """The entity id of a component."""
        entry = self._home_assistant.entities(self._identity)[f"{self._identity}_{key}"]
        return str(entry["entity_id"])

    def state(self, key: str) -> dict[str, Any]:
        """Its state now."""
        found: dict[str, Any] = self._home_assistant.get(f"/api/states/{self.entity(key)}")
        return found

    async def shows(self, key: str, wanted: str | Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait for this state."""

        def does() -> bool:
            state = self.state(key)
            return state["state"] == wanted if isinstance(wanted, str) else wanted(state)

        try:
            await until(does, PATIENCE_S)
        except TimeoutError:
            raise AssertionError(f"{key} is {self.state(key)}, not {wanted}") from None
        return self.state(key)

    async def perform(self, action: str, key: str, **data: Any) -> None:
        """An action on one of its entities."""
        await asyncio.to_thread(self._home_assistant.call, action, entity_id=self.entity(key), **data)

    async def asked(self, text: str) -> None:
        """Type it into *Ask*."""
        await self.perform("text.set_value", "ask", value=text)


@asynccontextmanager
async def living(folder: Path, broker: Broker, **sections: Any) -> AsyncIterator[tuple[MqttSpy, Program]]:
    """A node with the shipped tools at work, and a spy; it must be alive at the end."""
    async with MqttSpy(broker.port) as spy:
        room = write_room(folder, broker.port, **({"tools": TOOLS} | sections))
        with Program(folder, "run", room) as node:
            name = sections.get("room", "kitchen")
            place = f"voice_node/{name}/availability"
            await spy.wait_for(lambda seen: (seen.topic, seen.payload) == (place, b"online"), 20)
            yield spy, node
            assert node.is_running
            node.signal(signal.SIGTERM)
            assert await node.ended() == 0
            assert "Traceback" not in node.log


def commands(spy: MqttSpy, device: str) -> list[str]:
    """What a device was told so far."""
    return [seen.payload.decode() for seen in spy.on(f"devices/{device}")]


async def told(spy: MqttSpy, device: str, count: int = 1) -> list[str]:
    """Wait until a device was told something so often; all of it."""
    await spy.wait_for(lambda _: len(commands(spy, device)) >= count, PATIENCE_S)
    return commands(spy, device)


async def said(spy: MqttSpy, text: str, room: str = "kitchen") -> None:
    """Wait until the room says it."""

    def is_it(seen: Seen) -> bool:
        is_words = seen.topic == f"voice_node/{room}/transcript"
        return is_words and seen.json["role"] == "assistant" and text in seen.json["text"]

    await spy.wait_for(is_it, PATIENCE_S)
