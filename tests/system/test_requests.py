"""What people and automations ask of a running node, and what they must not be able to do to it."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.broker import Broker
from tests.fakes.mqtt_spy import MqttSpy, Seen
from tests.fakes.until import until
from tests.system.house import (
    BASE,
    LIGHT,
    Program,
    below,
    calls,
    event,
    events,
    home,
    met,
    met_on,
    online,
    state,
    write_room,
)
from voice_node.mqtt.topics import is_level


@asynccontextmanager
async def living(tmp_path: Path, broker: Broker, **sections: Any) -> AsyncIterator[tuple[MqttSpy, Program]]:
    """A node at work, and its home; it must be alive at the end."""
    async with home(broker.port) as spy:
        with Program(tmp_path, "run", write_room(tmp_path, broker.port, **sections)) as node:
            await online(spy)
            await met_on(spy, "state")
            yield spy, node
            assert node.is_running or node.was_told_to_stop
            assert "Traceback" not in node.log


async def request(spy: MqttSpy, name: str, payload: bytes | str = b"") -> Any:
    """Make it with MQTT 5's means; both answers must be the same. Returns it."""
    token = f"{name}-{len(spy.messages)}".encode()
    asked_for = f"{BASE}reply/{name}"
    begin = len(spy.messages)
    await spy.publish(BASE + f"request/{name}", payload, response_topic=asked_for, correlation=token)
    private = await met(spy, lambda seen: seen.topic == asked_for and seen.correlation == token)

    public = await fresh(spy, begin, is_on(f"{BASE}response/{name}"))
    assert public == private.json
    assert (private.qos, private.retain) == (1, False)
    assert public["status"] == ("error" if "error" in public else "ok")
    return public


@pytest.mark.slow
async def test_each_request_is_answered(tmp_path: Path, broker: Broker) -> None:
    async with living(tmp_path, broker) as (spy, node):
        for name in ("listen", "stop", "reset", "diagnose"):
            assert (await request(spy, name))["status"] == "ok", name
        assert (await request(spy, "listen", '{"timeout_ms": 100, "transaction": "t"}'))["transaction"] == "t"
        for name in ("approve", "deny"):
            assert "no call" in (await request(spy, name, '{"call_id": "none"}'))["error"]
        assert "there is no such request" in (await request(spy, "dance"))["error"]
        report = (await request(spy, "diagnose"))["data"]
        assert report["info"]["provider"] == "local"
        found = {finding["subject"]: finding["text"] for finding in report["findings"]}
        assert found["room"] == "runs, and is online", "it sees the room from outside"
        assert {"broker", "clock", "disk", "versions"} <= set(found)

        said = await request(spy, "say", "dinner is ready")
        spoken = await event(spy, "response", turn_id=said["data"]["turn_id"])
        assert spoken["text"] == "dinner is ready"
        await event(spy, "turn_finished", turn_id=said["data"]["turn_id"])

        asked = await request(spy, "ask", '{"text": "turn off the bedroom lights"}')
        await event(spy, "turn_finished", turn_id=asked["data"]["turn_id"], status="completed")
        (call,) = calls(spy)
        assert (call["arguments"], call["turn_id"]) == (
            {"area": "bedroom", "state": "off"},
            asked["data"]["turn_id"],
        )
        assert "dinner is ready" not in node.log


async def test_stop_silences_within_a_moment(tmp_path: Path, broker: Broker) -> None:
    """An announcement of half a minute, at a speaker that takes it in real time."""
    async with living(tmp_path, broker) as (spy, _):
        said = await request(spy, "say", "one two three four five six seven eight nine ten " * 10)
        mark = await state(spy, "speaking")
        assert (await request(spy, "stop"))["status"] == "ok"
        await state(spy, "idle", mark, deadline_s=15)
        await event(spy, "turn_finished", turn_id=said["data"]["turn_id"])


async def test_reload_takes_a_good_file_and_keeps_the_old_one_for_a_bad(tmp_path: Path, broker: Broker) -> None:
    async with living(tmp_path, broker) as (spy, node):
        path = tmp_path / "kitchen.yaml"
        good = path.read_text()
        hash_before = spy.on(BASE + "info")[0].json["configuration"]

        path.write_text("room: kitchen\ngate: {frame_ms: 25}\n")
        answer = await request(spy, "reload")
        assert answer["error"].startswith(f"{path}:2: gate.frame_ms: ")
        assert len(spy.on(BASE + "availability")) == 1, "the node went away for a bad file"

        node.signal(signal.SIGHUP)
        await until(lambda: node.log.count("the old settings stay") == 2)

        changed = json.loads(good)
        changed["tools"] = [LIGHT]
        path.write_text(json.dumps(changed))
        assert (await request(spy, "reload"))["status"] == "ok"
        fresh = await met(spy, lambda seen: below(seen) == "info" and seen.json["configuration"] != hash_before)
        assert fresh.json["tools"] == ["set_light"]

        path.write_text(good)
        node.signal(signal.SIGHUP)
        await met(
            spy,
            lambda seen: (
                below(seen) == "info"
                and seen.json["configuration"] == hash_before
                and seen is not spy.on(BASE + "info")[0]
            ),
        )
        await spy.publish(BASE + "request/ask", '{"text": "set the heating to twenty degrees"}')
        await event(spy, "turn_finished", status="completed")


async def test_reload_refuses_a_room_whose_key_is_not_there(tmp_path: Path, broker: Broker) -> None:
    async with living(tmp_path, broker) as (spy, _):
        write_room(tmp_path, broker.port, session={"provider": "openai"})
        answer = await request(spy, "reload")
        assert "openai needs an API key" in answer["error"]
        assert len(spy.on(BASE + "availability")) == 1


@pytest.mark.slow
async def test_a_storm_of_reloads_is_weathered(tmp_path: Path, broker: Broker) -> None:
    """Also those that come while one node ends and the next begins."""
    async with living(tmp_path, broker) as (_, node):
        for _ in range(40):
            node.signal(signal.SIGHUP)
            await asyncio.sleep(0.02)
        node.signal(signal.SIGTERM)
        assert await node.ended() == 0
    async with MqttSpy(broker.port) as later:
        assert (await met_on(later, "availability")).payload == b"offline"


BAD_RESULTS = {
    "not JSON": b"{",
    "a list": b"[]",
    "no id": b'{"output": 1}',
    "both": b'{"call_id": "c", "output": 1, "error": "e"}',
    "an id of the wrong type": b'{"call_id": 7, "output": 1}',
    "NaN": b'{"call_id": "c", "output": NaN}',
    "not UTF-8": b"\xff\xfe",
    "too large": b'{"call_id": "c", "output": "' + bytes(70 * 1024) + b'"}',
    "deep": b'{"call_id": "c", "output": ' + b"[" * 2000 + b"]" * 2000 + b"}",
}
BAD_SETTINGS = {
    "mute/set": (b"on", b"1", b"", b'{"state": "ON"}'),
    "volume/set": (b"loud", b"101", b"-1", b"3.5", b"true", b"1e999"),
    "gate_snr_db/set": (b"-1", b"NaN", b'"6"'),
    "hang_over_ms/set": (b"5", b"700.5"),
    "wake_word/set": (b"", bytes(300)),
    "budget_usd/set": (b"0", b"null"),
}
BAD_REQUESTS = {
    "say": (b"", b"{", b'{"text": 1}', b'{"text": "x", "volume": 101}', b"\xff", b"x" * 70 * 1024),
    "ask": (b"", b'{"what time is it', b'{"text": ""}', b'{"text": "x", "more": 1}'),
    "listen": (b'{"timeout_ms": "long"}', b"[1]"),
    "approve": (b"", b'{"call_id": ""}'),
    "": (b"",),
    "STOP": (b"",),
    "no such request": (b"",),
}


async def fresh(spy: MqttSpy, begin: int, predicate: Callable[[Seen], bool]) -> Any:
    """The first such message among those from number `begin` on."""
    await met(spy, lambda _: any(map(predicate, spy.messages[begin:])))
    return next(filter(predicate, spy.messages[begin:])).json


def is_on(topic: str) -> Callable[[Seen], bool]:
    """It came on this topic."""
    return lambda seen: seen.topic == topic


def is_error(seen: Seen) -> bool:
    """An event that says what was wrong."""
    return bool(below(seen) == "event" and seen.json["event_type"] == "error")


async def test_bad_input_is_answered_and_changes_nothing(tmp_path: Path, broker: Broker) -> None:
    async with living(tmp_path, broker) as (spy, node):
        for place, payloads in {"tool/set_light/result": tuple(BAD_RESULTS.values()), **BAD_SETTINGS}.items():
            for payload in payloads:
                begin = len(spy.messages)
                await spy.publish(BASE + place, payload)
                error = await fresh(spy, begin, is_error)
                assert error["code"] == "bad_input", (place, payload[:40])
                assert error["detail"].startswith(f"{place}: ")
                if len(payload) > 5:
                    assert payload[:40].decode(errors="replace") not in error["detail"]
        for name, payloads in BAD_REQUESTS.items():
            for payload in payloads:
                begin = len(spy.messages)
                await spy.publish(f"{BASE}request/{name}", payload)
                if is_level(name):
                    answer = await fresh(spy, begin, is_on(f"{BASE}response/{name}"))
                    assert answer["status"] == "error"
                else:
                    assert (await fresh(spy, begin, is_error))["code"] == "bad_input"
        for payload in (b'{"call_id": "unknown", "output": 1}', b'{"call_id": "unknown", "error": "no"}'):
            begin = len(spy.messages)
            await spy.publish(BASE + "tool/set_light/result", payload)
            assert (await fresh(spy, begin, is_error))["code"] == "unknown_result"
        assert [seen.payload for seen in spy.on(BASE + "mute/state")] == [b"OFF"]
        assert [seen.payload for seen in spy.on(BASE + "volume/state")] == [b"70"]
        assert {seen.json["state"] for seen in spy.on(BASE + "state")} == {"idle"}
        assert calls(spy) == []

        await spy.publish(BASE + "request/ask", '{"text": "turn on the kitchen light"}')
        await event(spy, "turn_finished", status="completed")
        assert len(calls(spy)) == 1
        assert len(node.log) < 100_000


@pytest.mark.parametrize("protocol", [5, 3])
async def test_retained_commands_do_not_act(tmp_path: Path, broker: Broker, protocol: int) -> None:
    """They are old: they lay at the broker before the node came."""
    ask = '{"text": "turn on the kitchen light"}'
    retained = {"mute/set": "ON", "volume/set": "1", "request/say": "boo", "request/ask": ask}
    async with MqttSpy(broker.port) as earlier:
        for place, payload in retained.items():
            await earlier.publish(BASE + place, payload, retain=True)
    async with living(tmp_path, broker, mqtt={"protocol": protocol}) as (spy, _):
        await spy.publish(BASE + "volume/set", "55")
        await met(spy, lambda seen: below(seen) == "volume/state" and seen.payload == b"55")
        assert {seen.payload for seen in spy.on(BASE + "volume/state")} == {b"70", b"55"}
        assert {seen.payload for seen in spy.on(BASE + "mute/state")} == {b"OFF"}
        assert calls(spy) == []
        assert events(spy, "response") == []


async def test_an_answer_that_comes_twice_late_or_for_another_tool_is_told_and_not_used(
    tmp_path: Path, broker: Broker
) -> None:
    tool = LIGHT | {"timeout_s": 3.0}
    async with MqttSpy(broker.port) as spy:
        with Program(tmp_path, "run", write_room(tmp_path, broker.port, tools=[tool])) as node:
            await online(spy)
            await spy.publish(BASE + "request/ask", '{"text": "turn on the kitchen light"}')
            call = (await met_on(spy, "tool/set_light/call")).json
            answer = json.dumps({"call_id": call["call_id"], "output": "done"})
            await spy.publish(BASE + "tool/other/result", answer)
            await event(spy, "error", code="unknown_result")
            await event(spy, "error", code="timeout")
            await spy.publish(BASE + "tool/set_light/result", answer)
            await event(spy, "error", code="late_result")
            finished = await event(spy, "turn_finished")
            reply = await event(spy, "response", turn_id=finished["turn_id"])
            assert reply["text"] == "No answer from home."
            assert node.is_running


@pytest.mark.slow
async def test_the_volume_is_kept_over_a_restart(tmp_path: Path, broker: Broker) -> None:
    room = write_room(tmp_path, broker.port)
    async with MqttSpy(broker.port) as spy:
        with Program(tmp_path, "run", room) as node:
            await online(spy)
            await spy.publish(BASE + "volume/set", "55")
            await met(spy, lambda seen: below(seen) == "volume/state" and seen.payload == b"55")
            node.signal(signal.SIGTERM)
            assert await node.ended() == 0
        begin = len(spy.messages)
        with Program(tmp_path, "run", room):
            await fresh(spy, begin, is_on(BASE + "volume/state"))
            assert spy.on(BASE + "volume/state")[-1].payload == b"55"
