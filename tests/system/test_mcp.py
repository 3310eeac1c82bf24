"""A whole node whose model calls a tool of an MCP server."""

import asyncio
import json
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mcp", reason="the extra `mcp` is not installed")

from mcp import types

from tests.fakes.broker import Broker
from tests.fakes.http_server import HttpServer, Silence
from tests.fakes.mcp_server import TOKEN, McpServer, described, said
from tests.fakes.mqtt_spy import MqttSpy
from tests.fakes.realtime_server import Answer, Expect, RealtimeServer, Script, Stay, greet
from tests.system.house import BASE, Program, calls, event, events, met, online, write_room

LAMP = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
TURN_ON = described("homeassistant__HassTurnOn", LAMP, "Turns on a device.")
NAME = "homeassistant__hass_turn_on"


def responding(response_id: str, item: dict[str, Any]) -> Answer:
    """The events of one response that is this item."""

    def make(create: dict[str, Any]) -> Sequence[dict[str, Any]]:
        response = {"id": response_id, "metadata": create["response"].get("metadata", {})}
        done = {"response_id": response_id, "output_index": 0, "item": item | {"status": "completed"}}
        return (
            {"type": "response.created", "response": response | {"status": "in_progress"}},
            {"type": "response.output_item.done"} | done,
            {"type": "response.done", "response": response | {"status": "completed", "output": [done["item"]]}},
        )

    return Answer(make)


def a_turn(number: int, arguments: dict[str, Any], outputs: list[Any]) -> Script:
    """Somebody asks, the model calls the tool, the output is kept, and it answers."""

    def kept(event: dict[str, Any]) -> bool:
        outputs.append(json.loads(event["item"]["output"]))
        return True

    call = {"id": f"i{number}", "type": "function_call", "call_id": f"c{number}", "name": NAME}
    words = {"type": "output_text", "text": f"Answer {number}."}
    return (
        Expect("conversation.item.create"),
        Expect("response.create"),
        responding(f"r{number}", call | {"arguments": json.dumps(arguments)}),
        Expect("conversation.item.create", kept),
        Expect("response.create"),
        responding(f"s{number}", {"id": f"j{number}", "type": "message", "role": "assistant", "content": [words]}),
    )


def session(server: RealtimeServer) -> dict[str, Any]:
    return {"provider": "custom", "url": server.url, "output_modalities": ["text"]}


def section(url: str, **keys: Any) -> dict[str, Any]:
    return {"name": "home", "url": url, "allow": ["HassTurnOn"]} | keys


async def ask(spy: MqttSpy, text: str = "switch it on") -> None:
    await spy.publish(BASE + "request/ask", json.dumps({"text": text}))


async def finished(spy: MqttSpy, number: int) -> None:
    await met(spy, lambda _: len(events(spy, "turn_finished")) == number)


async def tool_is_offered(spy: MqttSpy) -> None:
    """Wait until the room has the tool: where the server was slow to name its own, the room began without them."""
    await met(spy, lambda seen: seen.topic == BASE + "info" and NAME in seen.json["tools"])


async def test_a_model_calls_a_tool_of_the_home(tmp_path: Path, broker: Broker) -> None:
    outputs: list[Any] = []
    turns = [*greet(), *a_turn(1, {"name": "lamp"}, outputs), *a_turn(2, {"name": 5}, outputs)]
    turns += [*a_turn(3, {"name": "away"}, outputs), *a_turn(4, {"name": "gone"}, outputs)]

    async def reply(arguments: dict[str, Any]) -> types.CallToolResult:
        if arguments["name"] == "away":
            return said("no such device", is_error=True)
        return said('{"speech": "Done"}')

    async with (
        RealtimeServer(turns) as realtime,
        McpServer(TURN_ON, described("HassShutDown")) as server,
        MqttSpy(broker.port) as spy,
    ):
        server.replies[TURN_ON.name] = reply
        room = write_room(tmp_path, broker.port, session=session(realtime), mcp=[section(server.url)])
        with Program(tmp_path, "run", room, environ={"OPENAI_API_KEY": "x" * 20, "MCP_HOME": TOKEN}) as node:
            await tool_is_offered(spy)
            for number in (1, 2, 3):
                await ask(spy)
                await finished(spy, number)
            await server.kill()
            await ask(spy)
            await finished(spy, 4)
        offered = realtime.events[0]["session"]["tools"]
        assert [tool["name"] for tool in offered] == ["set_light", "set_heating", NAME]
        assert offered[2]["description"] == "Turns on a device."
        assert offered[2]["parameters"] == LAMP
        assert outputs[0] == {"speech": "Done"}
        assert "name" in outputs[1]["error"]
        assert outputs[2:] == [{"error": "no such device"}, {"error": "home unreachable"}]
        assert server.called == [(TURN_ON.name, {"name": "lamp"}), (TURN_ON.name, {"name": "away"})]
        assert calls(spy) == [], "home automation does not do what a server does"
        assert [told["name"] for told in events(spy, "tool_call")] == [NAME] * 3
        assert [told["is_ok"] for told in events(spy, "tool_result")] == [True, False, False]
        await event(spy, "error", code="bad_arguments")
        await event(spy, "error", code="unreachable")
        assert "Traceback" not in node.log
        assert TOKEN not in node.log + "".join(seen.payload.decode() for seen in spy.messages)


@pytest.mark.slow
async def test_a_new_tool_is_offered_by_a_room_that_begins_anew(tmp_path: Path, broker: Broker) -> None:
    outputs: list[Any] = []
    script = [*greet(), *a_turn(1, {"name": "lamp"}, outputs)]
    server = McpServer(TURN_ON)
    async with RealtimeServer([*greet(), Stay()], script) as realtime, MqttSpy(broker.port) as spy:
        room = write_room(tmp_path, broker.port, session=session(realtime), mcp=[section(server.url)])
        with Program(tmp_path, "run", room, environ={"OPENAI_API_KEY": "x" * 20, "MCP_HOME": TOKEN}) as node:
            await online(spy)
            assert "cannot be reached" in (await event(spy, "error", code="tool_server"))["detail"]
            async with server:
                await tool_is_offered(spy)
                await ask(spy)
                await finished(spy, 1)
            assert node.is_running
    assert outputs == [{"success": True}]


@pytest.mark.slow
async def test_names_that_collide_end_the_start_with_78(tmp_path: Path, broker: Broker) -> None:
    async with McpServer(described("SetLight")) as server:
        room = write_room(tmp_path, broker.port, mcp=[section(server.url, allow=["*"])])
        with Program(tmp_path, "run", room, environ={"MCP_HOME": TOKEN}) as node:
            assert await node.ended() == 78
        assert "mcp: set_light of home is called like a tool of this room" in node.log
        assert "Traceback" not in node.log


@pytest.mark.slow
async def test_a_server_that_hangs_holds_up_neither_start_nor_stop(tmp_path: Path, broker: Broker) -> None:
    async with HttpServer(Silence()) as server, MqttSpy(broker.port) as spy:
        url = f"http://127.0.0.1:{server.port}/api/mcp"
        room = write_room(tmp_path, broker.port, mcp=[section(url)])
        with Program(tmp_path, "run", room, environ={"MCP_HOME": TOKEN}) as node:
            await online(spy)
            began = time.monotonic()
            node.signal(signal.SIGTERM)
            assert await node.ended() == 0
            assert time.monotonic() - began < 20, "the end must not wait for a server"
            assert "the rest is cancelled" not in node.log


@pytest.mark.slow
async def test_a_call_that_hangs_ends_in_time_and_the_room_with_it(tmp_path: Path, broker: Broker) -> None:
    outputs: list[Any] = []
    hanging = asyncio.Event()

    async def reply(_: dict[str, Any]) -> types.CallToolResult:
        await hanging.wait()
        return said("too late")

    script = [*greet(), *a_turn(1, {"name": "lamp"}, outputs)]
    async with RealtimeServer(script) as realtime, McpServer(TURN_ON) as server, MqttSpy(broker.port) as spy:
        server.replies[TURN_ON.name] = reply
        servers = [section(server.url, timeout_s=1)]
        room = write_room(tmp_path, broker.port, session=session(realtime), mcp=servers)
        with Program(tmp_path, "run", room, environ={"OPENAI_API_KEY": "x" * 20, "MCP_HOME": TOKEN}):
            await tool_is_offered(spy)
            await ask(spy)
            await finished(spy, 1)
        assert outputs == [{"error": "no answer in time"}]
        hanging.set()
