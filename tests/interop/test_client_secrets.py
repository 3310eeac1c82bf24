"""The node's minting and the local server's judge each other: sessions opened with secrets, in both dialects."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.fakes.until import until
from tests.local.client import client_of, served
from tests.local.rooms import GET_TIME, SET_LIGHT
from tests.session.room import settings
from voice_node.model.control import AskText
from voice_node.model.moment import Moment
from voice_node.model.turn import Outcome, ToolCall
from voice_node.runtime.pipe import Pipe
from voice_node.session.client_secret import ClientSecrets, Secret
from voice_node.session.connection import Connection
from voice_node.session.protocol import Input, Protocol
from voice_node.session.providers import endpoint

pytestmark = pytest.mark.interop

TOOLS = (SET_LIGHT, GET_TIME)


def minting(port: int, **values: Any) -> ClientSecrets:
    section = settings(url=f"ws://127.0.0.1:{port}/v1/realtime", auth="client_secret", **values)
    return ClientSecrets(endpoint(section, "key"), section, TOOLS, "key")


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"dialect": "beta"},
        {"output_modalities": ["text"], "transcription": None, "speed": 1.5},
        {"type": "transcription"},
    ],
    ids=repr,
)
async def test_a_room_s_parameters_are_those_of_the_session(values: dict[str, Any]) -> None:
    async with served(TOOLS, api_key="key") as (_, port):
        secret = await minting(port, model="m", instructions="Be brief.", **values).mint()
        assert isinstance(secret, Secret), secret
        headers = {"Authorization": f"Bearer {secret.value}"}
        async with client_of(port, "/v1/realtime", additional_headers=headers) as client:
            session = client.seen[0]["session"]
            assert session["audio"]["input"]["turn_detection"] is None
            assert session["audio"]["input"]["noise_reduction"] == {"type": "far_field"}
            if values.get("type") == "transcription":
                assert session["type"] == "transcription"
                return
            assert (session["model"], session["instructions"]) == ("m", "Be brief.")
            assert [tool["name"] for tool in session["tools"]] == ["set_light", "get_time"]
            assert session["output_modalities"] == values.get("output_modalities", ["audio"])
            assert session["audio"]["output"]["speed"] == values.get("speed", 1.0)


async def test_a_turn_over_a_minted_session() -> None:
    outcomes: list[Outcome] = []
    inputs: Pipe[Input] = Pipe(10)

    def clock() -> Moment:
        return Moment(asyncio.get_running_loop().time(), datetime.now(UTC))

    async with served(TOOLS, api_key="key") as (_, port):
        secrets = minting(port)
        connection = Connection(
            Protocol(settings(), TOOLS), secrets.endpoint, clock, outcomes.append, lambda _piece: None
        )
        life = asyncio.create_task(connection.run(inputs))
        await inputs.put(AskText("t1", "turn on the kitchen light"))
        await until(lambda: any(isinstance(outcome, ToolCall) for outcome in outcomes))
        life.cancel()
        await asyncio.gather(life, return_exceptions=True)
    calls = [outcome for outcome in outcomes if isinstance(outcome, ToolCall)]
    assert [(call.turn_id, call.name, json.loads(call.arguments)) for call in calls] == [
        ("t1", "set_light", {"area": "kitchen", "state": "on"})
    ]
