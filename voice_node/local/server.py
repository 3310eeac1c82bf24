"""The embedded Realtime server: OpenAI's dialects on a WebSocket, with no account and no internet.

It understands the sentences of the tools alone, calls them, and speaks what came of it. Differences from OpenAI's are
few: it has one voice, images and tools of type `mcp` are refused, and retrieved items come without sound. Client
secrets of both dialects are minted on the same port.
"""

import asyncio
import contextlib
import json
import logging
import time
import weakref
from collections.abc import Coroutine, Sequence
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.typing import Subprotocol

from voice_node.local import wire
from voice_node.local.access import Access, Headers
from voice_node.local.api import Api
from voice_node.local.client_secrets import ClientSecret, ClientSecrets
from voice_node.local.dialect import Ga
from voice_node.local.engine import Engine
from voice_node.local.handshake import Choice, check_secret, dialect_of, is_session, key_in, session_of
from voice_node.local.http import Answer, Exchange
from voice_node.local.peer import Peer
from voice_node.local.refusal import Refused
from voice_node.local.wire import Event
from voice_node.local.wire_beta import Beta
from voice_node.settings.local import LocalSettings
from voice_node.settings.tools import Tool

_WEBSOCKETS_LOGGER = logging.getLogger(f"{__name__}.websockets")
"""Errors only: at DEBUG the library writes headers, and so keys; a scan of the port is no error either."""
_WEBSOCKETS_LOGGER.setLevel(logging.ERROR)
_WEBSOCKETS_LOGGER.addFilter(lambda record: record.msg != "opening handshake failed")

LONGEST_SESSION_S = 3600.0
_LONGEST_FRAME = 21 * 1024 * 1024
"""15 MiB of sound in base64, and the event around it."""
_GET = b"GET "


class Door(ServerConnection):
    """One TCP connection: `websockets` reads GET alone, so any other request is answered here, and ends it.

    Who does not end a request within the library's `open_timeout`, or does not leave after its answer, is thrown out.
    """

    def __init__(self, *args: Any, answer: Answer, **options: Any) -> None:
        super().__init__(*args, **options)
        self.secret: ClientSecret | None = None
        """What the session is opened with."""
        self._answer = answer
        self._first = b""
        self._is_get = False
        self._exchange: Exchange | None = None

    def data_received(self, data: bytes) -> None:
        """From asyncio."""
        if self._is_get:
            super().data_received(data)
            return
        if self._exchange is None:
            self._first += data
            if self._first.startswith(_GET):
                self._is_get = True
                super().data_received(self._first)
            if _GET.startswith(self._first[: len(_GET)]):
                return  # GET, or too short to know
            data, self._exchange = self._first, Exchange(self._answer)
        if not self._exchange.is_over:
            self.transport.write(self._exchange.receive(data))
            if self._exchange.is_over:
                self.transport.write_eof()  # not closed: what still comes would destroy the answer on its way

    def eof_received(self) -> None:
        """From asyncio."""
        if self._is_get:
            super().eof_received()


class LocalServer:
    """Serves any number of clients up to `most_clients`; `api_key` None lets everybody in who reaches the port.

    `dialect` other than `auto` is spoken to all, whatever they ask for.
    """

    def __init__(
        self,
        tools: Sequence[Tool],
        language: str = "en",
        api_key: str | None = None,
        most_clients: int = 16,
        longest_session_s: float = LONGEST_SESSION_S,
        dialect: Choice = "auto",
        local: LocalSettings | None = None,
    ) -> None:
        secrets = ClientSecrets()
        self._engine = Engine(tools, language, local)
        self._access = Access(api_key, secrets)
        self._api = Api(self._access, secrets)
        self._most_clients = most_clients
        self._longest_session_s = longest_session_s
        self._dialect: Choice = dialect
        self._clients = 0
        self._server: Server | None = None
        self._doors: weakref.WeakSet[Door] = weakref.WeakSet()

    @property
    def engine(self) -> Engine:
        """What all clients share."""
        return self._engine

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen, and begin to load the recogniser; the port. Raises OSError where it is taken."""
        self._server = await serve(
            self._serve,
            host,
            port,
            compression=None,
            max_size=_LONGEST_FRAME,
            max_queue=4,
            process_request=self._admit,
            select_subprotocol=_select_subprotocol,
            server_header=None,
            logger=_WEBSOCKETS_LOGGER,
            create_connection=self._door,  # type: ignore[arg-type]  # a factory, as the library's documentation says
        )
        self._engine.start()
        address = next(iter(self._server.sockets)).getsockname()
        return int(address[1])

    async def close(self) -> None:
        """Close all connections (1001) and end the recogniser."""
        if self._server is not None:
            self._server.close()
            for door in self._doors:
                if door.state is State.CONNECTING:
                    door.transport.abort()  # the library would wait for its request
            await self._server.wait_closed()
            self._server = None
        await self._engine.close()

    def _door(self, *args: Any, **options: Any) -> Door:
        door = Door(*args, answer=self._answer, **options)
        self._doors.add(door)
        return door

    def _answer(self, method: str, target: str, headers: Headers, body: bytes) -> tuple[int, dict[str, Any]]:
        return self._api.answer(method, target, headers, body, time.time())

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """None lets the client in."""
        assert isinstance(connection, Door)
        try:
            if not is_session(request.path):
                return _response(connection, *self._answer("GET", request.path, _headers(request), b""))
            connection.secret = self._judge(request)
        except Refused as refused:
            return _response(connection, refused.status, wire.http_error(refused))
        return None

    def _judge(self, request: Request) -> ClientSecret | None:
        """The secret that a session may be opened with, if any is needed. Raises Refused."""
        secret = self._access.open_session([*_headers(request), *key_in(request.path)], time.time())
        check_secret(request.path, secret)
        if self._clients >= self._most_clients:
            raise Refused("too_many_clients", "Too many clients.", status=503)
        return secret

    async def _serve(self, connection: ServerConnection) -> None:
        assert isinstance(connection, Door)
        request = connection.request
        assert request is not None
        session = session_of(request.path, connection.secret, time.time() + self._longest_session_s)
        spoken = dialect_of(request.path, _headers(request)) if self._dialect == "auto" else self._dialect

        async def send(event: Event) -> None:
            try:
                await connection.send(json.dumps(event))
            except ConnectionClosed:
                return  # the reader sees it too, and ends this client

        self._clients += 1
        tasks: set[asyncio.Task[None]] = set()
        try:
            async with asyncio.TaskGroup() as group:

                def spawn(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
                    task = group.create_task(work)
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)
                    return task

                dialect = Beta() if spoken == "beta" else Ga()
                peer = Peer(self._engine, session, dialect, send, spawn)
                is_expired = await self._converse(connection, peer)
                for task in list(tasks):
                    task.cancel()
            if is_expired:
                await send(wire.session_expired(self._longest_session_s / 60))
                await connection.close(1001, "session_expired")
        finally:
            self._clients -= 1

    async def _converse(self, connection: ServerConnection, peer: Peer) -> bool:
        """Serve until the client leaves, or its time is over: True then."""
        deadline = asyncio.timeout(self._longest_session_s)
        with contextlib.suppress(TimeoutError, ConnectionClosed):
            async with deadline:
                await peer.greet()
                async for frame in connection:
                    await peer.receive(frame)
        return deadline.expired()


def _headers(request: Request) -> Headers:
    return list(request.headers.raw_items())


def _response(connection: ServerConnection, status: int, body: dict[str, Any]) -> Response:
    response = connection.respond(status, json.dumps(body))
    del response.headers["Content-Type"]
    response.headers["Content-Type"] = "application/json"
    return response


def _select_subprotocol(_connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    realtime = Subprotocol("realtime")
    return realtime if realtime in offered else None
