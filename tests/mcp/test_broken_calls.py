"""A call whose server goes away while it works: nobody knows whether it was done, and the model must not repeat it."""

import asyncio
from typing import Any

import pytest

pytest.importorskip("mcp", reason="the extra `mcp` is not installed")

from mcp import types

from tests.fakes.mcp_server import McpServer
from tests.fakes.until import until
from tests.mcp.test_client import LIGHT, connected, wanted
from voice_node.model.command import ToolResult, ToolUnreachable


@pytest.mark.parametrize("is_stateless", [False, True])
async def test_a_call_that_its_server_has_is_not_called_undone(*, is_stateless: bool) -> None:
    async def never(_: dict[str, Any]) -> types.CallToolResult:
        await asyncio.sleep(60)
        raise AssertionError

    async with McpServer(LIGHT, is_stateless=is_stateless) as server, connected(server.url) as (client, _):
        server.replies[LIGHT.name] = never
        await client.tried.wait()
        two = [asyncio.create_task(client.call(wanted(LIGHT.name))) for _ in range(2)]
        await until(lambda: len(server.called) == 2)
        await server.kill()
        for answer in await asyncio.gather(*two):
            assert isinstance(answer, ToolResult)
            assert answer.error is not None
            assert "nobody knows whether it was done" in answer.error
        assert isinstance(await client.call(wanted(LIGHT.name)), ToolUnreachable), "this one did not leave"
