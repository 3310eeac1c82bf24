"""Where a room's sessions are opened: the service of its settings, or the embedded server, which is started here."""

import secrets as randomness
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from voice_node.session.providers import Endpoint, endpoint
from voice_node.session.retry import Refusal, Retry
from voice_node.settings.schema import RoomSettings
from voice_node.settings.secrets import Secrets


async def find_service(
    settings: RoomSettings, secrets: Secrets, stack: AsyncExitStack
) -> Callable[[], Awaitable[Endpoint | Retry | Refusal]]:
    """What a connection asks for its endpoint; what must be closed at the end of the room is on the stack."""
    key = None if secrets.openai_api_key is None else secrets.openai_api_key.get_secret_value()
    if settings.session.provider == "local":
        from voice_node.local.server import LocalServer  # here: a cloud room must not pay for it

        key = randomness.token_urlsafe(24)
        server = LocalServer(settings.tools, settings.language, key)
        port = await server.start()
        stack.push_async_callback(server.close)
        place = endpoint(settings.session, key, f"ws://127.0.0.1:{port}/v1/realtime")
    else:
        place = endpoint(settings.session, key)
    if settings.session.auth != "api_key":
        from voice_node.session.client_secret import ClientSecrets  # here: only who mints pays for httpx

        return ClientSecrets(place, settings.session, settings.tools, key).endpoint

    async def always() -> Endpoint:
        return place

    return always
