"""More calls at once than the broker takes unacknowledged: each waits for its place, and none beyond its time."""

import asyncio
from dataclasses import replace

import pytest

from tests.fakes import broker as fake
from tests.fakes.broker import Broker
from tests.fakes.mqtt_spy import MqttSpy
from tests.mqtt.node import call, node
from voice_node.mqtt.bridge import Published

pytestmark = pytest.mark.skipif(bool(fake.ABSENT), reason=fake.ABSENT)

NARROW = ("max_inflight_messages 2",)


async def test_eight_calls_at_once_at_a_broker_that_takes_two() -> None:
    with Broker(config=NARROW) as broker:
        async with MqttSpy(broker.port) as spy, node(broker.port) as (bridge, _):
            names = [f"c{number}" for number in range(8)]
            became = await asyncio.gather(*(bridge.publish(call(name)) for name in names))
            assert became == [Published.DELIVERED] * 8
            await spy.wait_for(lambda seen: seen.correlation == b"c7")
            assert [seen.correlation for seen in spy.messages if seen.topic.endswith("/call")] == [
                name.encode() for name in names
            ]


async def test_what_waits_for_its_place_never_leaves_late() -> None:
    with Broker(config=NARROW) as broker:
        async with MqttSpy(broker.port) as spy, node(broker.port) as (bridge, told):
            broker.freeze()
            calls = [replace(call(f"c{number}"), expiry_s=0.4) for number in range(4)]
            became = await asyncio.gather(*(bridge.publish(message) for message in calls))
            assert set(became) <= {Published.TIMEOUT, Published.UNREACHABLE}
            assert Published.DELIVERED not in became
            broker.thaw()
            await told.online()
            assert await bridge.publish(call("later")) is Published.DELIVERED
            await spy.wait_for(lambda seen: seen.correlation == b"later")
            late = [seen.correlation for seen in spy.messages if seen.topic.endswith("/call")]
            assert late in ([b"later"], [b"c0", b"later"]), "only the one that was on its way"
