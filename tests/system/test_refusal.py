"""A service or a broker that refuses: home automation is told, the key and the password are not."""

import asyncio
from pathlib import Path

import pytest

from tests.fakes import broker as fake
from tests.fakes.broker import Broker
from tests.fakes.mqtt_spy import MqttSpy
from tests.fakes.realtime_server import RealtimeServer, Refuse, Script, emit
from tests.system.house import Program, below, event, met, state, write_room

KEY = "sk-canary-3141592653589793"
REFUSED_KEY = {
    "type": "error",
    "error": {"type": "invalid_request_error", "code": "invalid_api_key", "message": f"Incorrect API key: {KEY}."},
}
SCRIPTS: dict[str, Script] = {
    "by HTTP": [Refuse(401)],
    "by an event": [emit(REFUSED_KEY)],
}


@pytest.mark.parametrize("how", SCRIPTS)
async def test_a_key_that_is_refused_ends_the_node_with_77_after_it_was_told(
    tmp_path: Path, broker: Broker, how: str
) -> None:
    async with RealtimeServer(SCRIPTS[how]) as server, MqttSpy(broker.port) as spy:
        room = write_room(tmp_path, broker.port, session={"provider": "custom", "url": server.url})
        with Program(tmp_path, "run", room, environ={"OPENAI_API_KEY": KEY}) as node:
            assert await node.ended() == 77
        last = await met(spy, lambda seen: below(seen) == "availability" and seen.payload == b"offline")
        await state(spy, "offline")
        assert spy.messages[-1] is last
    assert "Authorization" in server.requests[0].headers
    told = node.log + "".join(seen.payload.decode() for seen in spy.messages)
    assert "canary" not in told
    assert "Traceback" not in node.log
    assert "key" in node.log.splitlines()[-1]


async def test_why_the_node_ended_is_told_to_a_broker_that_comes_a_little_later(tmp_path: Path, broker: Broker) -> None:
    broker.kill()
    async with RealtimeServer([Refuse(401)]) as server:
        room = write_room(tmp_path, broker.port, session={"provider": "custom", "url": server.url})
        with Program(tmp_path, "run", room, environ={"OPENAI_API_KEY": KEY}) as node:
            await node.said("No broker at")
            broker.restart()
            async with MqttSpy(broker.port) as spy:
                assert await node.ended() == 77
                await state(spy, "offline")
                told = await event(spy, "error", 2, code="stopped")
                assert "API key" in told["detail"]


async def test_a_broker_that_refuses_the_password_is_tried_again(tmp_path: Path) -> None:
    if fake.ABSENT:
        pytest.skip(fake.ABSENT)
    with Broker(users={"kitchen": "right"}) as broker:
        room = write_room(tmp_path, broker.port, mqtt={"username": "kitchen"})
        with Program(tmp_path, "run", room, environ={"MQTT_PASSWORD": "canary-2718281828"}) as node:
            await node.said("the broker refuses")
            await asyncio.sleep(0.5)
            assert node.is_running
            assert "user name or password" in node.log or "this login" in node.log
            assert "canary" not in node.log
