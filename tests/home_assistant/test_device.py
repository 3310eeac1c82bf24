"""The room as a device: found without a word of complaint, with every state, driven by every control."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.broker import Broker
from tests.fakes.mqtt_spy import MqttSpy
from tests.fakes.until import until
from tests.home_assistant.program import HomeAssistant
from tests.home_assistant.rooms import IDENTITY, PATIENCE_S, TOOLS, Room, living, said
from tests.mqtt.test_discovery import CONTRACT
from tests.system.house import RECORDING, Program, write_room

SILENT = {"voice_event", "last_transcript", "last_response", "say", "ask", "listen", "stop"}
SILENT |= {"new_conversation", "restart_session"}
"""They have a state only after something happened."""


async def test_it_is_accepted_with_every_entity_and_its_state(
    home_assistant: HomeAssistant, broker: Broker, tmp_path: Path
) -> None:
    begin = home_assistant.log_size()
    async with living(tmp_path, broker):
        room = Room(home_assistant)
        await room.found(len(CONTRACT))
        device = home_assistant.device(IDENTITY)
        assert device is not None
        assert (device["name"], device["manufacturer"]) == ("Kitchen voice", "voice_node")
        areas = {area["area_id"]: area["name"] for area in home_assistant.ask("config/area_registry/list")}
        assert areas[device["area_id"]] == "Kitchen"
        entries = home_assistant.entities(IDENTITY)
        domains = {uid.removeprefix(f"{IDENTITY}_"): e["entity_id"].split(".")[0] for uid, e in entries.items()}
        assert domains == CONTRACT
        assert all(entry["disabled_by"] is None for entry in entries.values())
        for key in CONTRACT:
            await room.shows(key, lambda state: state["state"] != "unavailable")
        for key in CONTRACT.keys() - SILENT:
            await room.shows(key, lambda state: state["state"] != "unknown")
        wanted = {("wake", "wake_word"), *(("tool_call", tool["name"]) for tool in TOOLS)}
        await until(lambda: home_assistant.triggers(IDENTITY) == wanted, PATIENCE_S)
        await room.shows("state", "idle")
        await room.shows("connected", "on")
        await room.shows("problem", "off")
        await room.shows("speech", "off")
        assert home_assistant.complaints(begin) == []
    await room.shows("mute", "unavailable")
    await room.shows("connected", "off")
    assert home_assistant.complaints(begin) == []


async def test_every_control_drives_the_node(home_assistant: HomeAssistant, broker: Broker, tmp_path: Path) -> None:
    begin = home_assistant.log_size()
    async with living(tmp_path, broker) as (spy, _):
        room = Room(home_assistant)
        await room.found()
        await room.shows("state", "idle")
        await room.perform("switch.turn_on", "mute")
        await room.shows("mute", "on")
        await room.shows("state", "muted")
        await room.perform("switch.turn_off", "mute")
        await room.shows("state", "idle")
        for key, value in (("volume", 33), ("daily_budget", 2.5)):
            await room.perform("number.set_value", key, value=value)
            await room.shows(key, is_number(value))
        for key, request in (("listen", "listen"), ("stop", "stop"), ("new_conversation", "reset")):
            await room.perform("button.press", key)
            await assert_answered(spy, request)
        await room.perform("notify.send_message", "say", message='{"dinner": "is ready"}')
        await assert_answered(spy, "say")
        await room.asked("turn on the kitchen light")
        await said(spy, "kitchen light is on")
        await room.shows("last_response", lambda state: "light is on" in state["state"])
        assert room.state("last_response")["attributes"]["role"] == "assistant"
        await room.shows("voice_event", lambda state: state["attributes"]["event_type"] == "turn_finished")
        await room.perform("button.press", "restart_session")
        await assert_answered(spy, "reload")
        await room.shows("connected", "on")
        await room.shows("volume", is_number(33))
        assert home_assistant.complaints(begin) == []


@pytest.mark.parametrize(
    ("key", "topic", "value"),
    [
        ("gate_snr", "gate_snr_db", 8.5),
        ("hang_over", "hang_over_ms", 900),
        ("follow_up_window", "follow_up_ms", 4000),
    ],
)
async def test_what_is_tuned_is_told_and_kept(
    home_assistant: HomeAssistant, broker: Broker, tmp_path: Path, key: str, topic: str, value: float
) -> None:
    async with living(tmp_path, broker):
        room = Room(home_assistant)
        await room.found()
        await room.shows(key, lambda state: state["state"] not in ("unknown", "unavailable"))
        await room.perform("number.set_value", key, value=value)
        await room.shows(key, is_number(value))
    place = f"voice_node/kitchen/{topic}/state"
    async with living(tmp_path, broker) as (spy, _):  # the next start: the broker's memory, and then the node's
        await until(lambda: len(spy.on(place)) == 2, PATIENCE_S)
        assert [seen.json for seen in spy.on(place)] == [value, value]


async def test_what_a_person_says_is_shown(home_assistant: HomeAssistant, broker: Broker, tmp_path: Path) -> None:
    begin = home_assistant.log_size()
    async with living(tmp_path, broker, capture={"device": f"wav:{RECORDING}"}) as (spy, node):
        room = Room(home_assistant)
        await room.shows("last_transcript", lambda state: "kitchen light" in state["state"])
        await said(spy, "light is on")
        assert home_assistant.complaints(begin) == []
        await node.said("", 1)


async def test_what_is_not_configured_any_more_is_removed(
    home_assistant: HomeAssistant, broker: Broker, tmp_path: Path
) -> None:
    async with living(tmp_path, broker):
        await until(lambda: ("tool_call", "set_scene") in home_assistant.triggers(IDENTITY), PATIENCE_S)
    begin = home_assistant.log_size()
    async with living(tmp_path, broker, tools=TOOLS[:1]) as (spy, _):
        left = {("wake", "wake_word"), ("tool_call", "set_light")}
        await until(lambda: home_assistant.triggers(IDENTITY) == left, PATIENCE_S)
        await spy.wait_for(lambda seen: is_document(seen) and "tool_call_set_scene" not in seen.payload.decode(), 20)
        assert home_assistant.complaints(begin) == []


async def test_a_room_without_discovery_is_no_device(
    home_assistant: HomeAssistant, broker: Broker, tmp_path: Path
) -> None:
    async with living(tmp_path, broker):
        await Room(home_assistant).found()
        assert home_assistant.device(IDENTITY) is not None
    async with living(tmp_path, broker, mqtt={"discovery": False}):
        await until(lambda: home_assistant.device(IDENTITY) is None, PATIENCE_S)
        assert home_assistant.entities(IDENTITY) == {}


async def test_a_forgotten_room_is_gone_and_comes_back_the_same(
    home_assistant: HomeAssistant, broker: Broker, tmp_path: Path
) -> None:
    async with living(tmp_path, broker):
        room = Room(home_assistant)
        await room.found()
        before = {uid: entry["entity_id"] for uid, entry in home_assistant.entities(IDENTITY).items()}
    begin = home_assistant.log_size()
    with Program(tmp_path, "forget", write_room(tmp_path, broker.port)) as command:
        assert await command.ended() == 0
    await until(lambda: home_assistant.device(IDENTITY) is None, PATIENCE_S)
    assert not any(entity.endswith(("kitchen_mute", "kitchen_voice_mute")) for entity in home_assistant.states())
    async with living(tmp_path, broker):
        await room.found()
        after = {uid: entry["entity_id"] for uid, entry in home_assistant.entities(IDENTITY).items()}
        assert after == before
        assert home_assistant.complaints(begin) == []


def is_number(value: float) -> Callable[[dict[str, Any]], bool]:
    def is_it(state: dict[str, Any]) -> bool:
        return state["state"] not in ("unknown", "unavailable") and float(state["state"]) == value

    return is_it


def is_document(seen: Any) -> bool:
    return bool(seen.topic == f"homeassistant/device/{IDENTITY}/config")


async def assert_answered(spy: MqttSpy, request: str) -> None:
    """Wait for the node's answer, which must be good."""
    seen = await spy.wait_for_topic(f"voice_node/kitchen/response/{request}", PATIENCE_S)
    assert seen.json["status"] == "ok", seen.json
