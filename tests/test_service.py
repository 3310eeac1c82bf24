"""Where sessions are opened; whole rooms are run in tests/system."""

from contextlib import AsyncExitStack

import pytest
from pydantic import SecretStr
from websockets.asyncio.client import connect

from voice_node.building import steady_moment
from voice_node.failover import Failover
from voice_node.pipes import Pipes
from voice_node.service import EmbeddedServer, build_session, find_service, local_session
from voice_node.session.client_secret import ClientSecrets
from voice_node.session.connection import Connection
from voice_node.session.providers import Endpoint
from voice_node.settings.schema import RoomSettings
from voice_node.settings.secrets import Secrets
from voice_node.settings.tools import Tool

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


async def test_the_local_engine_stands_behind_a_service_where_it_can_help() -> None:
    pytest.importorskip("hassil", reason="the extra `local` is not installed")
    tools = [{"name": "light", "description": "A light.", "sentences": ["light on"]}]
    for settings, kind in (
        (room(provider="openai").model_copy(update={"tools": [Tool.model_validate(tools[0])]}), Failover),
        (room(provider="openai"), Connection),
    ):
        async with AsyncExitStack() as stack:
            session = await build_session(settings, KEY, {}, Pipes(), steady_moment, lambda: "t1", stack)
            assert type(session) is kind
            assert session.reconnects == 0


async def test_an_embedded_server_begins_when_it_is_asked_for_and_again_after_its_end() -> None:
    settings = room(provider="local")
    server = EmbeddedServer(settings.session, settings.tools, "en", settings.local)
    first = await server.endpoint()
    assert await server.endpoint() is first
    await server.close()
    await server.close()
    with pytest.raises(ConnectionRefusedError):
        await connect(first.url, additional_headers=first.headers)
    second = await server.endpoint()
    async with connect(second.url, additional_headers=second.headers) as session:
        assert "session.created" in str(await session.recv())
    await server.close()


def test_the_local_session_takes_what_the_service_would() -> None:
    service = room(provider="openai", input_format="pcmu", output_modalities=["text"], transcription=None).session
    local = local_session(service, "de")
    assert (local.provider, local.input_format, local.output_modalities) == ("local", "pcmu", ["text"])
    assert local.transcription is None
    assert local.connect == "on_speech"
    assert local_session(room(provider="xai").session, "de").transcription is not None
