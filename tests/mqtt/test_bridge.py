import asyncio
import json
import logging
import random
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.fakes import broker as fake
from tests.fakes.broker import Broker
from tests.fakes.mqtt_spy import MqttSpy, Seen
from tests.fakes.proxy import FaultProxy
from tests.fakes.until import until
from tests.mqtt.node import BRANCH, call, message, node, transcript
from voice_node.model.command import BrokerChanged, BrokerRefused, OutboxTrouble, SetMute, Stop
from voice_node.model.report import Discovery, EventType, GateOpen, Happening, Info, NodeState, State
from voice_node.mqtt import bridge as module
from voice_node.mqtt.bridge import Published
from voice_node.mqtt.message import Message

pytestmark = pytest.mark.skipif(bool(fake.ABSENT), reason=fake.ABSENT)

AVAILABILITY = BRANCH + "availability"


def happening(number: int) -> Message:
    return message(Happening(EventType.SEGMENT, {"n": number}))


async def test_a_clean_stop_says_offline_after_everything_else(broker: Broker) -> None:
    async with MqttSpy(broker.port) as spy:
        async with node(broker.port) as (bridge, _):
            for number in range(40):
                bridge.offer(happening(number))
        last = await spy.wait_for(lambda seen: seen.payload == b"offline")
        assert (last.topic, last.qos, last.retain) == (AVAILABILITY, 1, True)
        assert [seen.json["n"] for seen in spy.on(BRANCH + "event")] == list(range(40))
        assert spy.messages[-1] == last


async def test_the_will_speaks_when_the_connection_breaks(broker: Broker) -> None:
    async with (
        FaultProxy(broker.port) as proxy,
        MqttSpy(broker.port) as spy,
        node(proxy.port) as (_, told),
    ):
        await spy.wait_for(lambda seen: seen.payload == b"online")
        proxy.reset()
        will = await spy.wait_for(lambda seen: seen.payload == b"offline")
        assert (will.topic, will.qos, will.retain) == (AVAILABILITY, 1, True)
        assert not (await told.offline()).is_refused
        await told.online()
        await spy.wait_for(lambda _: len(spy.on(AVAILABILITY)) == 3)
        assert [seen.payload for seen in spy.on(AVAILABILITY)] == [b"online", b"offline", b"online"]


async def test_a_broker_that_was_killed_is_told_everything_again(broker: Broker) -> None:
    async with FaultProxy(broker.port) as proxy, node(proxy.port) as (bridge, told):
        bridge.offer(message(Info({"version": "1"})))
        bridge.offer(message(GateOpen(is_open=True)))
        broker.kill()
        proxy.refuse()
        await told.offline()
        assert await bridge.publish(call("during")) is Published.UNREACHABLE
        bridge.offer(transcript("i1"))
        bridge.offer(happening(1))  # may not wait
        bridge.offer(message(Happening(EventType.TURN_FINISHED, turn_id="t1")))
        bridge.offer(transcript("i2"))
        broker.restart()
        async with MqttSpy(broker.port) as spy:
            proxy.heal()
            await told.online()
            assert await bridge.publish(call("after")) is Published.DELIVERED
            await spy.wait_for(lambda seen: seen.payload.startswith(b"{") and seen.json.get("item_id") == "i2")
            await spy.wait_for_topic(BRANCH + "tool/set_light/call")
            assert spy.messages[0].payload == b"online"
            assert spy.messages[1].topic == BRANCH + "info"
            waited = [seen for seen in spy.messages if b"delayed_ms" in seen.payload]
            assert [seen.topic.removeprefix(BRANCH) for seen in waited] == ["transcript", "event", "transcript"]
            assert all(isinstance(seen.json["delayed_ms"], int) and seen.json["delayed_ms"] > 0 for seen in waited)
            assert [seen.json["call_id"] for seen in spy.on(BRANCH + "tool/set_light/call")] == ["after"]
            assert len(spy.on(BRANCH + "event")) == 1
            assert bridge.counts()["reconnects"] == 1
            # Commands are heard again.
            await spy.publish(BRANCH + "request/stop")
            await told.next(Stop)


async def test_a_call_that_a_frozen_broker_swallowed_is_not_sent_again(broker: Broker) -> None:
    async with FaultProxy(broker.port) as proxy, node(proxy.port) as (bridge, told), MqttSpy(broker.port) as spy:
        proxy.stall()
        assert await bridge.publish(call("lost"), timeout_s=0.1) is Published.TIMEOUT
        assert "acknowledge" in (await told.offline()).detail
        proxy.heal()  # what was held back must not arrive now
        await told.online()
        proxy.stall()
        pending = asyncio.create_task(bridge.publish(call("cut")))
        await asyncio.sleep(0)
        proxy.reset()
        assert await pending is Published.TIMEOUT
        await told.offline()
        proxy.heal()
        await told.online()
        assert await bridge.publish(call("next")) is Published.DELIVERED
        await spy.wait_for_topic(BRANCH + "tool/set_light/call")
        assert [seen.json["call_id"] for seen in spy.on(BRANCH + "tool/set_light/call")] == ["next"]


async def test_a_command_sent_while_the_node_was_away_does_not_act_later(broker: Broker) -> None:
    async with FaultProxy(broker.port) as proxy, MqttSpy(broker.port) as spy, node(proxy.port) as (_, told):
        proxy.refuse()
        proxy.reset()
        await told.offline()
        await spy.wait_for(lambda seen: seen.payload == b"offline")
        await spy.publish(BRANCH + "mute/set", "OFF")
        proxy.heal()
        await told.online()
        await spy.publish(BRANCH + "request/stop")
        await told.next(Stop)
        assert not [command for command in told.all if isinstance(command, SetMute)]


async def test_a_call_waits_for_its_acknowledgement_no_longer_than_it_is_good(broker: Broker) -> None:
    async with FaultProxy(broker.port) as proxy, node(proxy.port) as (bridge, told):
        proxy.stall()
        async with asyncio.timeout(4):
            assert await bridge.publish(replace(call(), expiry_s=1)) is Published.TIMEOUT
            await told.offline()


async def test_nobody_listens(broker: Broker) -> None:
    async with node(broker.port) as (bridge, _):
        assert await bridge.publish(call()) is Published.UNHEARD


async def test_what_nobody_heard_is_tried_again_in_order(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PROBE_S", 0.1)
    async with node(broker.port) as (bridge, _):
        for number in range(30):
            bridge.offer(transcript(f"i{number}"))
        async with MqttSpy(broker.port, wanted=BRANCH + "other"):
            await asyncio.sleep(0.3)  # several times in vain
            assert bridge.counts()["kept"] == 30
        async with MqttSpy(broker.port) as spy:
            bridge.offer(transcript("i30"))
            await spy.wait_for(lambda seen: _item(seen) == "i30")
            assert list(dict.fromkeys(_item(seen) for seen in spy.on(BRANCH + "transcript"))) == [
                f"i{number}" for number in range(31)
            ]
            await until(lambda: bridge.counts()["kept"] == 0)


async def test_what_waited_outlives_the_process(broker: Broker, tmp_path: Path) -> None:
    async with FaultProxy(1) as nowhere, node(nowhere.port, is_online=False, directory=tmp_path) as (bridge, told):
        await told.offline()
        for number in range(3):
            bridge.offer(transcript(f"i{number}"))
        assert await bridge.publish(call()) is Published.UNREACHABLE
    async with MqttSpy(broker.port) as spy, node(broker.port, directory=tmp_path) as (bridge, _):
        bridge.offer(transcript("i3"))
        await spy.wait_for(lambda seen: _item(seen) == "i3")
        assert [_item(seen) for seen in spy.on(BRANCH + "transcript")] == ["i0", "i1", "i2", "i3"]
        assert spy.on(BRANCH + "transcript")[0].json["delayed_ms"] >= 0
        assert not spy.on(BRANCH + "tool/set_light/call")
    async with node(broker.port, directory=tmp_path) as (bridge, _):
        assert bridge.counts()["kept"] == 0


async def test_without_a_disk_everything_goes_on(broker: Broker, tmp_path: Path) -> None:
    (tmp_path / "outbox.db").mkdir()
    async with MqttSpy(broker.port) as spy, node(broker.port, directory=tmp_path) as (bridge, told):
        assert "cannot be written" in (await told.next(OutboxTrouble)).detail
        assert [type(one) for one in told.all] == [BrokerChanged, OutboxTrouble]  # before, nobody would have heard
        bridge.offer(transcript("i0"))
        await spy.wait_for(lambda seen: _item(seen) == "i0")


async def test_what_the_access_rules_forbid_is_told_once_and_the_rest_goes_on() -> None:
    acl = f"user node\ntopic readwrite {BRANCH}#\ntopic deny {BRANCH}speech\ntopic deny {BRANCH}tool/unlock/call\n"
    acl += "topic deny voice_node/kitchen/event\nuser spy\ntopic readwrite #\n"
    with Broker(users={"node": "n", "spy": "s"}, acl=acl) as broker:
        async with (
            MqttSpy(broker.port, username="spy", password="s") as spy,
            node(broker.port, "n", username="node") as (bridge, told),
        ):
            assert await bridge.publish(call("c1", "unlock")) is Published.DENIED
            assert (await told.next(BrokerRefused)).place == "tool/unlock/call"
            for number in range(15):
                bridge.offer(happening(number))
            bridge.offer(transcript("i1"))
            await spy.wait_for_topic(BRANCH + "transcript")
            await bridge.publish(call("c2"))  # its acknowledgement comes after all others
            assert bridge.counts()["denied"] == 16
            assert [command.place for command in told.all if isinstance(command, BrokerRefused)] == [
                "tool/unlock/call",
                "event",
            ]


async def test_a_device_that_may_not_be_taken_back_was_never_there(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with Broker(users={"node": "n"}, acl=f"user node\ntopic readwrite {BRANCH}#\n") as broker:
        async with node(broker.port, "n", username="node") as (bridge, told):
            bridge.offer(message(Discovery(None)))
            await until(lambda: "The room's device is not taken back" in caplog.text)
            assert [record for record in caplog.records if record.levelno > logging.INFO] == []
            assert not [command for command in told.all if isinstance(command, BrokerRefused)]
            bridge.offer(message(Discovery({"components": {}})))
            assert (await told.next(BrokerRefused)).place == "homeassistant/device/voice_node_kitchen/config"


async def test_a_kept_message_that_the_access_rules_forbid_is_parked_and_makes_way(tmp_path: Path) -> None:
    acl = f"user node\ntopic readwrite {BRANCH}#\ntopic deny {BRANCH}transcript\nuser spy\ntopic readwrite #\n"
    with Broker(users={"node": "n", "spy": "s"}, acl=acl) as broker:
        async with (
            MqttSpy(broker.port, username="spy", password="s") as spy,
            node(broker.port, "n", username="node", directory=tmp_path) as (bridge, told),
        ):
            for number in range(5):
                bridge.offer(transcript(f"i{number}"))
            bridge.offer(message(Happening(EventType.TURN_FINISHED, turn_id="t1")))
            await spy.wait_for_topic(BRANCH + "event", 2)
            assert (await told.next(BrokerRefused)).place == "transcript"
            await until(lambda: bridge.counts()["parked"] == 5)
            assert bridge.counts()["kept"] == 0
    with closing(sqlite3.connect(tmp_path / "outbox.db")) as outbox:
        parked = outbox.execute("SELECT why, payload FROM parked ORDER BY number").fetchall()
        assert {why for why, _ in parked} == {"forbidden by the broker's access rules"}
        assert [json.loads(payload)["item_id"] for _, payload in parked] == [f"i{number}" for number in range(5)]


async def test_a_wrong_password_is_refused_in_plain_words(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with Broker(users={"node": "right"}) as broker:
        async with (
            FaultProxy(broker.port) as proxy,
            node(proxy.port, "open-sesame", is_online=False, username="node") as (bridge, told),
        ):
            change = await told.next(BrokerChanged)
            assert change.is_refused
            assert "refuses" in change.detail
            retry = bridge._retry
            assert retry is not None
            assert retry.when() - asyncio.get_running_loop().time() > 25
            assert proxy.connections == 1
            assert "open-sesame" not in caplog.text + repr(bridge) + repr(told.all)


async def test_a_wrong_password_on_mqtt_3() -> None:
    with Broker(users={"node": "right"}) as broker:
        async with node(broker.port, "wrong", is_online=False, username="node", protocol=3) as (_, told):
            assert (await told.next(BrokerChanged)).is_refused


@pytest.mark.parametrize("protocol", [5, 3])
async def test_a_client_id_in_use_is_named(broker: Broker, protocol: int) -> None:
    async with node(broker.port, protocol=protocol) as (_, told), node(broker.port, protocol=protocol):
        detail = (await told.offline()).detail
        assert "voice_node-kitchen-1" in detail
        assert "another client" in detail


async def test_nobody_at_the_port() -> None:
    async with FaultProxy(1) as proxy:
        port = proxy.port
    async with node(port, is_online=False) as (bridge, told):
        change = await told.next(BrokerChanged)
        assert not change.is_refused
        assert "refused" in change.detail
        assert await bridge.publish(call()) is Published.UNREACHABLE


@pytest.mark.parametrize("is_frozen_while_connecting", [False, True])
async def test_a_frozen_broker_does_not_hold_up_the_end(broker: Broker, is_frozen_while_connecting: bool) -> None:
    async with MqttSpy(broker.port) as spy:
        if is_frozen_while_connecting:
            broker.freeze()
        async with asyncio.timeout(10):
            async with node(broker.port, is_online=not is_frozen_while_connecting) as (bridge, _):
                if not is_frozen_while_connecting:
                    broker.freeze()
                bridge.offer(message(State(NodeState.IDLE, datetime.now(UTC))))
        broker.thaw()
        await until(lambda: not any(thread.name.startswith("mqtt ") for thread in threading.enumerate()))
        await spy.publish("afterwards")
        await spy.wait_for_topic("afterwards")
        assert b"online" not in [seen.payload for seen in spy.on(AVAILABILITY)][-1:], "it has ended"


async def test_after_a_frozen_end_the_broker_knows(broker: Broker) -> None:
    async with MqttSpy(broker.port) as spy:
        async with node(broker.port):
            await spy.wait_for(lambda seen: seen.payload == b"online")
            broker.freeze()
        broker.thaw()
        await spy.wait_for(lambda seen: seen.payload == b"offline")
        last = spy.on(AVAILABILITY)[-1]
        assert (last.payload, last.retain) == (b"offline", True), "by itself, by its will, or by both"


@pytest.mark.parametrize("config", ["max_packet_size 2000", "message_size_limit 1000"])
async def test_a_message_that_the_broker_does_not_take_is_given_up(config: str) -> None:
    large = message(Happening(EventType.TURN_FINISHED, {"text": "x" * 3000}))
    with Broker(config=(config,)) as broker:
        async with MqttSpy(broker.port) as spy, node(broker.port) as (bridge, told):
            bridge.offer(large)
            bridge.offer(transcript("i1"))
            bad = await told.next(BrokerRefused)
            assert bad.place == "event"
            await spy.wait_for_topic(BRANCH + "transcript", 20)
            assert bridge.counts()["parked"] == 1


async def test_poison_for_a_broker_that_gives_no_reasons(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LONGEST_GAP_S", 0.2)
    monkeypatch.setattr(module, "_SHORTEST_GAP_S", 0.1)
    with Broker(config=("max_packet_size 2000",)) as broker:
        async with MqttSpy(broker.port) as spy, node(broker.port, protocol=3) as (bridge, told):
            bridge.offer(transcript("i0"))
            bridge.offer(message(Happening(EventType.TURN_FINISHED, {"text": "x" * 3000}, "t1")))
            bridge.offer(transcript("i1"))
            bad = await told.next(BrokerRefused)
            assert bad.place == "event"
            await spy.wait_for(lambda seen: _item(seen) == "i1", 20)
            await until(lambda: bridge.counts()["kept"] == 0)
            assert bridge.counts()["parked"] == 1


@pytest.mark.slow
async def test_a_short_storm_loses_nothing_that_may_wait(broker: Broker) -> None:
    dice = random.Random(7)  # the storm's seed
    async with FaultProxy(broker.port) as proxy, MqttSpy(broker.port) as spy, node(proxy.port) as (bridge, told):
        for number in range(60):
            bridge.offer(transcript(f"i{number}"))
            if number % 20 == 10:
                fault = dice.choice(["reset", "cut"])
                if fault == "reset":
                    proxy.reset()
                else:
                    proxy.cut_after(dice.randrange(1, 100))
                    bridge.offer(happening(number))
                await told.offline()
                bridge.offer(transcript(f"i{number} again"))
                await told.online()
        await spy.wait_for(lambda seen: _item(seen) == "i59", 30)
        first_of_each = list(dict.fromkeys(_item(seen) for seen in spy.on(BRANCH + "transcript")))
        assert first_of_each == [
            name
            for number in range(60)
            for name in ([f"i{number}", f"i{number} again"] if number % 20 == 10 else [f"i{number}"])
        ]


def _item(seen: Seen) -> str | None:
    return json.loads(seen.payload).get("item_id") if seen.topic == BRANCH + "transcript" else None


async def test_a_call_whose_time_is_over_is_not_sent(broker: Broker) -> None:
    async with node(broker.port) as (bridge, _), MqttSpy(broker.port) as spy:
        assert await bridge.publish(replace(call(), expiry_s=-0.1)) is Published.TIMEOUT
        bridge.offer(Message(BRANCH + "speech", b"ON", qos=0))
        await spy.wait_for(lambda seen: seen.topic == BRANCH + "speech")
        assert not [seen for seen in spy.messages if seen.topic == call().topic]


async def test_the_broker_is_told_whole_seconds(broker: Broker) -> None:
    async with node(broker.port) as (bridge, _), MqttSpy(broker.port) as spy:
        assert await bridge.publish(replace(call(), expiry_s=1.2)) is Published.DELIVERED
        seen = await spy.wait_for(lambda seen: seen.topic == call().topic)
        assert seen.expiry_s in (1, 2)
