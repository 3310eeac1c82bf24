"""The shipped blueprints and the shipped package: what is said is done, and how it went is said."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.broker import Broker
from tests.fakes.mqtt_spy import MqttSpy
from tests.fakes.until import until
from tests.home_assistant.program import HomeAssistant
from tests.home_assistant.rooms import PATIENCE_S, TOOLS, Room, commands, living, said, told
from tests.system.house import recording


async def test_a_spoken_sentence_switches_the_light_once_and_the_answer_is_spoken(
    home_assistant: HomeAssistant, broker: Broker, tmp_path: Path
) -> None:
    begin = home_assistant.log_size()
    sound = recording(tmp_path / "turn on the kitchen light.wav", 1.0, 1, 300.0)
    async with living(tmp_path, broker, capture={"device": f"wav:{sound}"}) as (spy, _):
        await said(spy, "kitchen light is on")
        assert commands(spy, "light") == ["ON"]
        assert home_assistant.states()["light.kitchen"]["state"] == "on"
        results = [seen.json for seen in spy.on("voice_node/kitchen/tool/set_light/result")]
        assert [result["output"] for result in results] == [{"result": "done"}]
        assert home_assistant.complaints(begin) == []


@pytest.mark.parametrize(
    ("text", "device", "payload", "answer"),
    [
        ("set the kitchen blind to 40 percent", "cover", "40", "blind goes to"),
        ("set the heating to 21 degrees", "climate", "21.0", "heating is set to"),
        ("set the movie scene", "light", "OFF", "movie scene is set"),
    ],
)
async def test_the_package_moves_blinds_sets_heatings_and_scenes(
    home_assistant: HomeAssistant, broker: Broker, tmp_path: Path, text: str, device: str, payload: str, answer: str
) -> None:
    begin = home_assistant.log_size()
    async with living(tmp_path, broker) as (spy, _):
        await spy.publish("devices/thermometer", "19.5")
        room = Room(home_assistant)
        await room.found()
        await room.shows("state", "idle")
        await room.asked(text)
        await said(spy, answer)
        assert commands(spy, device) == [payload]
        assert home_assistant.complaints(begin) == []


async def test_an_action_that_fails_is_told_to_the_model(home_assistant: HomeAssistant, broker: Broker) -> None:
    broken = {
        "action": "climate.set_temperature",
        "target": {"entity_id": "climate.kitchen"},
        "data": {"temperature": 99},
    }
    automation = blueprint("tool_call", tool="broken", actions=[broken])
    async with MqttSpy(broker.port) as spy:
        home_assistant.automate(automation, "tool/broken/call")
        await spy.publish("voice_node/attic/tool/broken/call", call("broken", "2099-01-01T00:00:00.000Z"))
        result = await spy.wait_for_topic("voice_node/attic/tool/broken/result", PATIENCE_S)
        assert result.json == {"call_id": "c1", "error": "Home Assistant could not do it"}
        assert len(spy.on("voice_node/attic/tool/broken/result")) == 1


async def test_a_call_that_comes_too_late_is_not_carried_out(home_assistant: HomeAssistant, broker: Broker) -> None:
    publish = {"action": "mqtt.publish", "data": {"topic": "devices/late", "payload": "{{ arguments.word }}"}}
    home_assistant.automate(blueprint("tool_call", tool="late", actions=[publish]), "tool/late/call")
    async with MqttSpy(broker.port) as spy:
        await spy.publish("voice_node/attic/tool/late/call", call("late", "2020-01-01T00:00:00.000Z", word="old"))
        await spy.publish("voice_node/attic/tool/late/call", call("late", "2099-01-01T00:00:00.000Z", word="new"))
        assert await told(spy, "late") == ["new"]


async def test_the_output_of_the_actions_is_what_the_model_gets(home_assistant: HomeAssistant, broker: Broker) -> None:
    output = {"variables": {"output": {"answer": "{{ arguments.word | upper }}", "room": "{{ room }}"}}}
    home_assistant.automate(blueprint("tool_call", tool="shout", actions=[output]), "tool/shout/call")
    async with MqttSpy(broker.port) as spy:
        await spy.publish("voice_node/attic/tool/shout/call", call("shout", "2099-01-01T00:00:00.000Z", word="hi"))
        result = await spy.wait_for_topic("voice_node/attic/tool/shout/result", PATIENCE_S)
        assert result.json == {"call_id": "c1", "output": {"answer": "HI", "room": "attic"}}


@pytest.mark.parametrize(("button", "request_name"), [("APPROVE", "approve"), ("DENY", "deny")])
async def test_a_call_is_approved_on_the_phone(
    home_assistant: HomeAssistant, broker: Broker, button: str, request_name: str
) -> None:
    home_assistant.automate(blueprint("approve_on_phone", notify_action="script.phone"), "voice_node/+/event")
    waiting = {
        "event_type": "tool_call",
        "needs_approval": True,
        "call_id": f"c-{button}",
        "turn_id": "t1",
        "room": "attic",
        "name": "unlock_door",
        "arguments": {"door": "front"},
        "expires_at": "2099-01-01T00:00:00.000Z",
    }
    async with MqttSpy(broker.port) as spy:
        await spy.publish("voice_node/attic/event", json.dumps(waiting | {"needs_approval": False}))
        await spy.publish("voice_node/attic/event", json.dumps(waiting))
        (shown,) = await told(spy, "phone")
        note = json.loads(shown)
        assert (note["title"], note["message"]) == ("Attic: unlock door?", "door: front")
        assert [action["title"] for action in note["actions"]] == ["Approve", "Deny"]
        pressed = f"VOICE_NODE_{button}_c-{button}"
        assert pressed in [action["action"] for action in note["actions"]]
        place = f"voice_node/attic/request/{request_name}"
        await pressed_until(home_assistant, pressed, lambda: bool(spy.on(place)))
        (decision,) = spy.on(place)
        assert decision.json == {"call_id": f"c-{button}"}


async def test_a_door_opens_only_after_somebody_approved_on_the_phone(
    home_assistant: HomeAssistant, broker: Broker, tmp_path: Path
) -> None:
    begin = home_assistant.log_size()
    home_assistant.automate(blueprint("approve_on_phone", notify_action="script.phone"), "voice_node/+/event")
    async with living(tmp_path, broker, tools=[{**TOOLS[0], "confirm": "mqtt", "offline": True}]) as (spy, _):
        room = Room(home_assistant)
        await room.found()
        await room.shows("state", "idle")
        await room.asked("turn on the kitchen light")
        (shown,) = await told(spy, "phone")
        assert commands(spy, "light") == []
        (approve, _) = json.loads(shown)["actions"]
        await pressed_until(
            home_assistant, approve["action"], lambda: bool(spy.on("voice_node/kitchen/request/approve"))
        )
        await said(spy, "kitchen light is on")
        assert commands(spy, "light") == ["ON"]
        assert home_assistant.complaints(begin) == []


async def test_an_announcement_is_spoken_in_every_room(
    home_assistant: HomeAssistant, broker: Broker, tmp_path: Path
) -> None:
    begin = home_assistant.log_size()
    bath = tmp_path / "bath"
    bath.mkdir()
    async with living(tmp_path, broker) as (spy, _), living(bath, broker, room="bath", tools=[]):
        for identity in ("voice_node_kitchen", "voice_node_bath"):
            room = Room(home_assistant, identity)
            await room.found()
            await room.shows("say", lambda state: state["state"] != "unavailable")
        await asyncio.to_thread(home_assistant.call, "script.announce", message="Dinner is ready.")
        for name in ("kitchen", "bath"):
            await said(spy, "Dinner is ready.", name)
        assert home_assistant.complaints(begin) == []


async def test_words_become_a_notification(home_assistant: HomeAssistant, broker: Broker) -> None:
    home_assistant.automate(blueprint("transcript_to_notification", contains="milk"), "voice_node/+/transcript")
    async with MqttSpy(broker.port) as spy:
        for role, text in (("user", "We need Milk."), ("assistant", "Milk is white."), ("user", "Good night.")):
            words = {"room": "attic", "role": role, "text": text, "turn_id": "t1", "item_id": "i1"}
            await spy.publish("voice_node/attic/transcript", json.dumps(words))

        def shown() -> list[tuple[str, str]]:
            notes = home_assistant.ask("persistent_notification/get")
            return [(note["title"], note["message"]) for note in notes if note["title"] == "Attic"]

        await until(lambda: shown() != [], PATIENCE_S)
        assert shown() == [("Attic", "We need Milk.")]


def blueprint(name: str, **inputs: Any) -> dict[str, Any]:
    path = f"voice_node/{name}.yaml"
    return {"id": "test", "alias": "Test", "use_blueprint": {"path": path, "input": inputs}}


def call(name: str, expires_at: str, **arguments: str) -> str:
    content = {"call_id": "c1", "turn_id": "t1", "room": "attic", "name": name, "arguments": arguments}
    return json.dumps(content | {"issued_at": "2020-01-01T00:00:00.000Z", "expires_at": expires_at})


async def pressed_until(home_assistant: HomeAssistant, action: str, has_come: Callable[[], bool]) -> None:
    """Press the notification's button; the automation waits for it a moment after the notification was sent."""
    async with asyncio.timeout(PATIENCE_S):
        while not has_come():
            path = "/api/events/mobile_app_notification_action"
            await asyncio.to_thread(home_assistant.post, path, {"action": action})
            await asyncio.sleep(0.2)
