"""Home Assistant restarts, is killed, the broker goes: afterwards all is right again, and nothing ran twice."""

import asyncio
import json
from pathlib import Path

from tests.fakes.broker import Broker
from tests.fakes.mqtt_spy import MqttSpy
from tests.fakes.until import until
from tests.home_assistant.program import HomeAssistant
from tests.home_assistant.rooms import IDENTITY, PATIENCE_S, TOOLS, Room, commands, living, said
from tests.mqtt.test_discovery import CONTRACT

OLD = {"platform": "sensor", "name": "Old", "unique_id": f"{IDENTITY}_old", "state_topic": "voice_node/kitchen/old"}


async def assert_works(home_assistant: HomeAssistant, broker: Broker) -> None:
    """Every entity is there, and a request acts exactly once."""
    room = Room(home_assistant)
    await until(lambda: len(home_assistant.entities(IDENTITY)) == len(CONTRACT), PATIENCE_S)
    await room.shows("connected", "on")
    await room.shows("state", "idle")
    await room.shows("speech", "off")
    for key in CONTRACT:
        await room.shows(key, lambda state: state["state"] != "unavailable")
    async with MqttSpy(broker.port) as spy:
        await room.asked("turn on the kitchen light")
        await said(spy, "kitchen light is on")
        assert commands(spy, "light") == ["ON"]
        assert len(spy.on("voice_node/kitchen/tool/set_light/call")) == 1
        assert len(spy.on("voice_node/kitchen/tool/set_light/result")) == 1


async def test_all_is_right_again_after_every_outage(
    home_assistant: HomeAssistant, broker: Broker, tmp_path: Path
) -> None:
    async with living(tmp_path, broker) as (spy, node):
        await assert_works(home_assistant, broker)
        ids = {uid: entry["entity_id"] for uid, entry in home_assistant.entities(IDENTITY).items()}
        count = len(spy.on("devices/light"))

        await asyncio.to_thread(home_assistant.stop)
        begin = home_assistant.log_size()
        await asyncio.to_thread(home_assistant.start)
        assert len(spy.on("devices/light")) == count  # the restart itself switched nothing
        await assert_works(home_assistant, broker)

        await asyncio.to_thread(home_assistant.kill)
        await asyncio.to_thread(home_assistant.start)
        assert len(spy.on("devices/light")) == count + 1
        await assert_works(home_assistant, broker)
        assert {uid: entry["entity_id"] for uid, entry in home_assistant.entities(IDENTITY).items()} == ids
        assert [line for line in home_assistant.complaints(begin) if "voice_node" in line or "mqtt" in line] == []

        await asyncio.to_thread(broker.kill)
        await Room(home_assistant).shows("connected", lambda state: state["state"] != "on")
        await asyncio.to_thread(broker.restart)
        await assert_works(home_assistant, broker)
        assert node.is_running


async def test_what_went_while_home_assistant_was_away_is_removed_all_the_same(
    home_assistant: HomeAssistant, broker: Broker, tmp_path: Path
) -> None:
    topic = f"homeassistant/device/{IDENTITY}/config"
    async with living(tmp_path, broker) as (spy, _):
        document = (await spy.wait_for_topic(topic)).json
    components = document["components"] | {"old": OLD}
    state = tmp_path / "state" / "state.json"
    state.write_text(json.dumps(json.loads(state.read_text()) | {"discovery": {"components": components}}))
    async with MqttSpy(broker.port) as spy:
        await spy.publish(topic, json.dumps(document | {"components": components}), retain=True)
        await until(lambda: f"{IDENTITY}_old" in home_assistant.entities(IDENTITY), PATIENCE_S)
    await asyncio.to_thread(home_assistant.stop)
    async with living(tmp_path, broker, tools=TOOLS[:1]) as (spy, _):
        await spy.wait_for(lambda seen: seen.topic == topic and b'"old":{"platform":"sensor"}' in seen.payload, 20)
        after = len(spy.on(topic))
        await spy.wait_for(lambda _: len(spy.on(topic)) > after, 20)
        assert b"old" not in spy.on(topic)[-1].payload
        await asyncio.to_thread(home_assistant.start)
        wanted = {("wake", "wake_word"), ("tool_call", "set_light")}
        await until(lambda: home_assistant.triggers(IDENTITY) == wanted, 30)
        await until(lambda: f"{IDENTITY}_old" not in home_assistant.entities(IDENTITY), 30)
