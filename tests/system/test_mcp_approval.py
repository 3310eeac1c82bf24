"""A tool that the service itself runs waits for a phone: a whole node, a broker, a service that keeps to a script."""

import json
import stat
from pathlib import Path
from typing import Any

from tests.fakes.broker import Broker
from tests.fakes.realtime_server import Expect, Json, RealtimeServer, Script, Stay, emit, greet
from tests.session.node import reply
from tests.system.house import BASE, Program, event, events, home, online, write_room

NEWS = {"type": "mcp", "server_label": "news", "server_url": "https://example.org/mcp", "require_approval": "always"}
ASKED = {"server_label": "news", "name": "getForecast", "arguments": '{"query": "rain"}'}


def announced(number: int) -> Script:
    """A typed turn whose response wants a call of the service's own, in the order in which OpenAI tells it."""
    response, call = f"resp_{number}", f"mcp_{number}"
    request = {"type": "mcp_approval_request", "id": f"mcpr_{number}", **ASKED}
    return (
        Expect("conversation.item.create", lambda event: event["item"]["type"] == "message"),
        Expect("response.create"),
        emit(
            {"type": "response.created", "response": {"id": response, "metadata": {}}},
            {"type": "response.mcp_call_arguments.done", "response_id": response, "item_id": call, "output_index": 0}
            | {"arguments": ASKED["arguments"]},
            {"type": "conversation.item.added", "item": request},
            {"type": "conversation.item.done", "item": request},
            {"type": "response.done", "response": {"id": response, "status": "completed", "output": [request]}},
        ),
    )


def answered(number: int, *, is_approved: bool) -> Script:
    """The one answer to it; after a yes the service makes the call."""
    wanted = {"type": "mcp_approval_response", "approval_request_id": f"mcpr_{number}", "approve": is_approved}

    def is_it(event: Json) -> bool:
        has_reason = isinstance(event["item"].get("reason"), str)
        return bool(wanted.items() <= event["item"].items()) and has_reason is not is_approved

    made: Json = {"type": "mcp_call", "id": f"mcp_{number}", "approval_request_id": f"mcpr_{number}", **ASKED}
    call = {"item_id": f"mcp_{number}", "output_index": 0}
    happens = emit(
        {"type": "response.mcp_call.in_progress"} | call,
        {"type": "response.mcp_call.completed"} | call,
        {"type": "conversation.item.done", "item": made | {"output": "wet"}},
    )
    return (
        Expect("conversation.item.create", is_it),
        *((happens,) if is_approved else ()),
        Expect("response.create"),
        reply(f"resp_{number}b", text="It will rain." if is_approved else "I may not look."),
    )


async def waits(spy: Any, number: int) -> Any:
    await spy.publish(BASE + "request/ask", json.dumps({"text": "will it rain?"}))
    return await event(spy, "tool_call", needs_approval=True, call_id=f"mcpr_{number}")


async def test_a_phone_lets_the_service_call_or_not(tmp_path: Path, broker: Broker) -> None:
    script = (
        *greet(),
        *announced(1),
        *answered(1, is_approved=True),
        *announced(2),
        *answered(2, is_approved=False),
        *announced(3),
        *answered(3, is_approved=False),
        Stay(),
    )
    async with RealtimeServer(script) as server, home(broker.port) as spy:
        session = {"provider": "custom", "url": server.url, "tools": [NEWS], "connect": "always"}
        room = write_room(tmp_path, broker.port, session=session)
        with Program(tmp_path, "run", room) as node:
            await online(spy)
            asked = await waits(spy, 1)
            assert (asked["server"], asked["name"], asked["arguments"]) == ("news", "getForecast", {"query": "rain"})
            assert asked["expires_at"].endswith("Z")
            await spy.publish(BASE + "request/approve", json.dumps({"call_id": "mcpr_1"}))
            await event(spy, "turn_finished", turn_id=asked["turn_id"], status="completed")
            assert (await event(spy, "response", turn_id=asked["turn_id"]))["text"] == "It will rain."

            asked = await waits(spy, 2)
            await spy.publish(BASE + "request/deny", json.dumps({"call_id": "mcpr_2"}))
            await event(spy, "turn_finished", turn_id=asked["turn_id"], status="completed")
            assert (await event(spy, "response", turn_id=asked["turn_id"]))["text"] == "I may not look."

            asked = await waits(spy, 3)
            await spy.publish(BASE + "mute/set", "ON")
            await event(spy, "error", code="muted", turn_id=asked["turn_id"])
            await event(spy, "turn_finished", turn_id=asked["turn_id"], status="completed")
            await spy.publish(BASE + "request/approve", json.dumps({"call_id": "mcpr_3"}))
            await spy.wait_for(lambda seen: seen.topic == BASE + "response/approve" and seen.json["status"] == "error")
            assert node.is_running
        (told,) = [tool for tool in server.events[0]["session"]["tools"] if tool["type"] == "mcp"]
        assert told["require_approval"] == "always"
        assert [one["is_ok"] for one in events(spy, "tool_result")] == [False, False]
    assert "Traceback" not in node.log
    assert "not in this version" not in node.log
    path = tmp_path / "state" / "audit.jsonl"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [
        (line["tool"], line["server"], line["decision"], line["decided_by"], line["outcome"]) for line in lines
    ] == [
        ("getForecast", "news", "allowed", "mqtt", "left_to_service"),
        ("getForecast", "news", "refused", "mqtt", "not_done"),
        ("getForecast", "news", "refused", "nobody", "not_done"),
    ]
