"""Home Assistant's own MCP server: its tools in a room, and what a call of them does in the home."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mcp", reason="the extra `mcp` is not installed")

from tests.fakes.broker import Broker
from tests.fakes.mqtt_spy import MqttSpy
from tests.home_assistant.program import HomeAssistant, Refused
from voice_node.model.command import ToolResult, ToolUnreachable
from voice_node.model.control import CallServer
from voice_node.pipes import Pipes
from voice_node.settings.load import LoadedRoom
from voice_node.settings.mcp import RemoteTool
from voice_node.settings.schema import RoomSettings
from voice_node.tool_servers import ToolServers

FLOW = "/api/config/config_entries/flow"


def add_server(home_assistant: HomeAssistant) -> None:
    """As a person adds the integration, and shows one light to voices."""
    try:
        flow = home_assistant.post(FLOW, {"handler": "mcp_server"})
        if flow["type"] == "form":
            fields = {field["name"]: field.get("default") for field in flow["data_schema"] or ()}
            flow = home_assistant.post(f"{FLOW}/{flow['flow_id']}", fields)
    except Refused as error:
        pytest.skip(f"this Home Assistant has no MCP server: {str(error)[:200]}")
    assert flow["type"] == "create_entry", flow
    listed = home_assistant.ask("config/entity_registry/list")
    for entry in listed:
        is_shown = entry["entity_id"] == "light.kitchen"
        fields = {"assistants": ["conversation"], "entity_ids": [entry["entity_id"]], "should_expose": is_shown}
        home_assistant.ask("homeassistant/expose_entity", **fields)


async def test_a_call_moves_what_is_exposed(home_assistant: HomeAssistant, broker: Broker) -> None:
    await asyncio.to_thread(add_server, home_assistant)
    server = {"name": "home", "url": home_assistant.url + "/api/mcp", "allow": ["HassTurnOn", "GetLiveContext"]}
    settings = RoomSettings.model_validate({"room": "kitchen", "mcp": [server]})
    async with (
        ToolServers({"MCP_HOME": home_assistant.token}) as servers,
        MqttSpy(broker.port) as spy,
    ):
        room = await servers.equip(LoadedRoom(settings, Path("kitchen.yaml")))
        tools = {tool.name.rpartition("__")[2]: tool for tool in room.settings.tools}
        assert {"hass_turn_on", "get_live_context"} <= set(tools), tools
        pipes = Pipes()
        call = servers.attach(pipes)

        async def done(wanted: str, **arguments: Any) -> ToolResult:
            tool = tools[wanted]
            assert isinstance(tool, RemoteTool)
            call(CallServer("c1", tool.name, "home", tool.remote_name, arguments, 10))
            async with asyncio.timeout(15):
                answer = await anext(pipes.inbox)
            assert isinstance(answer, ToolResult)
            return answer

        assert "name" in tools["hass_turn_on"].parameters["properties"]
        assert (await done("hass_turn_on", name="Kitchen", domain=["light"])).error is None
        assert (await spy.wait_for_topic("devices/light")).payload == b"ON"
        assert "Kitchen" in str((await done("get_live_context")).output)
        assert all(len(tool.description) > 1 for tool in tools.values())
        wrong = await done("hass_turn_on", name="No such thing")
        assert wrong.error is not None or "error" in str(wrong.output).lower()
    async with ToolServers({"MCP_HOME": "wrong"}) as servers:
        assert (await servers.equip(LoadedRoom(settings, Path("kitchen.yaml")))).settings.tools == []
        pipes = Pipes()
        servers.attach(pipes)(CallServer("c1", "x", "home", "HassTurnOn", {}, 10))
        async with asyncio.timeout(15):
            assert isinstance(await anext(pipes.inbox), ToolUnreachable)
