"""The embedded Realtime server: OpenAI's GA dialect on a WebSocket, with no key, no account and no internet.

It understands the sentences of the tools alone, calls them, and speaks what came of it. Differences from OpenAI's are
few: `turn_detection` is null (the client commits), its voice is PCM at 24 kHz, and retrieved items come without sound.
"""

import asyncio
import hmac
import http
import json
import logging
import urllib.parse
from collections.abc import Coroutine, Sequence
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from voice_node.local.engine import Engine
from voice_node.local.peer import Peer
from voice_node.local.session import SessionType
from voice_node.local.wire import Event
from voice_node.settings.tools import Tool

_WEBSOCKETS_LOGGER = logging.getLogger(f"{__name__}.websockets")
"""Errors only: at DEBUG the library writes headers, and so keys; a scan of the port is no error either."""
_WEBSOCKETS_LOGGER.setLevel(logging.ERROR)
_WEBSOCKETS_LOGGER.addFilter(lambda record: record.msg != "opening handshake failed")

PATH = "/v1/realtime"
_LONGEST_FRAME = 21 * 1024 * 1024
"""15 MiB of sound in base64, and the event around it."""
_KEY_PROTOCOL = "openai-insecure-api-key."
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class LocalServer:
    """Serves any number of clients up to `most_clients`; `api_key` None lets everybody in who reaches the port."""

    def __init__(
        self, tools: Sequence[Tool], language: str = "en", api_key: str | None = None, most_clients: int = 16
    ) -> None:
        self._engine = Engine(tools, language)
        self._api_key = api_key
        self._most_clients = most_clients
        self._clients = 0
        self._server: Server | None = None

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
        )
        self._engine.start()
        address = next(iter(self._server.sockets)).getsockname()
        return int(address[1])

    async def close(self) -> None:
        """Close all connections (1001) and end the recogniser."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None
        await self._engine.close()

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """None lets the client in."""
        if urllib.parse.urlsplit(request.path).path.rstrip("/") != PATH:
            return connection.respond(http.HTTPStatus.NOT_FOUND, f"Realtime is at {PATH}.\n")
        if self._api_key is not None and not _is_key(request, self._api_key):
            return connection.respond(http.HTTPStatus.UNAUTHORIZED, "The API key is missing or wrong.\n")
        if self._api_key is None and not all(_is_near(origin) for origin in request.headers.get_all("Origin")):
            return connection.respond(http.HTTPStatus.FORBIDDEN, "Web pages from elsewhere may not use this server.\n")
        if self._clients >= self._most_clients:
            return connection.respond(http.HTTPStatus.SERVICE_UNAVAILABLE, "Too many clients.\n")
        return None

    async def _serve(self, connection: ServerConnection) -> None:
        query = urllib.parse.parse_qs(connection.request.path.partition("?")[2] if connection.request else "")
        kind: SessionType = "transcription" if query.get("intent") == ["transcription"] else "realtime"
        model = query.get("model", ["local"])[0][:128]

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

                peer = Peer(
                    self._engine, "transcription" if kind == "transcription" else "realtime", model, send, spawn
                )
                await peer.greet()
                try:
                    async for frame in connection:
                        await peer.receive(frame)
                except ConnectionClosed:
                    pass
                for task in list(tasks):
                    task.cancel()
        finally:
            self._clients -= 1


def _is_key(request: Request, key: str) -> bool:
    offered = [value.removeprefix("Bearer ") for value in request.headers.get_all("Authorization")]
    offered += request.headers.get_all("api-key")
    for value in request.headers.get_all("Sec-WebSocket-Protocol"):
        protocols = (protocol.strip() for protocol in value.split(","))
        offered += [name.removeprefix(_KEY_PROTOCOL) for name in protocols if name.startswith(_KEY_PROTOCOL)]
    return any(hmac.compare_digest(value.encode(errors="replace"), key.encode()) for value in offered)


def _is_near(origin: str) -> bool:
    try:
        return urllib.parse.urlsplit(origin).hostname in _LOOPBACK
    except ValueError:
        return False


def _select_subprotocol(_connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    realtime = Subprotocol("realtime")
    return realtime if realtime in offered else None
