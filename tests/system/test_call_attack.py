"""Calls and answers as an unkind model and home make them: a whole node, a real broker, a scripted service."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tests.fakes.broker import Broker
from tests.fakes.mqtt_spy import MqttSpy, Seen
from tests.fakes.realtime_server import Answer, Expect, RealtimeServer, Script, greet
from tests.system.house import BASE, Program, calls, event, events, is_call, met, online, write_room

LAMP = {
    "name": "lamp",
    "description": "Switches a lamp.",
    "parameters": {
        "type": "object",
        "properties": {"n": {"type": "integer"}},
        "additionalProperties": False,
    },
    "max_per_minute": 600,
}


def tool(name: str, **keys: Any) -> dict[str, Any]:
    return {"name": name, "description": name, "parameters": {"type": "object", "properties": {}}} | keys


def responding(response_id: str, *items: Mapping[str, Any]) -> Answer:
    """One response of these items, each announced before its end and told again at it."""

    def make(create: dict[str, Any]) -> Sequence[dict[str, Any]]:
        response = {"id": response_id, "metadata": create["response"].get("metadata", {})}
        output = [{"id": f"{response_id}_{i}", "status": "completed", **item} for i, item in enumerate(items)]
        ids = {"response_id": response_id, "output_index": 0}
        return (
            {"type": "response.created", "response": response | {"status": "in_progress"}},
            *({"type": "response.output_item.done", "item": item} | ids for item in output),
            {"type": "response.done", "response": response | {"status": "completed", "output": output}},
        )

    return Answer(make)


def a_call(call_id: str, name: str = "lamp", **arguments: Any) -> dict[str, Any]:
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": json.dumps(arguments)}


def a_turn(number: int, *made: Mapping[str, Any], outputs: int | None = None, is_stopped: bool = False) -> Script:
    """Somebody asks, the model calls; when it has its outputs it says so, unless somebody said stop."""
    said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": f"{number}."}]}
    is_output = lambda event: event["item"]["type"] == "function_call_output"  # noqa: E731 - read in place
    count = len({call["call_id"] for call in made}) if outputs is None else outputs
    return (
        Expect("conversation.item.create"),
        Expect("response.create"),
        responding(f"r{number}", *made),
        *[Expect("conversation.item.create", is_output)] * count,
        *(() if is_stopped else (Expect("response.create"), responding(f"s{number}", said))),
    )


class House:
    """A node at work between its home and its service."""

    def __init__(self, spy: MqttSpy, server: RealtimeServer) -> None:
        self.spy = spy
        self._server = server
        self.turns = 0

    @property
    def outputs(self) -> dict[str, Any]:
        """What the model was told, by call; one for each."""
        found: dict[str, Any] = {}
        for sent in self._server.events:
            if sent.get("item", {}).get("type") == "function_call_output":
                assert sent["item"]["call_id"] not in found, "two outputs"
                found[sent["item"]["call_id"]] = json.loads(sent["item"]["output"])
        return found

    async def ask(self) -> None:
        self.turns += 1
        await self.spy.publish(BASE + "request/ask", '{"text": "do it"}')

    async def ended(self) -> None:
        await met(self.spy, lambda _: len(events(self.spy, "turn_finished")) == self.turns)
        assert [end["status"] for end in events(self.spy, "turn_finished")] == ["completed"] * self.turns

    async def called(self, call_id: str) -> Seen:
        return await met(self.spy, lambda seen: is_call(seen) and seen.json["call_id"] == call_id)

    async def result(self, call_id: str, output: Any, name: str = "lamp", *, retain: bool = False) -> None:
        answer = json.dumps({"call_id": call_id, "output": output})
        await self.spy.publish(f"{BASE}tool/{name}/result", answer, retain=retain)

    async def error(self, code: str) -> Any:
        return await event(self.spy, "error", code=code)

    def errors(self) -> list[str]:
        return [told["code"] for told in events(self.spy, "error")]


@asynccontextmanager
async def living(
    folder: Path, broker: Broker, script: Sequence[Any], *tools: Mapping[str, Any]
) -> AsyncIterator[House]:
    async with RealtimeServer([*greet(), *script]) as server, MqttSpy(broker.port) as spy:
        session = {"provider": "custom", "url": server.url, "output_modalities": ["text"]}
        room = write_room(folder, broker.port, session=session, tools=[LAMP, *tools])
        with Program(folder, "run", room) as node:
            await online(spy)
            yield House(spy, server)
            assert node.is_running
            assert "Traceback" not in node.log


async def test_the_first_answer_wins_and_every_other_changes_nothing(tmp_path: Path, broker: Broker) -> None:
    hasty = tool("hasty", timeout_s=1)
    script = [
        *a_turn(1, a_call("c1")),
        *a_turn(2, a_call("c2", "hasty")),
        *a_turn(3, a_call("c1"), a_call("c3"), outputs=1),
    ]
    async with living(tmp_path, broker, script, hasty) as house:
        await house.result("c1", "before it was called")
        await house.error("unknown_result")
        await house.ask()
        call = await house.called("c1")
        assert (call.retain, call.response_topic, call.correlation) == (False, BASE + "tool/lamp/result", b"c1")
        assert call.expiry_s is not None
        await house.result("c1", "of another tool", "hasty")
        await house.result("c1", "old", retain=True)
        for bad in (b"", b"{", b'{"call_id":"c1"}', b'{"call_id":"c1","output":NaN}', b"\xff", b"x" * 70_000):
            await house.spy.publish(BASE + "tool/lamp/result", bad)
        await house.spy.publish(BASE + "tool/lamp/result", b'{"call_id":"c1","output":1,"error":"both"}')
        await asyncio.gather(*(house.result("c1", f"answer {n}") for n in range(5)))
        await house.ended()
        (first,) = house.outputs.values()
        assert first in ("old", *(f"answer {n}" for n in range(5)))
        await met(house.spy, lambda _: house.errors().count("second_result") >= 4)

        await house.ask()
        await house.called("c2")
        await house.ended()
        assert house.outputs["c2"] == {"error": "no answer in time"}
        await house.result("c2", "too late", "hasty")
        await house.error("late_result")

        await house.ask()  # the model uses an id again
        await house.called("c3")
        await house.result("c3", 3)
        await house.ended()
        assert len([call for call in calls(house.spy) if call["call_id"] == "c1"]) == 1
        assert list(house.outputs) == ["c1", "c2", "c3"]
        assert events(house.spy, "tool_result")[-1]["is_ok"]


async def test_ten_calls_at_once_eight_go_out_and_each_has_its_output(tmp_path: Path, broker: Broker) -> None:
    many = [a_call(f"c{n}", n=n) for n in range(10)]
    same = [a_call(f"d{n}", n=7) for n in range(4)]
    crowd = [a_call(f"e{n}", n=n) for n in range(40)]
    script = [*a_turn(1, *many, *many), *a_turn(2, *same), *a_turn(3, *crowd)]
    async with living(tmp_path, broker, script) as house:
        await house.ask()
        await house.called("c7")
        for number in reversed(range(8)):
            await house.result(f"c{number}", number)
        await house.ended()
        assert [call["call_id"] for call in calls(house.spy)] == [f"c{n}" for n in range(8)]
        assert {
            call_id: house.outputs[call_id]
            for call_id in list(house.outputs)
            if "error" not in str(house.outputs[call_id])
        } == {f"c{n}": n for n in range(8)}
        assert all("more than 8" in house.outputs[f"c{n}"]["error"] for n in (8, 9))

        await house.ask()
        await house.called("d1")
        for number in (1, 0):
            await house.result(f"d{number}", number)
        await house.ended()
        assert len(calls(house.spy)) == 10
        assert all("same call" in house.outputs[f"d{n}"]["error"] for n in (2, 3))

        await house.ask()
        await house.called("e7")
        for number in range(8):
            await house.result(f"e{number}", number)
        await house.ended()
        assert len(calls(house.spy)) == 18
        assert set(house.outputs) >= {f"e{n}" for n in range(40)}
        assert "too_many_calls" in house.errors()


async def test_what_no_rule_allows_reaches_nobody(tmp_path: Path, broker: Broker) -> None:
    later = datetime.now().astimezone() + timedelta(hours=3)
    tools = [
        tool("unlock_door"),
        tool("night", hours=f"{later:%H:%M}-{later + timedelta(hours=1):%H:%M}"),
        tool("seldom", max_per_minute=2),
        tool("seldom_asked", max_per_minute=1, confirm="voice"),
    ]
    made = [
        a_call("c1", "unlock_door"),
        a_call("c2", "no_such_tool"),
        a_call("c3", "lamp", n="many"),
        a_call("c4", "lamp", n=1, m=2),
        {"type": "function_call", "call_id": "c5", "name": "lamp", "arguments": {"n": 1}},
        {"type": "function_call", "call_id": "c6", "name": "lamp", "arguments": '{"n": NaN}'},
        {"type": "function_call", "call_id": "c7", "name": "lamp", "arguments": '{"n": 1, "n": 2}'},
        a_call("c8", "night"),
    ]
    asked = [a_call(f"v{n}", "seldom_asked") for n in range(3)]
    script = [*a_turn(1, *made), *[step for n in (2, 3, 4) for step in a_turn(n, a_call(f"s{n}", "seldom"))]]
    script += a_turn(5, *asked)
    async with living(tmp_path, broker, script, *tools) as house:
        await house.ask()
        await house.ended()
        assert calls(house.spy) == []
        assert "does not allow it" in house.outputs["c1"]["error"]
        assert all("error" in house.outputs[f"c{n}"] for n in range(1, 8))
        assert "allowed only" in house.outputs["c8"]["error"]
        for number in (2, 3):
            await house.ask()
            await house.called(f"s{number}")
            await house.result(f"s{number}", "ok", "seldom")
            await house.ended()
        await house.ask()
        await house.ended()
        assert "at most 2" in house.outputs["s4"]["error"]
        await house.ask()
        await house.ended()
        assert [house.outputs[f"v{n}"].get("status") for n in range(3)] == ["confirmation_needed"] * 2 + [None]
        assert len(calls(house.spy)) == 2


async def test_only_the_right_word_from_the_phone_lets_a_call_pass(tmp_path: Path, broker: Broker) -> None:
    names = ["c1", "c2", "c3", "c4"]
    door = tool("unlock_door", confirm="mqtt", max_per_minute=600)
    script = [
        step for name in names for step in a_turn(int(name[1]), a_call(name, "unlock_door"), is_stopped=name == "c4")
    ]
    async with living(tmp_path, broker, script, door) as house:
        await house.spy.publish(BASE + "request/approve", '{"call_id": "c1"}', retain=True)  # not yet asked for
        for name in names:
            await house.ask()
            asked = await event(house.spy, "tool_call", call_id=name)
            assert asked["needs_approval"]
            await house.result(name, "as if it had been called", "unlock_door")
            for wrong in ("C1", "", "nobody's", name + " "):
                await house.spy.publish(BASE + "request/approve", json.dumps({"call_id": wrong}))
            assert [call["call_id"] for call in calls(house.spy)] == [n for n in ("c1", "c3") if n < name]
            match name:
                case "c1" | "c3":
                    for word in ("approve", "approve", "deny"):
                        await house.spy.publish(f"{BASE}request/{word}", json.dumps({"call_id": name}))
                    await house.called(name)
                    await house.result(name, "open", "unlock_door")
                case "c2":
                    for word in ("deny", "approve"):
                        await house.spy.publish(f"{BASE}request/{word}", json.dumps({"call_id": name}))
                case _:
                    break
            await house.ended()
        await house.spy.publish(BASE + "request/stop")  # while the last one waits
        await house.spy.publish(BASE + "request/approve", '{"call_id": "c4"}')
        await met(house.spy, lambda _: len(events(house.spy, "turn_finished")) == 4)
        assert [call["call_id"] for call in calls(house.spy)] == ["c1", "c3"]
        assert "denied" in house.outputs["c2"]["error"]
        assert "stop" in house.outputs["c4"]["error"]
        await house.spy.publish(BASE + "request/approve", b"", retain=True)


async def test_a_model_reaches_no_topic_but_its_own_and_waits_for_the_device(tmp_path: Path, broker: Broker) -> None:
    text = {"type": "string"}
    shade = tool(
        "shade",
        parameters={"type": "object", "properties": {"area": text, "to": text}, "required": ["area"]},
        publish={"topic": "zigbee2mqtt/{area}/set", "payload": {"to": "{to}", "note": "to {area}"}},
        expect={"topic": "zigbee2mqtt/{area}", "timeout_s": 2},
        max_per_minute=600,
    )
    bad = ["+", "#", "a/b", "../a", "$SYS", "a\0b", "", "x" * 65]
    tries = [a_call(f"c{n}", "shade", area=area) for n, area in enumerate(bad[:4])]
    more = [a_call(f"d{n}", "shade", area=area) for n, area in enumerate(bad[4:])]
    hall, attic = a_call("e1", "shade", area="hall", to='"},{"'), a_call("e2", "shade", area="attic")
    long = a_call("e3", "shade", area="hall", to="x" * 16_300)
    script = [*a_turn(1, *tries), *a_turn(2, *more), *a_turn(3, hall, attic, long)]
    async with living(tmp_path, broker, script, shade) as house:
        await house.spy.publish("zigbee2mqtt/hall", '{"to": "old"}', retain=True)
        for _ in range(2):
            await house.ask()
            await house.ended()
        assert not [seen for seen in house.spy.messages if seen.topic.endswith("/set") and "zigbee" in seen.topic]
        assert all("area" in output["error"] for output in house.outputs.values())
        await house.ask()
        order = await met(house.spy, lambda seen: seen.topic == "zigbee2mqtt/hall/set")
        assert order.json == {"to": '"},{"', "note": "to hall"}
        await house.spy.publish("zigbee2mqtt/other", "{}")
        await house.spy.publish("zigbee2mqtt/hall", '{"to": "new"}')
        await house.ended()
        assert house.outputs["e1"] == {"result": "done", "state": {"to": "new"}}
        assert house.outputs["e2"] == {"error": "no answer in time"}
        assert "e3" in house.outputs
        await house.spy.publish("zigbee2mqtt/hall", b"", retain=True)
