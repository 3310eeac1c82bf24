import asyncio
import signal
from pathlib import Path

import pytest

from tests.fakes import broker as fake
from tests.fakes.broker import Broker
from tests.fakes.mqtt_spy import MqttSpy, Seen
from tests.system.house import Program, online, write_room
from voice_node.model.command import Diagnose
from voice_node.mqtt.decode import decode
from voice_node.mqtt.message import Incoming
from voice_node.mqtt.topics import Topics

pytestmark = pytest.mark.skipif(bool(fake.ABSENT), reason=fake.ABSENT)


DISCOVERY = "homeassistant/device/voice_node_kitchen/config"


async def retained(port: int, **login: str) -> set[str]:
    """The topics of which the broker keeps something."""
    async with MqttSpy(port, **login) as spy:
        await spy.publish("the/end", "")
        await spy.wait_for_topic("the/end")
        return {seen.topic for seen in spy.messages if seen.retain}


@pytest.mark.slow
async def test_nothing_of_the_room_is_left(tmp_path: Path) -> None:
    with Broker() as broker:
        room = write_room(tmp_path, broker.port)
        async with MqttSpy(broker.port) as spy:
            await spy.publish("voice_node/bath/state", "mine", retain=True)
            with Program(tmp_path, "run", room) as node:
                await online(spy)
                await spy.wait_for(lambda seen: seen.topic == "voice_node/kitchen/state")
                await spy.wait_for(is_discovery)
                with Program(tmp_path, "forget", room) as early:
                    assert await early.ended() == 1
                    assert "is online: stop it first" in early.log
                node.signal(signal.SIGTERM)
                assert await node.ended() == 0
        assert len(await retained(broker.port)) > 5
        with Program(tmp_path, "forget", room) as command:
            assert await command.ended() == 0
            assert "Room kitchen is forgotten" in command.output
        assert await retained(broker.port) == {"voice_node/bath/state"}


async def test_a_login_that_may_hear_nothing_of_its_room_takes_back_what_a_room_tells(tmp_path: Path) -> None:
    acl = (
        "user kitchen\ntopic write voice_node/kitchen/#\ntopic read voice_node/kitchen/request/+\n"
        "topic write homeassistant/device/voice_node_kitchen/config\nuser all\ntopic readwrite #\n"
    )
    with Broker(users={"kitchen": "k", "all": "a"}, acl=acl) as broker:
        room = write_room(tmp_path, broker.port, mqtt={"username": "kitchen"})
        login = {"username": "all", "password": "a"}
        told = ("voice_node/kitchen/state", "voice_node/kitchen/volume/state", DISCOVERY)
        async with MqttSpy(broker.port, **login) as spy:
            for topic in told:
                await spy.publish(topic, "{}", retain=True)
        assert await retained(broker.port, **login) == set(told)
        with Program(tmp_path, "forget", room, environ={"MQTT_PASSWORD": "k"}) as command:
            assert await command.ended() == 0
        assert await retained(broker.port, **login) == set()


def is_discovery(seen: Seen) -> bool:
    return seen.topic == DISCOVERY


async def test_a_room_that_runs_is_asked_what_it_understands(tmp_path: Path) -> None:
    """What it could not read would count as a mistake in its health."""
    topics = Topics("voice_node", "kitchen")
    with Broker() as broker:
        room = write_room(tmp_path, broker.port)
        async with MqttSpy(broker.port) as spy:
            await spy.publish(topics.availability, "online", retain=True)
            with Program(tmp_path, "forget", room) as command:
                assert await command.ended() == 1
                assert "is online: stop it first" in command.log
            await spy.publish("the/end", "")
            await spy.wait_for_topic("the/end")
            heard = [
                Incoming(seen.topic, seen.payload) for seen in spy.messages if seen.topic.startswith(topics.branch)
            ]
    orders = [message for message in heard if message.topic != topics.availability]
    assert orders
    assert all(isinstance(decode(message, topics), Diagnose) for message in orders)


async def test_a_broker_that_is_away_is_named(tmp_path: Path, free_port: int) -> None:
    with Program(tmp_path, "forget", write_room(tmp_path, free_port)) as command:
        async with asyncio.timeout(20):
            assert await command.ended() == 1
    assert f"127.0.0.1:{free_port}" in command.log
    assert "Traceback" not in command.log
