"""A room's session, and where it is opened: the service of its settings, the embedded server, or either behind both."""

import asyncio
import contextlib
import functools
import math
import secrets as randomness
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from voice_node.failover import KEEP_S, Failover
from voice_node.model.moment import Moment
from voice_node.pipes import Pipes
from voice_node.session.connection import Connection
from voice_node.session.formats import InputEncoder
from voice_node.session.protocol import Protocol
from voice_node.session.providers import Endpoint, capabilities, endpoint
from voice_node.session.retry import Refusal, Retry
from voice_node.settings.fallback import has_fallback
from voice_node.settings.local import LocalSettings
from voice_node.settings.schema import RoomSettings
from voice_node.settings.secrets import Secrets
from voice_node.settings.session import SessionSettings, TranscriptionSettings
from voice_node.settings.tools import Tool

if TYPE_CHECKING:
    from voice_node.local.server import LocalServer

FindEndpoint = Callable[[], Awaitable[Endpoint | Retry | Refusal]]


class EmbeddedServer:
    """The local server in this process. It begins when its endpoint is asked for; a cloud room pays nothing before."""

    def __init__(self, settings: SessionSettings, tools: Sequence[Tool], language: str, local: LocalSettings) -> None:
        self._settings = settings
        self._local = local
        self._tools = tools
        self._language = language
        self._lock = asyncio.Lock()
        self._server: LocalServer | None = None
        self._place: Endpoint | None = None

    async def endpoint(self) -> Endpoint:
        """Where it listens."""
        async with self._lock:
            if self._place is None:
                await asyncio.to_thread(_import_server)
                from voice_node.local.server import LocalServer

                key = randomness.token_urlsafe(24)
                self._server = LocalServer(self._tools, self._language, key, local=self._local)
                port = await self._server.start()
                self._place = endpoint(self._settings, key, f"ws://127.0.0.1:{port}/v1/realtime")
            return self._place

    async def open(self) -> None:
        """Begin before anybody needs it."""
        with contextlib.suppress(OSError):  # who connects to it is told
            await self.endpoint()

    async def close(self) -> None:
        """End it; it may begin again."""
        async with self._lock:
            server, self._server, self._place = self._server, None, None
            if server is not None:
                await server.close()


async def find_service(settings: RoomSettings, secrets: Secrets, stack: AsyncExitStack) -> FindEndpoint:
    """What a connection asks for its endpoint; what must be closed at the end of the room is on the stack."""
    key = None if secrets.openai_api_key is None else secrets.openai_api_key.get_secret_value()
    if settings.session.provider == "local":
        server = EmbeddedServer(settings.session, settings.tools, settings.language, settings.local)
        stack.push_async_callback(server.close)
        await server.endpoint()
        return server.endpoint
    place = endpoint(settings.session, key)
    if settings.session.auth != "api_key":
        from voice_node.session.client_secret import ClientSecrets  # here: only who mints pays for httpx

        return ClientSecrets(place, settings.session, settings.tools, key).endpoint

    async def always() -> Endpoint:
        return place

    return always


async def build_session(
    settings: RoomSettings,
    secrets: Secrets,
    authorizations: Mapping[str, str],
    pipes: Pipes,
    clock: Callable[[], Moment],
    next_turn_id: Callable[[], str],
    stack: AsyncExitStack,
) -> Connection | Failover:
    """The room's session, with the local engine behind it where that can help."""
    is_paced = capabilities(settings.session).wants_real_time_audio
    bytes_per_s = InputEncoder(settings.session.input_format).bytes_per_second if is_paced else math.inf
    find = await find_service(settings, secrets, stack)
    connect = functools.partial(Connection, endpoint=find, clock=clock, play=pipes.play, paced_bytes_per_s=bytes_per_s)
    if not has_fallback(settings):
        return connect(Protocol(settings.session, settings.tools, authorizations), tell=pipes.tell)
    patience_s = settings.fallback.after_ms / 1000
    local = local_session(settings.session, settings.language)
    tools = [tool for tool in settings.tools if tool.works_offline]
    server = EmbeddedServer(local, tools, settings.language, settings.local)
    stack.push_async_callback(server.close)
    failover = Failover(
        settings.session.provider, settings.language, pipes.tell, clock, next_turn_id, server.open, server.close
    )
    failover.service = connect(
        Protocol(settings.session, settings.tools, authorizations, patience_s=patience_s),
        tell=failover.tell_service,
        take_back=failover.take_back,
        lives_on=True,
    )
    failover.local = Connection(
        Protocol(local, tools), server.endpoint, clock, failover.tell_local, pipes.play, lives_on=True
    )
    return failover


def local_session(service: SessionSettings, language: str) -> SessionSettings:
    """The session of the local engine that stands in for a room's service: it takes what the service would take."""
    idle_s = min(service.conversation.idle_reset_s, KEEP_S)
    return SessionSettings(
        provider="local",
        instructions=service.instructions,
        output_modalities=["audio"] if "audio" in service.output_modalities else ["text"],
        input_format=service.input_format,
        output_format=service.output_format,
        transcription=service.transcription and TranscriptionSettings(language=language),
        conversation=service.conversation.model_copy(update={"idle_reset_s": idle_s}),
    )


def _import_server() -> None:
    """Blocks for a second on a small machine."""
    import voice_node.local.server  # noqa: F401 - for what it brings into memory
