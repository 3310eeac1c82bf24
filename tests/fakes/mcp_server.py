"""A true MCP server of the official SDK on loopback: streamable HTTP with a bearer check, tools as the test wants."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator
from types import TracebackType
from typing import Any, Self

import uvicorn
from mcp import types
from mcp.server import Server, ServerRequestContext
from mcp.server.session import ServerSession
from starlette.types import ASGIApp, Receive, Scope, Send

TOKEN = "eyJ-a-token-of-home"

Reply = Callable[[dict[str, Any]], Awaitable[types.CallToolResult]]


def said(text: str, *, is_error: bool = False) -> types.CallToolResult:
    """A result of one text."""
    return types.CallToolResult(content=[types.TextContent(text=text)], is_error=is_error)


def described(name: str, schema: dict[str, Any] | None = None, description: str = "Does it.") -> types.Tool:
    """A tool as a server lists it."""
    return types.Tool(name=name, description=description, input_schema=schema or {"type": "object", "properties": {}})


class McpServer:
    """Listens on `server.port`, also after it was away."""

    def __init__(self, *tools: types.Tool, token: str | None = TOKEN, is_stateless: bool = False) -> None:
        """`is_stateless`: no sessions and plain JSON, as Home Assistant's own."""
        self.tools = list(tools)
        self.called: list[tuple[str, dict[str, Any]]] = []
        self.replies: dict[str, Reply] = {}
        self.lists = 0
        self._token = token
        self._is_stateless = is_stateless
        self._sessions: list[ServerSession] = []
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._server: _Uvicorn | None = None
        self._life: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/api/mcp"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.kill()

    async def start(self) -> None:
        """Listen; on the same port as before."""
        server: Server[Any] = Server("home", on_list_tools=self._list, on_call_tool=self._call)
        app = server.streamable_http_app(
            streamable_http_path="/api/mcp", json_response=self._is_stateless, stateless_http=self._is_stateless
        )
        config = uvicorn.Config(
            self._guarded(app), "127.0.0.1", self.port, log_level="critical", timeout_graceful_shutdown=0, ws="none"
        )
        self._server = _Uvicorn(config)
        self._life = asyncio.create_task(self._server.serve())
        while not self._server.started:
            assert not self._life.done()
            await asyncio.sleep(0.01)

    async def kill(self) -> None:
        """Be gone, connections too."""
        if self._server is not None and self._life is not None:
            self._server.should_exit = self._server.force_exit = True
            for connection in list(self._server.server_state.connections):
                connection.transport.abort()
            await self._life
            self._server = self._life = None
            self._sessions.clear()

    async def offer(self, *tools: types.Tool) -> None:
        """List these from now on, and tell everybody."""
        self.tools = list(tools)
        for session in self._sessions[-1:]:
            await session.send_tool_list_changed()

    async def _list(
        self, context: ServerRequestContext[Any], _: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        self.lists += 1
        self._sessions.append(context.session)
        return types.ListToolsResult(tools=self.tools)

    async def _call(self, _: ServerRequestContext[Any], params: types.CallToolRequestParams) -> types.CallToolResult:
        arguments = params.arguments or {}
        self.called.append((params.name, arguments))
        reply = self.replies.get(params.name)
        return said('{"success": true}') if reply is None else await reply(arguments)

    def _guarded(self, app: ASGIApp) -> ASGIApp:
        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            wanted = f"Bearer {self._token}".encode()
            if scope["type"] == "http" and self._token and dict(scope["headers"]).get(b"authorization") != wanted:
                await send({"type": "http.response.start", "status": 401, "headers": []})
                await send({"type": "http.response.body", "body": b""})
                return
            await app(scope, receive, send)

        return guarded


class _Uvicorn(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to pytest."""
        yield
