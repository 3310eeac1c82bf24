"""The MCP servers of a room: connected for as long as the process lives, so that a reload loses nothing they listed.

Rules

1. `equip` gives a room the tools of its servers beside its own. At the start it waits for them, 3 s at the longest: a
   server that is away then is asked again, and the room begins anew when it is there.
2. Names that collide are an error at the start. Later, the tools that the room has stay as they are, and home
   automation is told; after a reload that brings a collision, the server's tool is left out.
3. When a server lists something else, the room begins anew with it: after a second, in a quiet moment (or after a
   minute without one), and not twice within half a minute.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from voice_node.model.control import CallServer
from voice_node.model.errors import ConfigError
from voice_node.model.turn import ServiceTrouble
from voice_node.pipeline import End, Pipeline
from voice_node.pipes import Pipes
from voice_node.router.tools import schema_problem
from voice_node.settings.load import LoadedRoom
from voice_node.settings.mcp import McpServer, RemoteTool
from voice_node.settings.schema import RoomSettings
from voice_node.settings.secrets import read_mcp_tokens, read_own_mcp_tokens
from voice_node.settings.tools import Tool

if TYPE_CHECKING:
    from voice_node.mcp.client import ToolServer

log = logging.getLogger(__name__)

START_S = 3.0
SETTLE_S = 1.0
QUIET_S = 60.0
"""Longest wait for a quiet moment."""
SELDOM_S = 30.0
AFTER_A_BUG_S = 60.0
CLOSE_S = 1.0
MOST_TOOLS = 128
"""In all; what a session takes."""


def mcp_words(environ: Mapping[str, str], settings: RoomSettings) -> list[str]:
    """The tokens of MCP servers, whoever calls them: the log must leave them out."""
    tokens = [*read_mcp_tokens(environ, settings).values(), *read_own_mcp_tokens(environ, settings).values()]
    return [token.get_secret_value() for token in tokens]


class ToolServers:
    """The servers of one room; it outlives nodes."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._settings: list[McpServer] = []
        self._tokens: dict[str, str] = {}
        self._servers: dict[str, ToolServer] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._calls: set[asyncio.Task[None]] = set()
        self._pipes: Pipes | None = None
        self._told: deque[ServiceTrouble] = deque(maxlen=32)
        """Problems that came while there was no node, or no broker: events are not kept for one."""
        self._has_changed = asyncio.Event()
        self._own: list[Tool] = []
        self._in_use: list[RemoteTool] = []
        self._problems: list[str] = []
        """Of the lists, as told last."""
        self._renewed_at = -SELDOM_S
        self._is_first = True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    async def equip(self, room: LoadedRoom) -> LoadedRoom:
        """The room with the tools of its servers; raises ConfigError at the start where names collide."""
        settings = room.settings
        self._pipes = None
        _cancel(self._calls)
        self._own = [tool for tool in settings.tools if not isinstance(tool, RemoteTool)]
        secrets = read_own_mcp_tokens(self._environ, settings)
        tokens = {name: secret.get_secret_value() for name, secret in secrets.items()}
        if (settings.mcp, tokens) != (self._settings, self._tokens):
            await self._stop()
            self._start(settings.mcp, tokens)
            await self._wait_for_lists()
        self._has_changed.clear()
        tools, problems = self._offered()
        collisions = list(_collisions(self._own, tools))
        if collisions and self._is_first:
            raise ConfigError("\n".join(f"{room.path}: mcp: {text}" for text in collisions))
        self._is_first = False
        tools = list(_without_collisions(self._own, tools))[: max(0, MOST_TOOLS - len(self._own))]
        self._tell_lists([*problems, *collisions])
        self._in_use = tools
        return replace(room, settings=settings.model_copy(update={"tools": [*self._own, *tools]}))

    def attach(self, pipes: Pipes) -> Callable[[CallServer], None]:
        """Answers and problems go to this node from now on; what calls a tool."""
        self._pipes = pipes
        return self._call

    async def renew(self, pipeline: Pipeline, *, may_renew: bool = True) -> None:
        """End the pipeline, for another one to begin, when the servers list something else; and tell their problems."""
        if self._pipes is not None:
            await self._pipes.broker_came.wait()
            self._tell_all()
        while may_renew:
            await self._has_changed.wait()
            await asyncio.sleep(max(SETTLE_S, self._renewed_at + SELDOM_S - time.monotonic()))
            self._has_changed.clear()
            if not self._differs():
                continue
            latest = time.monotonic() + QUIET_S
            while not pipeline.is_quiet and time.monotonic() < latest:  # noqa: ASYNC110 - quiet has many causes
                await asyncio.sleep(0.2)
            log.info("the tools of the MCP servers changed: the room begins anew with them")
            self._renewed_at = time.monotonic()
            await pipeline.stop(End.RELOAD)
            return

    def _start(self, settings: list[McpServer], tokens: dict[str, str]) -> None:
        self._settings, self._tokens = settings, tokens
        if not settings:
            return
        try:
            from voice_node.mcp.client import ToolServer  # here: only who has servers pays for the SDK
        except ModuleNotFoundError as error:
            raise ConfigError(f"mcp: needs {error.name}: install voice-node[mcp]") from None
        for section in settings:
            server = ToolServer(section, tokens.get(section.name), self._changed, self._tell)
            self._servers[section.name] = server
            self._tasks.append(asyncio.create_task(self._keep(server), name=f"mcp {section.name}"))

    async def _keep(self, server: "ToolServer") -> None:
        """A mistake in a foreign library must not silence the room: the server is away for a while."""
        task = asyncio.current_task()
        while True:
            try:
                await server.run()
            except (Exception, BaseExceptionGroup, asyncio.CancelledError) as error:  # noqa: BLE001 - see above
                if task is not None and task.cancelling():
                    return  # by us; any other cancellation is the library's own, got loose
                # Its text may repeat what a server said.
                log.error("an MCP server broke its client: %s", type(error).__name__)  # noqa: TRY400 - dito
            await asyncio.sleep(AFTER_A_BUG_S)

    async def _wait_for_lists(self) -> None:
        tried = [asyncio.create_task(server.tried.wait()) for server in self._servers.values()]
        if tried:
            await asyncio.wait(tried, timeout=START_S)
            _cancel(tried)

    async def _stop(self) -> None:
        tasks = {*self._tasks, *self._calls}
        _cancel(tasks)
        if tasks:
            await asyncio.wait(tasks, timeout=CLOSE_S)
        self._tasks, self._servers, self._settings = [], {}, []

    def _call(self, call: CallServer) -> None:
        task = asyncio.create_task(self._answer(call), name=f"call {call.name}")
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def _answer(self, call: CallServer) -> None:
        try:
            answer = await self._servers[call.server].call(call)
        except TimeoutError:
            return  # the call's deadline says so
        except Exception as error:  # noqa: BLE001 - as in `_keep`; the call ends at its deadline
            log.error("the client of an MCP server broke: %s", type(error).__name__)  # noqa: TRY400 - dito
            return
        if self._pipes is not None:
            self._pipes.order(answer)

    def _offered(self) -> tuple[list[RemoteTool], list[str]]:
        """All tools that the servers list and the room allows, and what is wrong with others."""
        if not self._servers:
            return [], []
        from voice_node.mcp.catalogue import catalogue  # with the SDK's own libraries there already

        tools: list[RemoteTool] = []
        problems: list[str] = []
        for section in self._settings:
            server = self._servers[section.name]
            if server.has_listed:
                found = catalogue(section, server.listed, schema_problem)
                tools += found.tools
                problems += [f"{section.name}: {text}" for text in found.problems]
        return tools, problems

    def _changed(self) -> None:
        self._has_changed.set()

    def _differs(self) -> bool:
        """Whether there is something new that the room can take."""
        tools, problems = self._offered()
        collisions = list(_collisions(self._own, tools))
        self._tell_lists([*problems, *collisions])
        return tools[: max(0, MOST_TOOLS - len(self._own))] != self._in_use and not collisions

    def _tell_lists(self, problems: list[str]) -> None:
        for text in problems:
            if text not in self._problems:
                self._tell("tool_server", text)
        self._problems = problems

    def _tell(self, code: str, text: str) -> None:
        log.warning("%s", text)
        self._told.append(ServiceTrouble(code, text))
        self._tell_all()

    def _tell_all(self) -> None:
        pipes = self._pipes
        while pipes is not None and pipes.broker_came.is_set() and self._told:
            pipes.tell(self._told.popleft())


def _collisions(own: Iterable[Tool], tools: Iterable[RemoteTool]) -> Iterator[str]:
    owners = {tool.name: "of this room" for tool in own}
    for tool in tools:
        owner = owners.setdefault(tool.name, f"of {tool.server}")
        if owner != f"of {tool.server}":
            yield f"{tool.name} of {tool.server} is called like a tool {owner}: take it out of `allow`, or rename yours"


def _without_collisions(own: Iterable[Tool], tools: Iterable[RemoteTool]) -> Iterator[RemoteTool]:
    taken = {tool.name for tool in own}
    for tool in tools:
        if tool.name not in taken:
            taken.add(tool.name)
            yield tool


def _cancel(tasks: "Iterable[asyncio.Task[None]] | Iterable[asyncio.Task[bool]]") -> None:
    for task in list(tasks):
        task.cancel()
