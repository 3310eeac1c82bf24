"""The tools of servers in a room: at the start, when they change, and when they collide."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mcp", reason="the extra `mcp` is not installed")

from tests.fakes.http_server import HttpServer, Silence
from tests.fakes.mcp_server import TOKEN, McpServer, described
from tests.fakes.until import until
from voice_node import tool_servers
from voice_node.model.command import ToolResult, ToolUnreachable
from voice_node.model.control import CallServer
from voice_node.model.errors import ConfigError
from voice_node.model.turn import ServiceTrouble
from voice_node.pipeline import End
from voice_node.pipes import Pipes
from voice_node.settings.load import LoadedRoom
from voice_node.settings.schema import RoomSettings
from voice_node.tool_servers import ToolServers, mcp_words

ENVIRON = {"MCP_HOME": TOKEN, "MCP_OTHER": TOKEN}


def section(server: McpServer, name: str = "home", allow: str = "*") -> dict[str, Any]:
    return {"name": name, "url": server.url, "allow": [allow]}


def room(*servers: dict[str, Any], own: tuple[str, ...] = ("set_light",)) -> LoadedRoom:
    tools = [{"name": name, "description": "x"} for name in own]
    settings = RoomSettings.model_validate({"room": "kitchen", "tools": tools, "mcp": list(servers)})
    return LoadedRoom(settings, Path("kitchen.yaml"))


def names(equipped: LoadedRoom) -> list[str]:
    return [tool.name for tool in equipped.settings.tools]


class Pipeline:
    """What `renew` needs of one."""

    def __init__(self) -> None:
        self.is_quiet = True
        self.ends: list[End] = []

    async def stop(self, end: End = End.DONE) -> None:
        self.ends.append(end)


@asynccontextmanager
async def renewing(servers: ToolServers, pipeline: Pipeline) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(servers.renew(pipeline))  # type: ignore[arg-type]  # two of its words are enough
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def told(servers: ToolServers, pipes: Pipes) -> ServiceTrouble:
    pipes.broker_came.set()
    async with renewing(servers, Pipeline()), asyncio.timeout(5):
        item = await anext(pipes.inbox)
    assert isinstance(item, ServiceTrouble)
    return item


async def test_a_room_gets_the_tools_of_its_servers_and_calls_them() -> None:
    async with McpServer(described("HassTurnOn")) as server, ToolServers(ENVIRON) as servers:
        equipped = await servers.equip(room(section(server)))
        assert names(equipped) == ["set_light", "hass_turn_on"]
        pipes = Pipes()
        call = servers.attach(pipes)
        call(CallServer("c1", "hass_turn_on", "home", "HassTurnOn", {"name": "lamp"}, 5))
        async with asyncio.timeout(5):
            answer = await anext(pipes.inbox)
        assert answer == ToolResult("hass_turn_on", "c1", {"success": True})
        assert server.called == [("HassTurnOn", {"name": "lamp"})]
        lists = server.lists
        again = await servers.equip(equipped)
        assert (names(again), server.lists) == (["set_light", "hass_turn_on"], lists)
        assert names(await servers.equip(room())) == ["set_light"]


async def test_a_room_without_servers_is_as_it_was() -> None:
    plain = room()
    async with ToolServers({}) as servers:
        assert (await servers.equip(plain)).settings == plain.settings


async def test_a_server_that_hangs_does_not_hold_up_the_start_or_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool_servers, "START_S", 0.2)
    async with HttpServer(Silence()) as silent:
        async with asyncio.timeout(5), ToolServers({}) as servers:
            hanging = {"name": "home", "url": f"http://127.0.0.1:{silent.port}/mcp", "allow": ["*"]}
            assert names(await servers.equip(room(hanging))) == ["set_light"]
            pipes = Pipes()
            servers.attach(pipes)(CallServer("c1", "x", "home", "x", {}, 5))
            assert isinstance(await anext(pipes.inbox), ToolUnreachable)
        assert len(asyncio.all_tasks()) <= 3  # the test's own, and the silent server's


async def test_a_server_that_was_away_at_the_start_is_taken_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool_servers, "SETTLE_S", 0.05)
    server = McpServer(described("HassTurnOn"))
    async with ToolServers(ENVIRON) as servers:
        equipped = await servers.equip(room(section(server)))
        assert names(equipped) == ["set_light"]
        pipes, pipeline = Pipes(), Pipeline()
        servers.attach(pipes)
        assert "cannot be reached" in (await told(servers, pipes)).detail
        pipeline.is_quiet = False
        async with server, renewing(servers, pipeline) as renewal:
            await until(lambda: server.lists > 0)
            await asyncio.sleep(0.3)
            assert pipeline.ends == []  # somebody is speaking
            pipeline.is_quiet = True
            await asyncio.wait_for(renewal, 5)
            assert pipeline.ends == [End.RELOAD]
            assert names(await servers.equip(equipped)) == ["set_light", "hass_turn_on"]


async def test_a_change_begins_the_room_anew_and_a_collision_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool_servers, "SETTLE_S", 0.05)
    async with McpServer(described("a")) as server, ToolServers(ENVIRON) as servers:
        equipped = await servers.equip(room(section(server)))
        pipes, pipeline = Pipes(), Pipeline()
        servers.attach(pipes)
        async with renewing(servers, pipeline) as renewal:
            server.tools = [described("a"), described("set_light")]
            lists = server.lists
            await heard(server, lists + 1)
            assert "set_light of home is called like a tool of this room" in (await told(servers, pipes)).detail
            assert pipeline.ends == []
            server.tools = [described("a"), described("b")]
            await heard(server, server.lists + 1)
            await asyncio.wait_for(renewal, 5)
        assert names(await servers.equip(equipped)) == ["set_light", "a", "b"]


async def heard(server: McpServer, lists: int) -> None:
    """The client has listed again; nobody hears of a change before the stream of notifications is open."""
    async with asyncio.timeout(10):
        while server.lists < lists:
            await server.offer(*server.tools)
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("is_own", [True, False])
async def test_names_that_collide_are_an_error_at_the_start(*, is_own: bool) -> None:
    async with McpServer(described("SetLight")) as one, McpServer(described("SetLight")) as two:
        colliding = room(section(one)) if is_own else room(section(one), section(two, "other"), own=())
        async with ToolServers(ENVIRON) as servers:
            with pytest.raises(ConfigError, match=r"^kitchen\.yaml: mcp: set_light of "):
                await servers.equip(colliding)


async def test_after_a_reload_a_collision_is_told() -> None:
    async with McpServer(described("SetLight"), described("x")) as server, ToolServers(ENVIRON) as servers:
        await servers.equip(room(section(server), own=()))
        equipped = await servers.equip(room(section(server)))
        assert names(equipped) == ["set_light", "x"]
        pipes = Pipes()
        servers.attach(pipes)
        assert "set_light of home" in (await told(servers, pipes)).detail


@pytest.mark.parametrize("kind", [KeyError, asyncio.CancelledError])
async def test_a_mistake_in_the_library_is_survived(
    kind: type[BaseException], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from voice_node.mcp.client import ToolServer

    runs = 0

    async def run(server: ToolServer) -> None:
        nonlocal runs
        runs += 1
        server.tried.set()
        raise kind("spoken words")

    monkeypatch.setattr(ToolServer, "run", run)
    monkeypatch.setattr(tool_servers, "AFTER_A_BUG_S", 0.01)
    async with ToolServers(ENVIRON) as servers:
        await servers.equip(room(section(McpServer())))
        await until(lambda: runs > 2)
    assert kind.__name__ in caplog.text
    assert "spoken words" not in caplog.text


async def test_without_the_extra_the_start_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "voice_node.mcp.client", raising=False)
    monkeypatch.setitem(sys.modules, "mcp", None)
    async with ToolServers({}) as servers:
        with pytest.raises(ConfigError, match=r"^mcp: needs mcp: install voice-node\[mcp\]$"):
            await servers.equip(room(section(McpServer())))


def test_tokens_are_left_out_of_the_log() -> None:
    settings = replace(room(section(McpServer()))).settings
    assert mcp_words(ENVIRON, settings) == [TOKEN]
