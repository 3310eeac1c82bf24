"""`voice-node forget`: a room that is no more, so that no broker and no Home Assistant keeps anything of it."""

import asyncio
import json
import os
import secrets as randomness
from pathlib import Path

import click

from voice_node.cli.credentials import with_stored
from voice_node.model.errors import NodeError
from voice_node.mqtt.message import Incoming, Message
from voice_node.mqtt.observer import Observer
from voice_node.mqtt.topics import Topics
from voice_node.settings.load import load_room
from voice_node.settings.schema import MqttSettings
from voice_node.settings.secrets import read_secrets

ANSWER_S = 10.0
SETTLE_S = 1.0
"""Home Assistant lets go of the device's topics; an empty state on one of them would be an error in its log."""


class StillRunning(NodeError):
    """The room's node is online, and would publish everything again."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("room", metavar="ROOM.yaml", type=click.Path(path_type=Path))
def forget(room: Path) -> None:
    """Remove a room from Home Assistant and from the broker.

    Takes back the room's device and everything that the broker keeps for it. Stop the room first. A node that is
    started again is found again, with the same entities.

    Example: voice-node forget config/rooms/kitchen.yaml
    """
    settings = load_room(room).settings
    password = read_secrets(with_stored(os.environ, room)).mqtt_password
    topics = Topics(settings.mqtt.base, settings.room, settings.mqtt.discovery_prefix)
    asyncio.run(_forget(settings.mqtt, None if password is None else password.get_secret_value(), topics))
    click.echo(f"Room {settings.room} is forgotten.")


async def _forget(mqtt: MqttSettings, password: str | None, topics: Topics) -> None:
    """Take back what the broker keeps of the room; raises NodeError."""
    # As MQTT 3.1.1: an observer of MQTT 5 asks the broker for no retained messages.
    visit = _Visit(topics)
    filters = [f"{topics.branch}#", topics.discovery]
    observer = Observer(mqtt.model_copy(update={"protocol": 3}), password, filters, visit.hear)
    await observer.start(ANSWER_S)
    try:
        await visit.caught_up(observer)
        if visit.kept.get(topics.availability) == b"online":
            raise StillRunning(f"room {topics.room} is online: stop it first, as a service with `systemctl stop`")
        observer.publish(Message(topics.discovery, b"", qos=1, is_retained=True))
        await visit.caught_up(observer)
        await asyncio.sleep(SETTLE_S)
        # Access rules may hide from this login what it told: then it takes back what a room tells.
        for topic in {*topics.retained, *visit.kept} - {topics.discovery}:
            observer.publish(Message(topic, b"", qos=1, is_retained=True))
        await visit.caught_up(observer)
    finally:
        await observer.stop()


class _Visit:
    """What the broker keeps. A message of our own that comes back tells that all before it has come."""

    def __init__(self, topics: Topics) -> None:
        self.kept: dict[str, bytes] = {}
        # A room's login may write and read there, and a room that runs after all has an answer to it.
        self._place = topics.request("diagnose")
        self._token = b""
        self._has_come = asyncio.Event()

    def hear(self, message: Incoming) -> None:
        if message.is_retained:
            self.kept[message.topic] = message.payload
        elif message.topic == self._place and message.payload == self._token:
            self._has_come.set()

    async def caught_up(self, observer: Observer) -> None:
        """Return when everything before now was heard and taken; raises NodeError where the broker does not answer."""
        self._has_come.clear()
        self._token = json.dumps({"transaction": randomness.token_hex(8)}).encode()
        observer.publish(Message(self._place, self._token, qos=1))
        try:
            async with asyncio.timeout(ANSWER_S):
                await self._has_come.wait()
        except TimeoutError:
            raise NodeError(
                f"the broker does not let this login publish to {self._place}, or does not answer"
            ) from None
