"""Tool calls that home, a person or a rule decides about, in a whole node."""

import importlib.util
import json
import shutil
import stat
import subprocess
import wave
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.broker import Broker
from tests.fakes.mqtt_spy import MqttSpy, Seen
from tests.system.house import BASE, Program, calls, event, events, home, online, recording, write_room

CODE = "7316"
NO_VOICE = shutil.which("espeak-ng") is None or importlib.util.find_spec("pocketsphinx") is None
needs_voice = pytest.mark.skipif(NO_VOICE, reason="espeak-ng or the extra `local` is not installed")


def tool(name: str, **keys: Any) -> dict[str, Any]:
    parameters = {"type": "object", "properties": {}, "additionalProperties": False}
    sentence = name.replace("_", " the ")
    base = {"name": name, "description": sentence, "parameters": parameters, "sentences": [sentence], "offline": True}
    return base | {"say": f"Done: {sentence}."} | keys


@asynccontextmanager
async def living(
    folder: Path, broker: Broker, *tools: dict[str, Any], **sections: Any
) -> AsyncIterator[tuple[MqttSpy, Program]]:
    async with home(broker.port) as spy:
        room = write_room(folder, broker.port, tools=list(tools), **sections)
        with Program(folder, "run", room, environ={"VOICE_NODE_PIN": CODE}) as node:
            await online(spy)
            yield spy, node
            assert node.is_running
            assert "Traceback" not in node.log


async def ask(spy: MqttSpy, text: str) -> None:
    await spy.publish(BASE + "request/ask", json.dumps({"text": text}))


def audit(folder: Path) -> list[dict[str, Any]]:
    """The audit log, which only its owner can read."""
    path = folder / "state" / "audit.jsonl"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def outcomes(folder: Path) -> list[tuple[str, str, str, str]]:
    return [(line["tool"], line["decision"], line["decided_by"], line["outcome"]) for line in audit(folder)]


async def test_a_phone_approves_or_denies(tmp_path: Path, broker: Broker) -> None:
    async with living(tmp_path, broker, tool("unlock_door", confirm="mqtt")) as (spy, _):
        await ask(spy, "unlock the door")
        asked = await event(spy, "tool_call", needs_approval=True)
        assert calls(spy) == []
        assert asked["expires_at"].endswith("Z")
        await spy.publish(BASE + "request/approve", json.dumps({"call_id": asked["call_id"]}))
        await event(spy, "turn_finished", turn_id=asked["turn_id"], status="completed")
        assert [call["call_id"] for call in calls(spy)] == [asked["call_id"]]
        assert (await event(spy, "response", turn_id=asked["turn_id"]))["text"] == "Done: unlock the door."

        await ask(spy, "unlock the door")
        wanted: Any = await spy.wait_for(lambda seen: waits(seen) and seen.json["call_id"] != asked["call_id"])
        await spy.publish(BASE + "request/deny", json.dumps({"call_id": wanted.json["call_id"]}))
        await event(spy, "turn_finished", turn_id=wanted.json["turn_id"])
        assert len(calls(spy)) == 1
        assert "denied" in (await event(spy, "response", turn_id=wanted.json["turn_id"]))["text"]
    assert outcomes(tmp_path) == [
        ("unlock_door", "allowed", "mqtt", "done"),
        ("unlock_door", "refused", "mqtt", "not_done"),
    ]
    assert {line["asked_by"] for line in audit(tmp_path)} == {"text"}
    assert not [line for line in audit(tmp_path) if "arguments" in line]


def waits(seen: Seen) -> bool:
    return seen.topic == BASE + "event" and seen.json.get("needs_approval") is True


async def test_a_lock_without_a_policy_stays_shut(tmp_path: Path, broker: Broker) -> None:
    async with living(tmp_path, broker, tool("unlock_door")) as (spy, node):
        await ask(spy, "unlock the door")
        await event(spy, "error", code="denied")
        await event(spy, "turn_finished")
        assert calls(spy) == []
        assert "looks like a lock" in node.log


async def test_a_call_goes_straight_to_a_device_which_confirms_it(tmp_path: Path, broker: Broker) -> None:
    parameters = {
        "type": "object",
        "properties": {"area": {"enum": ["kitchen"]}, "position": {"type": "integer", "minimum": 0, "maximum": 100}},
        "required": ["area", "position"],
    }
    blind = tool(
        "set_blind",
        parameters=parameters,
        sentences=["set [the] {area} blind to {position}"],
        say="The blind goes to {position}.",
        publish={"topic": "zigbee2mqtt/{area}_blind/set", "payload": {"position": "{position}"}},
        expect={"topic": "zigbee2mqtt/{area}_blind", "timeout_s": 5},
    )
    plug = tool("start_kettle", publish={"topic": "cmnd/kettle/POWER", "payload": "ON"})
    async with living(tmp_path, broker, blind, plug) as (spy, _):
        await ask(spy, "set the kitchen blind to forty")
        order = await spy.wait_for_topic("zigbee2mqtt/kitchen_blind/set")
        assert (order.json, order.qos, order.retain, order.expiry_s) == ({"position": 40}, 1, False, 5)
        assert events(spy, "tool_result") == []
        await spy.publish("zigbee2mqtt/kitchen_blind", '{"position": 40}')
        result = await event(spy, "tool_result", name="set_blind")
        assert result["is_ok"]
        said = await event(spy, "response", turn_id=result["turn_id"])
        assert said["text"] == "The blind goes to 40."

        await ask(spy, "start the kettle")
        assert (await spy.wait_for_topic("cmnd/kettle/POWER")).payload == b"ON"
        assert (await event(spy, "tool_result", name="start_kettle"))["is_ok"]
        assert calls(spy) == []


def speak(path: Path, *parts: str | float) -> Path:
    """What espeak-ng says and seconds of a room's noise, as one recording."""
    pieces = []
    for number, part in enumerate(parts):
        piece = path.with_name(f"piece{number}.wav")
        if isinstance(part, float):
            recording(piece, part)
        else:
            spoken = path.with_name(f"spoken{number}.wav")
            subprocess.run(["espeak-ng", "-v", "en-us", "-s", "140", "-w", spoken, part], check=True)
            subprocess.run(["sox", spoken, "-r", str(rate(path, parts)), piece], check=True)
        pieces.append(piece)
    subprocess.run(["sox", *pieces, path], check=True)
    return path


def rate(path: Path, parts: Sequence[str | float]) -> int:
    """Of the room's noise."""
    assert any(isinstance(part, float) for part in parts)
    with wave.open(str(recording(path.with_name("noise.wav"), 0.1))) as noise:
        rate_hz: int = noise.getframerate()
        return rate_hz


@pytest.mark.slow
@needs_voice
async def test_a_spoken_code_opens_and_is_told_to_nobody(tmp_path: Path, broker: Broker) -> None:
    digits = "seven, three, one, six"
    heard = speak(tmp_path / "code.wav", 6.0, digits, 90.0)
    tools = tool("unlock_door", confirm="pin")
    async with living(tmp_path, broker, tools, capture={"device": f"wav:{heard}"}) as (spy, node):
        await ask(spy, "unlock the door")
        (call,) = [(await spy.wait_for_topic(BASE + "tool/unlock_door/call", 30)).json]
        finished = await event(spy, "turn_finished", turn_id=call["turn_id"])
        assert finished["status"] == "completed"
        assert (await event(spy, "response", turn_id=call["turn_id"]))["text"] == "Done: unlock the door."
        assert "What is the code?" in [said["text"] for said in events(spy, "response")]
        assert events(spy, "segment") == [], "nothing of it was sent"
        everything = " ".join(seen.payload.decode() for seen in spy.messages) + node.log + node.output
        for secret in (CODE, "seven", "7, 3"):
            assert secret not in everything
    assert CODE not in (tmp_path / "state" / "state.json").read_text()
    assert outcomes(tmp_path) == [("unlock_door", "allowed", "pin", "done")]


@pytest.mark.slow
@needs_voice
async def test_a_spoken_yes_lets_it_pass(tmp_path: Path, broker: Broker) -> None:
    heard = speak(tmp_path / "yes.wav", 6.0, "yes, please", 90.0)
    tools = tool("open_gate", confirm="voice", sentences=["open the gate"])
    async with living(tmp_path, broker, tools, capture={"device": f"wav:{heard}"}) as (spy, _):
        await ask(spy, "open the gate")
        asked = await event(spy, "response", text="Shall I really do that?")
        assert calls(spy) == []
        answer = await event(spy, "transcript", role="user")
        await event(spy, "turn_finished", turn_id=answer["turn_id"])
        is_yes = answer["text"] in ("yes", "yes please")
        assert len(calls(spy)) == is_yes, answer["text"]
        assert asked["turn_id"] != answer["turn_id"]
