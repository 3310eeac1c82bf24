"""A recording in, MQTT out and back: exactly what the contract says."""

import itertools
import re
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import broker as fake
from tests.fakes.broker import Broker
from tests.fakes.mqtt_spy import MqttSpy
from tests.system.house import (
    BASE,
    RECORDING,
    SPOKEN,
    Program,
    below,
    calls,
    events,
    home,
    met,
    met_on,
    recording,
    write_room,
)
from voice_node.mqtt.topics import SETTINGS, Topics

RETAINED = {"availability", "state", "info", "mute/state", "volume/state"}
"""What every room leaves at the broker."""
MAY_STAY = RETAINED | {"usage", "health", Topics("voice_node", "kitchen").discovery}
MAY_STAY |= {f"{name}/state" for name in SETTINGS}
PASSING = {"event", "transcript", "transcript/user", "transcript/assistant", "speech"}
PASSING |= {f"tool/{name}/{kind}" for name in ("set_light", "set_heating") for kind in ("call", "result")}
QOS_0 = {"speech", "health"}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
HEARD = [
    "turn on the kitchen light",
    "i think we will have pasta for dinner tonight",
    "set the heating to twenty one degrees",
]
SAID = ["The kitchen light is on.", "Sorry, I did not understand that.", "The heating is set to 21 degrees."]


async def replayed(tmp_path: Path, port: int, *options: str) -> tuple[MqttSpy, Program]:
    """The whole recording, heard, answered, and over.

    The recogniser's words depend on where a segment begins: here it is the same whatever extras are installed.
    """
    room = write_room(tmp_path, port, gate={"hang_over_ms": 300, "confirm": "off"})
    async with home(port) as spy:
        with Program(tmp_path, "replay", room, RECORDING, *options) as node:
            assert await node.ended(60) == 0
        last = await met(spy, lambda seen: below(seen) == "availability" and seen.payload == b"offline")
        assert spy.messages[-1] is last, "something was said after `offline`"
    return spy, node


def assert_every_message(spy: MqttSpy) -> None:
    """Topics, retain flags, QoS and payloads by the contract; every JSON of a turn names turn and room."""
    for seen in spy.messages:
        place = below(seen)
        assert place in MAY_STAY | PASSING, f"{place} is not in the contract, or not expected here"
        assert seen.retain == (place in MAY_STAY), place
        assert seen.qos == (0 if place in QOS_0 else 1), place
        assert seen.expiry_s is None or place.endswith("/call"), place
    assert {seen.payload for seen in spy.on(BASE + "availability")} == {b"online", b"offline"}
    speech = [payload for payload, _ in itertools.groupby(seen.payload for seen in spy.on(BASE + "speech"))]
    assert speech[speech.index(b"ON") :] == [b"ON", b"OFF"] * 3, "told again now and then, but never changed"
    assert {seen.payload for seen in spy.on(BASE + "mute/state")} == {b"OFF"}
    assert {seen.payload for seen in spy.on(BASE + "volume/state")} == {b"70"}
    for seen in spy.on(BASE + "state"):
        assert seen.json.keys() - {"turn_id", "room"} == {"state", "since"}
        assert TIME.fullmatch(seen.json["since"])
    states = [seen.json["state"] for seen in spy.on(BASE + "state")]
    assert states[0] in ("idle", "listening"), "of a retained state only the newest waits for the broker"
    assert states[-1] == "idle"
    assert {"listening", "thinking", "speaking"} < set(states)


def turns_of(spy: MqttSpy) -> list[str]:
    """The turns' ids, in order."""
    return list(dict.fromkeys(event["turn_id"] for event in events(spy, "segment")))


def assert_turns(spy: MqttSpy) -> None:
    """Two commands, one sentence that is none."""
    turns = turns_of(spy)
    assert len(turns) == 3
    transcripts = [seen.json for seen in spy.on(BASE + "transcript")]
    told = [(one["turn_id"], one["role"], one["text"]) for one in transcripts]
    wanted = [("user", text) for text in HEARD], [("assistant", text) for text in SAID]
    for number, turn_id in enumerate(turns):
        mine = [(role, text) for turn, role, text in told if turn == turn_id]
        assert mine == [wanted[0][number], wanted[1][number]]
    for one in transcripts:
        must = {"turn_id", "item_id", "room", "role", "text", "final", "started_at", "ended_at", "duration_ms"}
        assert must <= set(one) <= must | {"language", "confidence", "provider"}
        assert one["final"] is True
        assert one["room"] == "kitchen"
        assert all(TIME.fullmatch(one[name]) for name in ("started_at", "ended_at"))
        assert isinstance(one["duration_ms"], int)
    assert len({one["item_id"] for one in transcripts}) == 6


def assert_calls(spy: MqttSpy) -> None:
    """Exactly one call for each command, with all that MQTT 5 can say of it."""
    turns = turns_of(spy)
    light, heating = (seen for seen in spy.messages if seen.topic.endswith("/call"))
    assert light.topic == BASE + "tool/set_light/call"
    assert light.json["arguments"] == {"state": "on", "area": "kitchen"}
    assert heating.topic == BASE + "tool/set_heating/call"
    assert heating.json["arguments"] == {"temperature": 21}
    for seen, turn_id in ((light, turns[0]), (heating, turns[2])):
        call = seen.json
        assert set(call) == {"call_id", "turn_id", "room", "name", "arguments", "issued_at", "expires_at"}
        assert (call["turn_id"], call["room"]) == (turn_id, "kitchen")
        assert TIME.fullmatch(call["issued_at"])
        assert TIME.fullmatch(call["expires_at"])
        assert seen.expiry_s is not None
        assert 1 <= seen.expiry_s <= 5
        assert seen.response_topic == seen.topic.replace("/call", "/result")
        assert seen.correlation == call["call_id"].encode()


def assert_events(spy: MqttSpy) -> None:
    """Each happening of each turn, with the times."""
    turns = turns_of(spy)
    of_turn: dict[str, list[Any]] = {turn_id: [] for turn_id in turns}
    for seen in spy.on(BASE + "event"):
        assert seen.json["room"] == "kitchen"
        of_turn[seen.json["turn_id"]].append(seen.json)
    command = ["segment", "transcript", "tool_call", "tool_result", "response", "turn_finished"]
    for turn_id, wanted in zip(turns, (command, [k for k in command if "tool" not in k], command), strict=True):
        assert [one["event_type"] for one in of_turn[turn_id]] == wanted
        finished = of_turn[turn_id][-1]
        assert finished["status"] == "completed"
        names = ["commit", "transcript", "tool_call", "first_sound", "done"]
        timings = finished["timings_ms"]
        assert list(timings) == [name for name in names if name != "tool_call" or wanted is command]
        assert all(isinstance(ms, int) and ms >= 0 for ms in timings.values())
        assert sorted(timings.values()) == list(timings.values())
        assert set(finished["usage"]) >= {"input", "output"}
    (result, _) = events(spy, "tool_result")
    assert result["is_ok"] is True
    assert isinstance(result["duration_ms"], int)


async def assert_what_stays(port: int) -> None:
    """Facts stay at the broker, words do not."""
    async with MqttSpy(port) as later:
        for place in RETAINED:
            await met_on(later, place)
        assert {below(seen) for seen in later.messages} <= MAY_STAY
        assert later.on(BASE + "availability")[0].payload == b"offline"
        words = " ".join(seen.payload.decode().lower() for seen in later.messages)
    assert not [word for word in SPOKEN if word in words]


@pytest.mark.slow
@pytest.mark.parametrize("options", [("--fast",), ()], ids=["fast", "real time"])
async def test_a_recording_becomes_calls_and_replies(tmp_path: Path, broker: Broker, options: tuple[str, ...]) -> None:
    spy, node = await replayed(tmp_path, broker.port, *options)
    assert_every_message(spy)
    assert_turns(spy)
    assert_calls(spy)
    assert_events(spy)
    assert node.output == ""
    assert not [word for word in SPOKEN if word in node.log.lower()], "spoken words are in the log"
    assert "Traceback" not in node.log
    assert "Unknown child" not in node.log
    await assert_what_stays(broker.port)


@pytest.mark.slow
async def test_no_secret_is_written_anywhere(tmp_path: Path, free_port: int) -> None:
    """A key and a password that go to a server and a broker of others, at the most talkative level."""
    if fake.ABSENT:
        pytest.skip(fake.ABSENT)
    canary = {"OPENAI_API_KEY": "sk-canary-3141592653589793", "MQTT_PASSWORD": "canary-2718281828"}
    with Broker(users={"kitchen": canary["MQTT_PASSWORD"]}) as broker:
        session = {"provider": "custom", "url": f"ws://127.0.0.1:{free_port}/v1/realtime"}
        room = write_room(tmp_path, broker.port, session=session, mqtt={"username": "kitchen"})
        key = tmp_path / "key"
        key.write_text(canary["OPENAI_API_KEY"])
        sound = recording(tmp_path / "one.wav", 1)
        async with home(broker.port, username="kitchen", password=canary["MQTT_PASSWORD"]) as spy:
            with Program(tmp_path, "serve", room, "--port", str(free_port), "--key-file", key) as server:
                await server.said("served at")
                with Program(tmp_path, "replay", room, sound, "--fast", environ=canary) as node:
                    assert await node.ended(30) == 0
            assert len(calls(spy)) == 1
            written = node.log + node.output + server.log + server.output
            written += "".join(f"{seen.topic} {seen.payload!r}" for seen in spy.messages)
    assert "canary" not in written
    assert "Bearer" not in written


def with_flaw(path: Path, flaw: str) -> Path:
    """A recording that cannot be used."""
    content = recording(path, 1).read_bytes()
    match flaw:
        case "truncated":
            path.write_bytes(content[: len(content) // 2])
        case "empty":
            path.write_bytes(b"")
        case "float":
            path.write_bytes(content[:20] + b"\x03\x00" + content[22:])
        case "no wav":
            path.write_bytes(b"OggS" + content)
        case "no sound":
            path.write_bytes(content[:40] + bytes(4))
        case "no file":
            path.unlink()
        case "a folder":
            path.unlink()
            path.mkdir()
    return path


async def test_each_bad_recording_is_one_plain_line_and_78(tmp_path: Path, free_port: int) -> None:
    flaws = ("truncated", "empty", "float", "no wav", "no sound", "no file", "a folder")
    paths = [with_flaw(tmp_path / f"{number}.wav", flaw) for number, flaw in enumerate(flaws)]
    good = recording(tmp_path / "good.wav", 1)
    with Program(tmp_path, "replay", write_room(tmp_path, free_port), good, *paths, "--fast") as node:
        assert await node.ended() == 78
    lines = [line for line in node.log.splitlines() if ".wav" in line]
    assert [line.split(": ")[0] for line in lines] == [str(path) for path in paths]
    assert "Traceback" not in node.log
    assert node.output == ""


async def test_a_bad_room_file_is_told_line_by_line_and_ends_with_78(tmp_path: Path) -> None:
    path = tmp_path / "kitchen.yaml"
    path.write_text("room: kitchen\ngate: {frame_ms: 25}\nmqtt:\n  prot: 1883\nlog: [\n")
    with Program(tmp_path, "run", path) as node:
        assert await node.ended() == 78
    assert node.log.startswith(f"{path}:")
    path.write_text("room: kitchen\ngate: {frame_ms: 25}\nmqtt:\n  prot: 1883\n")
    with Program(tmp_path, "run", path) as node:
        assert await node.ended() == 78
    assert [line.split(" ")[0] for line in node.log.splitlines()] == [f"{path}:2:", f"{path}:4:"]
