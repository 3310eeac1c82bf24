"""One MCP server over streamable HTTP, kept connected: what it lists, and calls of it. The SDK is used here alone.

Rules

1. `run` connects, lists, and lists again when the server says that the list changed, when a call failed, and once a
   minute: a server without sessions, as Home Assistant's is, can tell of no change, and a broken connection is found.
2. A connection that breaks is made again, at first after about a second, later up to a minute. What was listed last
   stays until something else is listed.
3. Of a call that did not leave, the model is told that home cannot be reached; of one that left and was not answered,
   that nobody knows: one that believed that nothing was done would call again, and it would be done twice.
4. Nothing of a server is taken for granted: answers have a largest size, lists a length, each step a deadline. What the
   SDK checks of results against schemas is passed over: a schema may take for ever to check.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar

import anyio
import httpx2
from mcp import ClientSession, MCPError, types
from mcp.client.streamable_http import streamable_http_client

from voice_node.mcp.answer import error, output
from voice_node.mcp.catalogue import Listed
from voice_node.model.command import ToolResult, ToolUnreachable
from voice_node.model.control import CallServer
from voice_node.settings.mcp import McpServer

log = logging.getLogger(__name__)

CONNECT_S = 10.0
"""Most for the handshake, and for a list."""
LIST_AGAIN_S = 60.0
SETTLE_S = 0.5
"""Changes that come together are listed once."""
LONGEST_WAIT_S = 60.0
LARGEST_BYTES = 1024 * 1024
MOST_PAGES = 20
MOST_LISTED = 1000
LONGEST_NAME = 128

_FAILURES = (
    *(httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL, MCPError, OSError, ValueError, RuntimeError),
    *(anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream),
)
"""What the SDK lets out when a server is away or answers nonsense."""


class _Way:
    """How far a call came."""

    has_left = False
    """Its server may have it."""


_way: ContextVar[_Way | None] = ContextVar("_way", default=None)
"""Of the call in whose context the SDK sends: it keeps that of who asked."""


class ToolServer:
    """One server of a room."""

    def __init__(
        self,
        settings: McpServer,
        token: str | None,
        changed: Callable[[], None],
        trouble: Callable[[str, str], None],
    ) -> None:
        """`changed`: something else is listed; `trouble` is told a code and what is wrong, for people."""
        self._settings = settings
        self._token = token
        self._changed = changed
        self._trouble = trouble
        self._session: ClientSession | None = None
        self._status = 0
        """Of the last HTTP response."""
        self._wake = asyncio.Event()
        self._is_lost = False
        self._wait_s = 1.0
        """Before the next attempt."""
        self.listed: tuple[Listed, ...] = ()
        self.has_listed = False
        self.tried = asyncio.Event()
        """The first attempt is over, whatever came of it."""

    async def run(self) -> None:
        """Stay connected until cancelled."""
        while True:
            try:
                async with self._connected() as session:
                    await self._keep_listing(session)
            except* _FAILURES as group:
                self._lost(group)
            finally:
                self._session = None
                self.tried.set()
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise asyncio.CancelledError  # the SDK's task groups lose it where a failure comes with it
            await asyncio.sleep(self._wait_s * random.uniform(0.5, 1))
            self._wait_s = min(LONGEST_WAIT_S, 2 * self._wait_s)

    async def call(self, call: CallServer) -> ToolResult | ToolUnreachable:
        """What the server answers; TimeoutError after the call's own time: nobody knows what became of it."""
        session = self._session
        params = types.CallToolRequestParams(name=call.remote_name, arguments=dict(call.arguments))
        if session is None:
            return ToolUnreachable(call.call_id, f"the server {self._settings.name} is away")
        way = _Way()
        _way.set(way)
        try:
            async with asyncio.timeout(call.timeout_s):
                result = await session.send_request(types.CallToolRequest(params=params), types.CallToolResult)
        except TimeoutError:
            self._wake.set()
            raise
        except MCPError as problem:
            self._wake.set()
            match problem.error.code:
                case types.CONNECTION_CLOSED:
                    return self._broken(call, way)
                case types.INVALID_REQUEST:  # its session is no more
                    return ToolUnreachable(call.call_id, f"the server {self._settings.name} was started anew")
                case _:
                    return ToolResult(call.name, call.call_id, error=error([problem.error.message]))
        except ValueError:
            return ToolResult(call.name, call.call_id, error="the answer cannot be read")
        except _FAILURES:
            self._wake.set()
            return self._broken(call, way)
        texts = [part.text for part in result.content if isinstance(part, types.TextContent)]
        if result.is_error:
            return ToolResult(call.name, call.call_id, error=error(texts))
        return ToolResult(call.name, call.call_id, output(texts, result.structured_content))

    def _broken(self, call: CallServer, way: _Way) -> ToolResult | ToolUnreachable:
        name = self._settings.name
        if not way.has_left:
            return ToolUnreachable(call.call_id, f"the connection to {name} broke")
        why = f"the connection to {name} broke: nobody knows whether it was done; do not call it again"
        return ToolResult(call.name, call.call_id, error=why)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[ClientSession]:
        headers = {"Accept-Encoding": "identity"}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        self._status = 0
        async with (
            httpx2.AsyncClient(
                headers=headers,
                timeout=httpx2.Timeout(CONNECT_S, read=LIST_AGAIN_S * 5),
                transport=_Bounded(),
                event_hooks={"response": [self._note]},
            ) as http,
            # A server that hangs must not be waited for at the end, so it is not told of it.
            streamable_http_client(self._settings.url, http_client=http, terminate_on_close=False) as streams,
            ClientSession(
                *streams,
                message_handler=self._hear,
                client_info=types.Implementation(name="voice-node", version="1"),
            ) as session,
        ):
            async with asyncio.timeout(CONNECT_S):
                await session.initialize()
            yield session

    async def _keep_listing(self, session: ClientSession) -> None:
        while True:
            async with asyncio.timeout(CONNECT_S):
                listed = await _list(session)
            self._session = session
            self._found(listed)
            try:
                async with asyncio.timeout(LIST_AGAIN_S):
                    await self._wake.wait()
                    await asyncio.sleep(SETTLE_S)
            except TimeoutError:
                pass
            self._wake.clear()

    def _found(self, listed: tuple[Listed, ...]) -> None:
        if self._is_lost:
            log.info("the MCP server %s is back", self._settings.name)
        self._is_lost, self._wait_s = False, 1.0
        is_new = listed != self.listed or not self.has_listed
        self.listed, self.has_listed = listed, True
        self.tried.set()
        if is_new:
            self._changed()

    def _lost(self, group: BaseExceptionGroup[Exception]) -> None:
        if self._is_lost:
            return
        self._is_lost = True
        if self._status in (401, 403):
            why = "it refuses the token: check the credential"
        else:
            why = f"it cannot be reached or does not answer as it should ({type(_leaf(group)).__name__})"
        self._trouble("tool_server", f"mcp[{self._settings.name}]: {why}")

    async def _hear(self, message: types.ServerNotification | Exception) -> None:
        if isinstance(message, types.ToolListChangedNotification):
            self._wake.set()

    async def _note(self, response: httpx2.Response) -> None:
        self._status = response.status_code


async def _list(session: ClientSession) -> tuple[Listed, ...]:
    listed: list[Listed] = []
    cursor = None
    for _ in range(MOST_PAGES):
        params = types.PaginatedRequestParams(cursor=cursor)
        page = await session.send_request(types.ListToolsRequest(params=params), types.ListToolsResult)
        listed += [
            Listed(tool.name, tool.description or "", tool.input_schema)
            for tool in page.tools
            if len(tool.name) <= LONGEST_NAME
        ]
        cursor = page.next_cursor
        if cursor is None or len(listed) >= MOST_LISTED:
            break
    return tuple(listed[:MOST_LISTED])


def _leaf(error: BaseException) -> BaseException:
    return _leaf(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


class _Bounded(httpx2.AsyncHTTPTransport):
    """An answer in one piece has a largest size; the SDK bounds those that come as events. Notes what leaves."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        way = _way.get() or _Way()
        try:
            response = await super().handle_async_request(request)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout):
            raise
        except httpx2.HTTPError:
            way.has_left = True
            raise
        way.has_left = True
        if not response.headers.get("content-type", "").startswith("text/event-stream"):
            assert isinstance(response.stream, httpx2.AsyncByteStream)
            response.stream = _Limit(response.stream)
        return response


class _Limit(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        taken = 0
        async for piece in self._stream:
            taken += len(piece)
            if taken > LARGEST_BYTES:
                raise httpx2.StreamError(f"the answer is larger than {LARGEST_BYTES} bytes")
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()
