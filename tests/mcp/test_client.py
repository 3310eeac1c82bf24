"""A server of tools, over true sockets: what it lists, what it answers, and what it does to us."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

pytest.importorskip("mcp", reason="the extra `mcp` is not installed")

from mcp import types

from tests.fakes.http_server import HttpServer, Silence
from tests.fakes.mcp_server import TOKEN, McpServer, described, said
from tests.fakes.until import until
from voice_node.mcp.answer import CUT, LONGEST
from voice_node.mcp.client import LARGEST_BYTES, ToolServer
from voice_node.model.command import ToolResult, ToolUnreachable
from voice_node.model.control import CallServer
from voice_node.settings.mcp import McpServer as Settings

LIGHT = described("homeassistant__HassTurnOn", {"type": "object", "properties": {"name": {"type": "string"}}})


@dataclass
class Told:
    """What the client said."""

    changes: int = 0
    troubles: list[str] = field(default_factory=list)

    def changed(self) -> None:
        self.changes += 1

    def trouble(self, code: str, text: str) -> None:
        assert code == "tool_server"
        self.troubles.append(text)


@asynccontextmanager
async def connected(url: str, token: str | None = TOKEN) -> AsyncIterator[tuple[ToolServer, Told]]:
    told = Told()
    client = ToolServer(Settings(name="home", url=url, allow=["*"]), token, told.changed, told.trouble)
    life = asyncio.create_task(client.run())
    try:
        yield client, told
    finally:
        assert not life.done()
        life.cancel()
        async with asyncio.timeout(2):
            await asyncio.gather(life, return_exceptions=True)


def wanted(tool: str, timeout_s: float = 5, **arguments: Any) -> CallServer:
    return CallServer("c1", tool, "home", tool, arguments, timeout_s)


async def answers(client: ToolServer, tool: str = LIGHT.name) -> None:
    """Return when a call works: the server has listed a little before the client knows it."""
    async with asyncio.timeout(10):
        while not isinstance(await client.call(wanted(tool)), ToolResult):  # noqa: ASYNC110 - it sets no event
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("is_stateless", [False, True])
async def test_it_lists_and_calls(*, is_stateless: bool) -> None:
    async with McpServer(LIGHT, is_stateless=is_stateless) as server, connected(server.url) as (client, told):
        await asyncio.wait_for(client.tried.wait(), 5)
        assert [tool.name for tool in client.listed] == ["homeassistant__HassTurnOn"]
        assert (told.changes, told.troubles) == (1, [])
        answer = await client.call(wanted(LIGHT.name, name="kitchen"))
        assert answer == ToolResult(LIGHT.name, "c1", {"success": True})
        assert server.called == [(LIGHT.name, {"name": "kitchen"})]


async def test_an_error_of_a_tool_and_of_the_server() -> None:
    async def broken(_: dict[str, Any]) -> types.CallToolResult:
        return said("no such lamp", is_error=True)

    async with McpServer(LIGHT) as server, connected(server.url) as (client, _):
        server.replies[LIGHT.name] = broken
        await client.tried.wait()
        assert await client.call(wanted(LIGHT.name)) == ToolResult(LIGHT.name, "c1", error="no such lamp")


async def test_a_slow_call_ends_in_time_and_disturbs_no_other() -> None:
    async def slow(_: dict[str, Any]) -> types.CallToolResult:
        await asyncio.sleep(30)
        return said("late")

    async with McpServer(LIGHT, described("slow")) as server, connected(server.url) as (client, _):
        server.replies["slow"] = slow
        await client.tried.wait()
        waiting = asyncio.create_task(client.call(wanted("slow", timeout_s=0.5)))
        await until(lambda: len(server.called) == 1)
        assert isinstance(await client.call(wanted(LIGHT.name)), ToolResult)
        with pytest.raises(TimeoutError):
            await waiting
        assert isinstance(await client.call(wanted(LIGHT.name)), ToolResult)


async def test_a_server_that_goes_comes_back() -> None:
    async with McpServer(LIGHT) as server, connected(server.url) as (client, told):
        await client.tried.wait()
        await server.kill()
        assert isinstance(await client.call(wanted(LIGHT.name)), ToolUnreachable)
        await until(lambda: len(told.troubles) == 1)
        assert isinstance(await client.call(wanted(LIGHT.name)), ToolUnreachable)
        assert [tool.name for tool in client.listed] == [LIGHT.name]
        lists = server.lists
        await server.start()
        await until(lambda: server.lists > lists)
        await answers(client)
        assert told.changes == 1


async def test_a_restart_between_two_calls_is_noticed_by_the_first() -> None:
    async with McpServer(LIGHT) as server, connected(server.url) as (client, _):
        await client.tried.wait()
        await server.kill()
        await server.start()
        lists = server.lists
        assert isinstance(await client.call(wanted(LIGHT.name)), ToolUnreachable)
        await until(lambda: server.lists > lists)
        await answers(client)


async def test_a_change_is_listed_again() -> None:
    async with McpServer(LIGHT) as server, connected(server.url) as (client, told):
        await client.tried.wait()
        async with asyncio.timeout(10):
            while told.changes < 2:  # until the stream of notifications is open, nobody hears of it
                await server.offer(LIGHT, described("HassLightSet"))
                await asyncio.sleep(0.1)
        assert [tool.name for tool in client.listed] == [LIGHT.name, "HassLightSet"]


async def test_a_wrong_token_is_told_as_such_and_not_repeated() -> None:
    async with McpServer(LIGHT) as server, connected(server.url, "wrong-token") as (client, told):
        await asyncio.wait_for(client.tried.wait(), 5)
        assert client.listed == ()
        assert told.troubles == ["mcp[home]: it refuses the token: check the credential"]
        assert isinstance(await client.call(wanted(LIGHT.name)), ToolUnreachable)


async def test_nobody_is_there() -> None:
    server = McpServer()
    async with connected(server.url) as (client, told):
        await asyncio.wait_for(client.tried.wait(), 5)
        assert told.troubles == ["mcp[home]: it cannot be reached or does not answer as it should (ConnectError)"]


async def test_a_server_that_says_nothing_holds_nobody_up() -> None:
    async with HttpServer(Silence()) as server, connected(f"http://127.0.0.1:{server.port}/api/mcp") as (client, _):
        await until(lambda: len(server.asked) == 1)
        assert not client.tried.is_set()
        assert isinstance(await client.call(wanted(LIGHT.name)), ToolUnreachable)


async def test_a_huge_answer_is_cut() -> None:
    async def huge(_: dict[str, Any]) -> types.CallToolResult:
        return said("x" * (LONGEST + 1))

    async with McpServer(LIGHT) as server, connected(server.url) as (client, _):
        server.replies[LIGHT.name] = huge
        await client.tried.wait()
        answer = await client.call(wanted(LIGHT.name))
        assert isinstance(answer, ToolResult)
        assert answer.output == "x" * LONGEST + CUT


@pytest.mark.parametrize("is_stateless", [False, True])
async def test_an_enormous_answer_is_not_read(*, is_stateless: bool) -> None:
    async def enormous(_: dict[str, Any]) -> types.CallToolResult:
        return said("x" * (4 * LARGEST_BYTES))

    async with (
        McpServer(LIGHT, described("other"), is_stateless=is_stateless) as server,
        connected(server.url) as (client, _),
    ):
        server.replies[LIGHT.name] = enormous
        await client.tried.wait()
        answer = await client.call(wanted(LIGHT.name))
        assert isinstance(answer, ToolUnreachable) or answer.error is not None
        lists = server.lists
        await until(lambda: server.lists > lists)
        await answers(client, "other")


async def test_names_without_end_are_not_listed() -> None:
    async with McpServer(described("x" * 129), LIGHT) as server, connected(server.url) as (client, _):
        await client.tried.wait()
        assert [tool.name for tool in client.listed] == [LIGHT.name]
