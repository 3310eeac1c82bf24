"""A room that begins anew while a call is open: nothing acts twice, and what was open is written down."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.broker import Broker
from tests.fakes.mqtt_spy import MqttSpy
from tests.fakes.realtime_server import Expect, RealtimeServer, Stay, greet
from tests.system.house import BASE, Program, calls, event, met, met_on, online, write_room
from tests.system.test_call_attack import House, a_call, a_turn, responding, tool


def audit(folder: Path) -> list[tuple[str, str, str]]:
    lines = (folder / "state" / "audit.jsonl").read_text(encoding="utf-8").splitlines()
    found: list[dict[str, Any]] = [json.loads(line) for line in lines]
    return [(line["call_id"], line["decision"], line["outcome"]) for line in found]


@pytest.mark.slow
async def test_a_reload_with_open_calls(tmp_path: Path, broker: Broker) -> None:
    tools = [tool("patient", timeout_s=60), tool("unlock_door", confirm="mqtt")]
    wanted = Expect("conversation.item.create"), Expect("response.create")
    before = (*greet(), *wanted, responding("r0", a_call("c1", "patient"), a_call("c2", "unlock_door")), Stay())
    after = (*greet(), *a_turn(2, a_call("c3", "patient")))
    async with RealtimeServer(before, after) as server, MqttSpy(broker.port) as spy:
        session = {"provider": "custom", "url": server.url, "output_modalities": ["text"]}
        room = write_room(tmp_path, broker.port, session=session, tools=tools)
        with Program(tmp_path, "run", room) as node:
            house = House(spy, server)
            await online(spy)
            await house.ask()
            await house.called("c1")
            await event(spy, "tool_call", call_id="c2", needs_approval=True)
            await spy.publish(BASE + "request/reload")
            assert (await met_on(spy, "response/reload")).json["status"] == "ok"
            await met(spy, lambda _: len(server.requests) == 2)
            await spy.publish(BASE + "request/approve", '{"call_id": "c2"}')
            assert (await met_on(spy, "response/approve")).json["status"] == "error"
            await house.result("c1", "too late", "patient")
            await house.error("unknown_result")
            await house.ask()
            await house.called("c3")
            await house.result("c3", "done", "patient")
            await event(spy, "turn_finished", status="completed")
            assert house.outputs == {"c3": "done"}
            assert [call["call_id"] for call in calls(spy)] == ["c1", "c3"]
            assert "Traceback" not in node.log
    assert sorted(audit(tmp_path)) == [
        ("c1", "allowed", "abandoned"),
        ("c2", "refused", "not_done"),
        ("c3", "allowed", "done"),
    ]
