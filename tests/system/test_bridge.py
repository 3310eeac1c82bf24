"""Beyond one machine: a room and its home at two brokers, workers that share the calls, rules for any room."""

import asyncio
import json
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import broker as fake
from tests.fakes.broker import Broker
from tests.fakes.mqtt_spy import MqttSpy
from tests.fakes.until import until
from tests.system.house import BASE, DEADLINE_S, Program, calls, event, events, home, met, online, write_room

pytestmark = pytest.mark.skipif(bool(fake.ABSENT), reason=fake.ABSENT)

EXAMPLES = Path(__file__).parents[2] / "config" / "mosquitto"
ACL = (EXAMPLES / "acl.fleet.example").read_text(encoding="utf-8")
SHARED = "$share/workers/voice_node/+/tool/+/call"


def bridge_to(port: int) -> tuple[str, ...]:
    """The shipped bridge, without its line and its login, which are the home's own."""
    text = (EXAMPLES / "bridge.conf.example").read_text(encoding="utf-8")
    ours = ("remote_", "bridge_cafile", "#")
    lines = [line for line in text.splitlines() if line and not line.startswith(ours)]
    changed = {"address": f"address 127.0.0.1:{port}", "restart_timeout": "restart_timeout 1 1"}
    return tuple(changed.get(line.split()[0], line) for line in lines)


@asynccontextmanager
async def bridged(folder: Path) -> AsyncIterator[tuple[Broker, Broker, Program]]:
    """The rooms' broker, the home's broker, and a room that is at work."""
    with (
        Broker() as far,
        Broker(config=bridge_to(far.port)) as near,
        Program(folder, "run", write_room(folder, near.port)) as node,
    ):
        yield near, far, node
        assert "Traceback" not in node.log


async def ask(spy: MqttSpy, text: str = "turn on the kitchen light") -> None:
    await spy.publish(BASE + "request/ask", json.dumps({"text": text}))


async def finished(spy: MqttSpy, number: int) -> Any:
    await met(spy, lambda _: len(events(spy, "turn_finished")) >= number)
    return events(spy, "turn_finished")[number - 1]


@pytest.mark.slow
async def test_a_room_lives_on_the_other_side_of_a_bridge(tmp_path: Path) -> None:
    async with bridged(tmp_path) as (_, far, node), home(far.port) as spy:
        await online(spy)
        await ask(spy)
        turn = await finished(spy, 1)
        assert turn["status"] == "completed"
        (call,) = [seen for seen in spy.messages if seen.topic == BASE + "tool/set_light/call"]
        assert call.json["arguments"] == {"area": "kitchen", "state": "on"}
        assert not call.retain
        assert call.expiry_s is not None
        assert 0 < call.expiry_s <= 5
        assert call.response_topic == BASE + "tool/set_light/result"
        assert call.correlation == call.json["call_id"].encode()
        (result,) = events(spy, "tool_result")
        assert result["is_ok"]
        await assert_said_nothing_twice(spy)

        await spy.publish(BASE + "mute/set", "ON")
        await met(spy, lambda seen: seen.topic == BASE + "mute/state" and seen.payload == b"ON")
        async with MqttSpy(far.port, wanted=BASE + "+") as late:  # the home's broker keeps what the room's broker keeps
            kept = {name: await late.wait_for_topic(BASE + name, DEADLINE_S) for name in ("availability", "info")}
            assert all(seen.retain for seen in kept.values())
            assert kept["availability"].payload == b"online"

        node.signal(signal.SIGKILL)
        await met(spy, lambda seen: seen.topic == BASE + "availability" and seen.payload == b"offline")


async def assert_said_nothing_twice(spy: MqttSpy) -> None:
    """What goes over the bridge does not come back."""
    told = Counter(seen.payload for seen in spy.messages if seen.topic == BASE + "event")
    assert set(told.values()) == {1}


@pytest.mark.slow
async def test_what_a_broken_line_held_back_does_not_act_later(tmp_path: Path) -> None:
    async with bridged(tmp_path) as (near, far, node):
        async with home(far.port) as spy:
            await online(spy)
        far.kill()
        async with MqttSpy(near.port) as beside:
            await online(beside)
            await ask(beside)
            turn = await finished(beside, 1)
            (result,) = events(beside, "tool_result")
            assert not result["is_ok"], "the model learns that nobody did it"
            assert turn["status"] == "completed"
            far.restart()
            async with home(far.port) as spy:
                await online(spy)  # kept by the room's broker, and told to a home that remembers nothing
                await ask(spy, "turn off the kitchen light")
                await finished(beside, 2)
                assert [call["arguments"]["state"] for call in calls(spy)] == ["off"], "the old call stays away"
        assert node.is_running


@pytest.mark.slow
async def test_each_call_is_handled_by_one_of_three_workers(tmp_path: Path) -> None:
    """A room that asks, and forty calls of other rooms at once."""
    async with AsyncExitStack() as stack:
        broker = stack.enter_context(Broker())
        spy = await stack.enter_async_context(MqttSpy(broker.port))
        workers = [await stack.enter_async_context(MqttSpy(broker.port, wanted=SHARED)) for _ in range(3)]
        answering = [asyncio.create_task(answer(worker)) for worker in workers]
        stack.callback(lambda: [task.cancel() for task in answering])
        stack.enter_context(Program(tmp_path, "run", write_room(tmp_path, broker.port)))
        await online(spy)
        for number in range(1, 4):
            await ask(spy)
            assert (await finished(spy, number))["status"] == "completed"
        for number in range(40):
            call = {"call_id": f"other-{number}", "name": "set_light", "arguments": {}}
            await spy.publish(f"voice_node/room_{number % 8}/tool/set_light/call", json.dumps(call))
        await until(lambda: sum(len(worker.messages) for worker in workers) >= 43, DEADLINE_S)
        handled = Counter(seen.json["call_id"] for worker in workers for seen in worker.messages)
        assert len(handled) == 43
        assert set(handled.values()) == {1}, "no call went to two"
        assert all(worker.messages for worker in workers), "nobody is left out"
        results = Counter(seen.json["call_id"] for seen in spy.messages if seen.topic == BASE + "tool/set_light/result")
        assert len(results) == 3
        assert [told["is_ok"] for told in events(spy, "tool_result")] == [True] * 3


async def answer(worker: MqttSpy) -> None:
    """What a worker does with each call that it is given."""
    done = 0
    while True:
        await worker.wait_for(lambda _: len(worker.messages) > done, 600)  # noqa: B023 - it is asked at once
        seen = worker.messages[done]
        done += 1
        result = {"call_id": seen.json["call_id"], "output": {"result": "done"}}
        await worker.publish(seen.topic.removesuffix("call") + "result", json.dumps(result))


USERS = {"kitchen": "k", "hall": "h", "worker": "w", "fleet": "f", "homeassistant": "o", "guest": "g"}
CALL, RESULT = "voice_node/kitchen/tool/set_light/call", "voice_node/kitchen/tool/set_light/result"
SAY, MUTE, STATE = "voice_node/kitchen/request/say", "voice_node/kitchen/mute/set", "voice_node/kitchen/state"
WORDS = "voice_node/kitchen/transcript"
TOPICS = (CALL, RESULT, SAY, MUTE, STATE, WORDS)
WRITERS = {
    "kitchen": set(TOPICS),
    "hall": set(),
    "worker": {RESULT},
    "fleet": set(),
    "homeassistant": {RESULT, SAY, MUTE},
    "guest": set(),
}
READERS = {
    "kitchen": set(TOPICS),
    "hall": set(),
    "worker": {CALL},
    "fleet": {STATE},
    "homeassistant": set(TOPICS),
    "guest": set(),
}


async def test_one_pattern_keeps_every_room_to_itself() -> None:
    """Everybody says everything, with a last word on a topic of their own that tells when all before it was judged."""
    rules = ACL + "".join(f"user {name}\ntopic readwrite end/{name}\n" for name in USERS)
    rules += "user judge\ntopic readwrite #\n"
    async with AsyncExitStack() as stack:
        broker = stack.enter_context(Broker(users={**USERS, "judge": "j"}, acl=rules))
        judge = await stack.enter_async_context(MqttSpy(broker.port, username="judge", password="j"))
        people = {
            name: await stack.enter_async_context(MqttSpy(broker.port, username=name, password=password))
            for name, password in USERS.items()
        }
        for name, person in people.items():
            for topic in TOPICS:
                await person.publish(topic, name)
            await person.publish(f"end/{name}", "end")
            await judge.wait_for_topic(f"end/{name}")
        said = {name: {seen.topic for seen in judge.messages if seen.payload == name.encode()} for name in USERS}
        assert said == WRITERS
        for topic in TOPICS:
            await judge.publish(topic, "judge")
        heard = {}
        for name, person in people.items():
            await judge.publish(f"end/{name}", "judged")
            await person.wait_for(lambda seen: seen.payload == b"judged")
            heard[name] = {seen.topic for seen in person.messages if seen.payload == b"judge"}
        assert heard == READERS


async def test_a_real_room_lives_under_the_pattern(tmp_path: Path) -> None:
    with Broker(users=USERS, acl=ACL) as broker:
        room = write_room(tmp_path, broker.port, mqtt={"username": "kitchen", "discovery": False})
        with Program(tmp_path, "run", room, environ={"MQTT_PASSWORD": "k"}) as node:
            async with home(broker.port, username="homeassistant", password="o") as spy:
                await online(spy)
                await ask(spy)
                assert (await event(spy, "turn_finished"))["status"] == "completed"
                assert (await event(spy, "tool_result"))["is_ok"]
            assert "refuses" not in node.log
            assert "ACL" not in node.log
