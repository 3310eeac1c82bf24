"""Whole nodes whose sessions are opened with client secrets."""

from pathlib import Path
from typing import Any

import pytest

from tests.fakes.broker import Broker
from tests.fakes.http_server import Answer, HttpServer
from tests.local.client import served
from tests.system.house import HEATING, LIGHT, Program, calls, home, recording, write_room
from voice_node.settings.tools import Tool

HOUSE = [Tool.model_validate(LIGHT), Tool.model_validate(HEATING)]
KEY = "sk-canary-3141592653589793"


async def assert_one_call_comes_of_it(folder: Path, port: int, session: dict[str, Any], **environ: str) -> None:
    """And no secret is told."""
    room = write_room(folder, port, session=session)
    async with home(port) as spy:
        with Program(folder, "replay", room, recording(folder / "one.wav", 1), "--fast", environ=environ) as node:
            assert await node.ended(60) == 0
        assert [call["name"] for call in calls(spy)] == ["set_light"]
    assert "canary" not in node.log + node.output
    assert "ek_" not in node.log + node.output


async def test_the_embedded_server_mints_for_its_own_room(tmp_path: Path, broker: Broker) -> None:
    await assert_one_call_comes_of_it(tmp_path, broker.port, {"provider": "local", "auth": "client_secret"})


@pytest.mark.slow
async def test_a_node_without_a_key_is_given_secrets_by_a_server_at_home(tmp_path: Path, broker: Broker) -> None:
    minted = Answer({"value": "ek_canary"})
    async with HttpServer(minted) as minting, served(HOUSE, api_key="ek_canary") as (_, port):
        url = f"ws://127.0.0.1:{port}/v1/realtime"
        auth = {"url": f"http://127.0.0.1:{minting.port}/mint"}
        await assert_one_call_comes_of_it(tmp_path, broker.port, {"provider": "custom", "url": url, "auth": auth})
    assert "authorization" not in minting.asked[0].headers


@pytest.mark.slow
async def test_a_node_with_a_key_mints_at_the_provider(tmp_path: Path, broker: Broker) -> None:
    async with served(HOUSE, api_key=KEY) as (_, port):
        url = f"ws://127.0.0.1:{port}/v1/realtime"
        session = {"provider": "custom", "url": url, "auth": "client_secret"}
        await assert_one_call_comes_of_it(tmp_path, broker.port, session, OPENAI_API_KEY=KEY)
