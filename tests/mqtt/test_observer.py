import socket
from collections.abc import Iterator
from typing import Literal

import pytest

from tests.fakes import broker as fake
from tests.fakes.broker import Broker
from tests.fakes.mqtt_spy import MqttSpy
from tests.fakes.until import until
from voice_node.mqtt.message import Incoming, Message
from voice_node.mqtt.observer import Observer, Unconnected
from voice_node.settings.schema import MqttSettings


def visitor(port: int, heard: list[Incoming], password: str | None = None, **settings: object) -> Observer:
    return Observer(MqttSettings(port=port, **settings), password, ["voice_node/kitchen/#"], heard.append)  # type: ignore[arg-type]  # checked by the schema itself


@pytest.mark.parametrize("protocol", [5, 3])
async def test_it_hears_what_it_asked_for_and_publishes(broker: Broker, protocol: int) -> None:
    heard: list[Incoming] = []
    observer = visitor(broker.port, heard, protocol=protocol)
    await observer.start()
    async with MqttSpy(broker.port) as spy:
        await spy.publish("voice_node/hall/state", "not for us")
        await spy.publish("voice_node/kitchen/state", "for us")
        await until(lambda: bool(heard))
        observer.publish(Message("voice_node/kitchen/request/stop", b"", qos=1))
        await spy.wait_for_topic("voice_node/kitchen/request/stop")
    await observer.stop()
    assert (heard[0].topic, heard[0].payload) == ("voice_node/kitchen/state", b"for us")


async def test_what_was_there_before_is_no_news(broker: Broker) -> None:
    heard: list[Incoming] = []
    async with MqttSpy(broker.port) as spy:
        await spy.publish("voice_node/kitchen/state", "old", retain=True)
        observer = visitor(broker.port, heard)
        await observer.start()
        await spy.publish("voice_node/kitchen/state", "new")
        await until(lambda: bool(heard))
        await observer.stop()
    assert [one.payload for one in heard] == [b"new"]


@pytest.mark.parametrize("protocol", [5, 3])
async def test_what_the_broker_keeps_is_told_where_it_is_asked_for(broker: Broker, protocol: Literal[3, 5]) -> None:
    heard: list[Incoming] = []
    topic = "voice_node/kitchen/availability"
    settings = MqttSettings(port=broker.port, protocol=protocol)
    observer = Observer(settings, None, [topic], heard.append, kept=[topic])
    async with MqttSpy(broker.port) as spy:
        await spy.publish(topic, "offline", retain=True)
        await observer.start()
        await until(lambda: bool(heard))
        await observer.stop()
    assert [(one.payload, one.is_retained) for one in heard] == [(b"offline", True)]


async def test_no_broker_is_said_with_its_place(free_port: int) -> None:
    observer = visitor(free_port, [])
    with pytest.raises(Unconnected, match=rf"the broker 127\.0\.0\.1:{free_port}: cannot connect"):
        await observer.start()
    await observer.stop()


async def test_a_broker_that_says_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        observer = visitor(mute.getsockname()[1], [])
        with pytest.raises(Unconnected, match="does not answer"):
            await observer.start(timeout_s=0.2)


@pytest.mark.skipif(bool(fake.ABSENT), reason=fake.ABSENT)
async def test_a_wrong_password_is_said_and_not_shown() -> None:
    with Broker(users={"me": "right"}) as broker:
        observer = visitor(broker.port, [], "canary", username="me")
        with pytest.raises(Unconnected) as refusal:
            await observer.start()
        await observer.stop()
        assert "refuses" in str(refusal.value)
        assert "client id" not in str(refusal.value)
        assert "canary" not in str(refusal.value) + repr(observer)

        welcome = visitor(broker.port, [], "right", username="me")
        await welcome.start()
        await welcome.stop()


async def test_a_broker_that_hangs_or_dies_does_not_keep_it(broker: Broker) -> None:
    observer = visitor(broker.port, [])
    await observer.start()
    broker.freeze()
    await observer.stop()
    await until(observer._ended.is_set)
    broker.thaw()

    observer = visitor(broker.port, [])
    await observer.start()
    broker.kill()
    await observer.stop()
    observer.publish(Message("voice_node/kitchen/request/stop", b"", qos=1))
    assert observer._ended.is_set()


async def test_stopping_before_the_start_is_nothing(broker: Broker) -> None:
    heard: list[Incoming] = []
    observer = visitor(broker.port, heard)
    await observer.stop()
    await observer.start()
    observer.publish(Message("voice_node/kitchen/state", b"idle", qos=1))
    await until(lambda: bool(heard))
    await observer.stop()
    assert [one.payload for one in heard] == [b"idle"]


@pytest.fixture
def free_port() -> Iterator[int]:
    """Bound, but nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        yield probe.getsockname()[1]
