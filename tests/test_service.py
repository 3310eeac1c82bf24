"""Where sessions are opened; whole rooms are run in tests/system."""

from contextlib import AsyncExitStack

import pytest
from pydantic import SecretStr
from websockets.asyncio.client import connect

from voice_node.service import find_service
from voice_node.session.client_secret import ClientSecrets
from voice_node.session.providers import Endpoint
from voice_node.settings.schema import RoomSettings
from voice_node.settings.secrets import Secrets

KEY = Secrets(openai_api_key=SecretStr("sk-canary"))


def room(**session: object) -> RoomSettings:
    return RoomSettings.model_validate({"room": "kitchen", "session": session})


async def test_a_cloud_room_has_one_place_and_its_key() -> None:
    async with AsyncExitStack() as stack:
        find = await find_service(room(provider="openai"), KEY, stack)
        place = await find()
        assert isinstance(place, Endpoint)
        assert place is await find()
        assert place.url.startswith("wss://api.openai.com/")
        assert place.headers["Authorization"] == "Bearer sk-canary"


async def test_the_embedded_server_runs_until_the_room_ends_and_takes_only_its_own_key() -> None:
    pytest.importorskip("pocketsphinx", reason="the extra `local` is not installed")
    async with AsyncExitStack() as stack:
        place = await (await find_service(room(provider="local"), KEY, stack))()
        assert isinstance(place, Endpoint)
        assert place.url.startswith("ws://127.0.0.1:")
        assert "sk-canary" not in str(place.headers), "the service's key is not for the embedded server"
        async with connect(place.url, additional_headers=place.headers) as session:
            assert "session.created" in str(await session.recv())
    with pytest.raises(ConnectionRefusedError):
        await connect(place.url, additional_headers=place.headers)


async def test_who_mints_asks_before_each_connection() -> None:
    async with AsyncExitStack() as stack:
        find = await find_service(room(provider="openai", auth="client_secret"), KEY, stack)
        assert isinstance(getattr(find, "__self__", None), ClientSecrets)
