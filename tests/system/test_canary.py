"""Secrets that would be seen anywhere: a whole run at DEBUG, with every secret that a room can have."""

import asyncio
import base64
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mcp", reason="the extra `mcp` is not installed")
pytest.importorskip("prometheus_client", reason="the extra `metrics` is not installed")

from tests.fakes import broker as fake
from tests.fakes.broker import Broker
from tests.fakes.mcp_server import McpServer
from tests.fakes.mqtt_spy import MqttSpy
from tests.fakes.realtime_server import Expect, Pause, RealtimeServer, Script, emit, greet
from tests.fakes.until import until
from tests.system.house import DEADLINE_S, Program, events, met_on, online, write_room
from tests.system.test_mcp import TURN_ON, a_turn, ask, finished, section, session, tool_is_offered

KEY = "sk-canary-3141592653589793"
PASSWORD = "canary-2718281828459045"
PIN = "161803398874"
TOKEN = "canary-of-mcp-1414213562"
SPY = "the-spy"
SECRETS = {"OPENAI_API_KEY": KEY, "MQTT_PASSWORD": PASSWORD, "VOICE_NODE_PIN": PIN, "MCP_HOME": TOKEN}
DOOR = {
    "name": "unlock_door",
    "description": "Unlock the door.",
    "parameters": {"type": "object", "properties": {}, "additionalProperties": False},
    "confirm": "pin",
}


def told_by_the_service(looked_at: asyncio.Event) -> Script:
    """A service that repeats the key: in a trouble that it gets over, and in one that it does not, later."""
    trouble = {"type": "invalid_request_error", "code": "odd", "message": f"Your key {KEY} and your {TOKEN} are odd."}
    end = {"type": "invalid_request_error", "code": "invalid_api_key", "message": f"Incorrect API key: {KEY}."}
    return [
        emit({"type": "error", "error": trouble}),
        Pause(looked_at),
        Expect("conversation.item.create"),
        Expect("response.create"),
        emit({"type": "error", "error": end}),
    ]


def shapes(secret: str) -> Iterator[bytes]:
    """As it is, and as HTTP's and MQTT's logins carry it."""
    yield secret.encode()
    for prefix in ("", ":", "kitchen:"):
        yield base64.b64encode((prefix + secret).encode()).rstrip(b"=")


def places_of(secret: str, texts: dict[str, bytes]) -> Sequence[str]:
    return [place for place, text in texts.items() if any(shape in text for shape in shapes(secret))]


@pytest.mark.slow
async def test_no_secret_is_seen_at_debug_over_a_whole_run(tmp_path: Path, free_port: int) -> None:
    if fake.ABSENT:
        pytest.skip(fake.ABSENT)
    outputs: list[Any] = []
    looked_at = asyncio.Event()  # by `doctor`, on the second connection
    turns = [*greet(), *a_turn(1, {"name": "lamp"}, outputs), *told_by_the_service(looked_at)]
    async with RealtimeServer(turns, greet()) as realtime, McpServer(TURN_ON, token=TOKEN) as server:
        with Broker(users={"kitchen": PASSWORD, "spy": SPY}) as broker:
            room = write_room(
                tmp_path,
                broker.port,
                mqtt={"username": "kitchen"},
                session=session(realtime),
                mcp=[section(server.url)],
                tools=[DOOR],
                log={"level": "debug", "transcripts": True, "tool_arguments": True},
                metrics={"port": free_port},
            )
            login = {"username": "spy", "password": SPY}
            with Program(tmp_path, "run", room, environ=SECRETS) as node:
                async with MqttSpy(broker.port, **login) as spy:
                    await tool_is_offered(spy)
                    seen = spy.messages
                broker.kill()
                await node.said("No broker at")
                broker.restart()
                async with MqttSpy(broker.port, **login) as spy:
                    await online(spy)
                    await spy.publish("voice_node/kitchen/request/ask", b"{")
                    await ask(spy)
                    await finished(spy, 1)
                    url = f"http://127.0.0.1:{free_port}/metrics"
                    figures = await read(url)
                    await spy.publish("voice_node/kitchen/request/diagnose")
                    await met_on(spy, "response/diagnose")
                    looked_at.set()
                    await ask(spy)
                    assert await node.ended() == 77
                    await until(lambda: bool(events(spy, "error")), DEADLINE_S)
                    seen = [*seen, *spy.messages]
    texts = {f"{number} on {one.topic}": one.topic.encode() + one.payload for number, one in enumerate(seen)}
    texts |= {"log": node.log.encode(), "output": node.output.encode(), "metrics": figures}
    state = tmp_path / "state"
    texts |= {f"file {path.name}": path.read_bytes() for path in state.rglob("*") if path.is_file()}
    assert {name: places_of(secret, texts) for name, secret in SECRETS.items()} == {name: [] for name in SECRETS}

    assert realtime.requests[0].headers["Authorization"] == f"Bearer {KEY}", "the key was in use"
    assert server.called != [], "the token was in use"
    assert outputs == [{"success": True}]
    assert b'voice_node_turns_total{room="kitchen",status="completed"} 1.0' in figures
    (turn,) = events(spy, "turn_finished")
    assert f"turn {turn['turn_id']}: completed" in node.log
    assert "odd" in {told["code"] for told in events(spy, "error")}, "the service's words were told"


async def read(url: str) -> bytes:
    """The page, without holding up the servers of this test."""

    def get() -> bytes:
        with urllib.request.urlopen(url, timeout=20) as answer:
            content: bytes = answer.read()
            return content

    return await asyncio.to_thread(get)
