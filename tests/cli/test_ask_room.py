"""The commands that speak to a running room, with a room of ours at a real broker."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.fakes import broker as fake
from tests.fakes.broker import Broker
from tests.fakes.mqtt_spy import MqttSpy, Seen
from voice_node.cli import ask_room as module
from voice_node.cli.commands import group

BASE = "voice_node/kitchen/"
Answer = Callable[["Room", Seen], Any]


@pytest.fixture
def broker() -> Iterator[Broker]:
    if fake.ABSENT:
        pytest.skip(fake.ABSENT)
    with Broker() as running:
        yield running


class Room:
    """Answers each command once, as the test says."""

    def __init__(self, spy: MqttSpy) -> None:
        self.spy = spy

    async def respond(self, asked: Seen, content: dict[str, Any], *, is_public: bool = False) -> None:
        """Where MQTT 5 or, with `is_public`, where MQTT 3.1.1 says it belongs."""
        command = asked.topic.removeprefix(f"{BASE}request/")
        if is_public:
            content = content | {"transaction": asked.json["transaction"]}
            await self.tell(f"response/{command}", content)
        else:
            assert asked.response_topic is not None
            assert asked.response_topic.startswith(BASE)
            await self.spy.publish(asked.response_topic, json.dumps(content), correlation=asked.correlation)

    async def tell(self, place: str, content: Any, *, retain: bool = False) -> None:
        payload = content if isinstance(content, str) else json.dumps(content)
        await self.spy.publish(BASE + place, payload, retain=retain)


@asynccontextmanager
async def living(port: int, answer: Callable[[Room, Seen], Any] | None = None) -> AsyncIterator[Room]:
    async with MqttSpy(port) as spy:
        room = Room(spy)
        await room.tell("mute/state", "OFF", retain=True)

        async def serve() -> None:
            asked = await spy.wait_for(lambda seen: "/request/" in seen.topic or seen.topic.endswith("/set"), 20)
            if answer is not None:
                await answer(room, asked)

        serving = asyncio.create_task(serve())
        try:
            yield room
            with suppress(TimeoutError):
                if answer is not None:
                    await asyncio.wait_for(serving, 10)
        finally:
            serving.cancel()
            await asyncio.wait([serving])


@pytest.fixture
def file(tmp_path: Path, broker: Broker) -> Path:
    path = tmp_path / "kitchen.yaml"
    path.write_text(f"room: kitchen\nmqtt: {{port: {broker.port}}}\n")
    return path


async def run(*arguments: str | Path) -> Result:
    words = [str(argument) for argument in arguments]
    return await asyncio.to_thread(CliRunner().invoke, group, words)


def ok(data: Any = None) -> dict[str, Any]:
    return {"status": "ok", "data": data or {}}


@pytest.mark.parametrize("is_public", [True, False])
@pytest.mark.parametrize(
    ("words", "topic", "fields", "shown"),
    [
        (["say", "Dinner", "is", "ready"], "say", {"text": "Dinner is ready"}, "ok: turn t1\n"),
        (["say", "--volume", "10", "Hush"], "say", {"text": "Hush", "volume": 10}, "ok: turn t1\n"),
        (["listen"], "listen", {}, "ok: it listens\n"),
        (["listen", "--seconds", "2.5"], "listen", {"timeout_ms": 2500}, "ok: it listens\n"),
        (["stop"], "stop", {}, "ok: it is silent\n"),
        (["reset"], "reset", {}, "ok: it remembers nothing of what was said\n"),
        (["reload"], "reload", {}, "ok: the file is read\n"),
    ],
)
async def test_a_request_and_its_response(
    words: list[str], topic: str, fields: Any, shown: str, is_public: bool, file: Path, broker: Broker
) -> None:
    async def answer(room: Room, asked: Seen) -> None:
        assert asked.topic == f"{BASE}request/{topic}"
        assert {key: value for key, value in asked.json.items() if key != "transaction"} == fields
        await room.tell(f"response/{topic}", {"status": "error", "error": "another's", "transaction": "other"})
        await room.respond(asked, ok({"turn_id": "t1"}), is_public=is_public)

    async with living(broker.port, answer):
        done = await run(words[0], file, *words[1:])
    assert (done.exit_code, done.output) == (0, shown)


async def test_the_response_can_be_shown_as_it_is(file: Path, broker: Broker) -> None:
    async with living(broker.port, lambda room, asked: room.respond(asked, ok({"turn_id": "t1"}))):
        done = await run("ask", file, "--json", "what", "time", "is", "it")
    assert json.loads(done.stdout) == ok({"turn_id": "t1"})


async def test_a_response_is_shown_with_its_umlauts(file: Path, broker: Broker) -> None:
    async with living(broker.port, lambda room, asked: room.respond(asked, ok({"turn_id": "tür"}))):
        done = await run("say", file, "--json", "Die Tür ist auf")
    assert "tür" in done.stdout


async def test_an_answer_is_shown_with_the_calls_that_led_to_it(file: Path, broker: Broker) -> None:
    async def answer(room: Room, asked: Seen) -> None:
        assert asked.json["instructions"] == "be brief"
        await room.respond(asked, ok({"turn_id": "t1"}))
        await room.tell("transcript", {"turn_id": "t0", "role": "assistant", "final": True, "text": "another's"})
        call = {"event_type": "tool_call", "turn_id": "t1", "name": "light", "arguments": {"area": "Küche"}}
        await room.tell("event", call | {"needs_approval": True, "call_id": "c1"})
        await room.tell("event", call)
        await room.tell("event", {"event_type": "error", "turn_id": "t1", "code": "timeout", "detail": "light: slow"})
        await room.tell("transcript", {"turn_id": "t1", "role": "assistant", "final": True, "text": "It is on."})
        await room.tell("event", {"event_type": "turn_finished", "turn_id": "t1"})

    async with living(broker.port, answer):
        done = await run("ask", file, "--instructions", "be brief", "light on")
    assert done.exit_code == 0
    assert done.stdout == "It is on.\n"
    assert done.stderr.splitlines() == [
        '[light {"area": "Küche"} waits for approval: c1]',
        '[light {"area": "Küche"}]',
        "[light: slow]",
    ]


@pytest.mark.parametrize(
    ("command", "told", "code", "shown"),
    [
        ("mute", ("mute/state", "ON"), 0, "ok: the microphone is closed"),
        ("unmute", ("mute/state", "OFF"), 0, "ok: the microphone is open"),
        ("unmute", ("event", {"event_type": "error", "code": "unmute_refused"}), 1, "only the switch"),
    ],
)
async def test_the_microphone(command: str, told: Any, code: int, shown: str, file: Path, broker: Broker) -> None:
    async def answer(room: Room, asked: Seen) -> None:
        assert (asked.topic, asked.payload) == (f"{BASE}mute/set", b"ON" if command == "mute" else b"OFF")
        await room.tell(*told)

    async with living(broker.port, answer):
        done = await run(command, file)
    assert done.exit_code == code
    assert shown in f"{done.output}{done.exception}"


async def test_what_goes_wrong_is_said(file: Path, broker: Broker) -> None:
    refusal = {"status": "error", "error": "the microphone is muted", "data": {}}
    async with living(broker.port, lambda room, asked: room.respond(asked, refusal)):
        done = await run("listen", file)
    assert str(done.exception) == "kitchen: the microphone is muted"
    async with living(broker.port):
        done = await run("stop", file, "--timeout", "0.2")
        assert str(done.exception) == "the room kitchen does not answer within 0.2 s: does it run?"
        done = await run("mute", file, "--timeout", "0.2")
        assert str(done.exception) == "the room kitchen does not answer within 0.2 s: does it run?"

    async def loses(room: Room, asked: Seen) -> None:
        await room.respond(asked, ok({"turn_id": "t1"}))
        lost = {"event_type": "error", "turn_id": "t1", "code": "turn_lost", "detail": "the turn was lost"}
        await room.tell("event", lost)

    async with living(broker.port, loses):
        done = await run("ask", file, "hello")
    assert str(done.exception) == "kitchen: the turn was lost"


@pytest.mark.parametrize("protocol", [5, 3])
@pytest.mark.parametrize("command", ["stop", "mute"])
async def test_a_room_that_the_broker_has_as_offline_is_not_waited_for(
    command: str, protocol: int, file: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "OFFLINE_S", 0.3)
    monkeypatch.setattr(module, "RESPONSE_S", 60.0)
    write(file, f"room: kitchen\nmqtt: {{port: {broker.port}, protocol: {protocol}}}\n")
    async with living(broker.port) as room:
        await room.tell("availability", "offline", retain=True)
        done = await asyncio.wait_for(run(command, file), 20)
    assert str(done.exception) == "the room kitchen is not running: the broker has it as offline"


async def test_a_room_that_comes_or_answers_is_not_called_offline(
    file: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "OFFLINE_S", 1.0)

    async def comes(room: Room, asked: Seen) -> None:
        await room.tell("availability", "online", retain=True)
        await asyncio.sleep(1.1)  # longer than the broker is believed
        await room.respond(asked, ok())

    for answer in (comes, lambda room, asked: room.respond(asked, ok())):
        async with living(broker.port, answer) as room:
            await room.tell("availability", "offline", retain=True)
            assert (await run("stop", file)).output == "ok: it is silent\n"


async def test_a_turn_without_end_and_a_broker_that_is_away(file: Path, broker: Broker) -> None:
    async with living(broker.port, lambda room, asked: room.respond(asked, ok({"turn_id": "t1"}))):
        done = await run("ask", file, "--timeout", "0.5", "hello")
    assert str(done.exception) == "no end of the turn within 0.5 s"
    write(file, f"room: kitchen\nmqtt: {{port: {broker.port}, username: me}}\n")
    assert "a user name needs its password" in str((await run("stop", file)).exception)
    write(file, "room: kitchen\nmqtt: {port: 1}\n")
    assert "127.0.0.1:1" in str((await run("stop", file)).exception)


def write(path: Path, text: str) -> None:
    path.write_text(text)
