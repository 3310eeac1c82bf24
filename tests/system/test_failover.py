"""A room whose service is away, refuses, is slow or is spent answers from the local engine, and goes back."""

from pathlib import Path

import pytest

from tests.fakes import broker as fake
from tests.fakes.broker import Broker
from tests.fakes.proxy import FaultProxy
from tests.fakes.realtime_server import Expect, RealtimeServer, Refuse, Stay, emit, greet
from tests.system.cuts import SERVICE_SAYS, cut
from tests.system.house import BASE, DEADLINE_S, Program, calls, event, events, home, met, recording, state, write_room
from tests.system.soak_server import SoakServer

pytestmark = [
    pytest.mark.skipif(bool(fake.ABSENT), reason=fake.ABSENT),
]
ASK = BASE + "request/ask"
SENTENCE = '{"text": "turn on the kitchen light"}'
NOTICE = "The service is away. I can still do simple things."
FALLBACK = {"provider": "local", "after_ms": 1500}
DOOR = {
    "name": "unlock_door",
    "description": "Unlock the front door.",
    "confirm": "mqtt",
    "sentences": ["unlock the door"],
}


@pytest.fixture(autouse=True)
def needs_the_extra() -> None:
    pytest.importorskip("hassil", reason="the extra `local` is not installed")


def session(url: str) -> dict[str, object]:
    return {"provider": "custom", "url": url, "output_modalities": ["text"], "connect": "always"}


@pytest.mark.slow
async def test_ten_cuts_in_the_middle_of_what_is_said(tmp_path: Path) -> None:
    pytest.importorskip("pocketsphinx", reason="the extra `local` is not installed")
    outcome = await cut(tmp_path, 10, pause_s=2.0)
    print(outcome)  # noqa: T201 - pytest shows it on failure
    assert outcome.failures == []
    assert outcome.by_local > 5


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.timeout(1500)
async def test_a_hundred_cuts_in_the_middle_of_what_is_said(tmp_path: Path) -> None:
    pytest.importorskip("pocketsphinx", reason="the extra `local` is not installed")
    outcome = await cut(tmp_path, 100)
    print(outcome)  # noqa: T201 - pytest shows it on failure
    assert outcome.failures == []
    assert outcome.by_local > 80


@pytest.mark.slow
async def test_away_and_back(tmp_path: Path, broker: Broker) -> None:
    async with SoakServer(SERVICE_SAYS) as server, FaultProxy(server.port) as proxy:
        room = write_room(
            tmp_path, broker.port, session=session(f"ws://127.0.0.1:{proxy.port}/v1/realtime"), fallback=FALLBACK
        )
        async with home(broker.port) as spy:
            with Program(tmp_path, "run", room) as node:
                await met(spy, lambda seen: seen.topic == BASE + "info" and "session_id" in seen.json)
                await spy.publish(ASK, SENTENCE)
                await event(spy, "turn_finished")
                assert [call["arguments"] for call in calls(spy)] == [SERVICE_SAYS]
                proxy.refuse()
                proxy.reset()
                await met(spy, lambda seen: seen.topic == BASE + "info" and seen.json["provider"] == "local")
                for number in (2, 3):
                    await spy.publish(ASK, SENTENCE)
                    await met(spy, lambda _: len(calls(spy)) == number)  # noqa: B023 - waited for here
                assert calls(spy)[1]["arguments"] == {"area": "kitchen", "state": "on"}
                await event(spy, "response", text=NOTICE)
                count = len(spy.on(BASE + "info"))
                proxy.heal()
                await met(spy, lambda _: any(i.json["provider"] == "custom" for i in spy.on(BASE + "info")[count:]))
                await spy.publish(ASK, SENTENCE)
                await met(spy, lambda _: len(calls(spy)) == 4)
                assert calls(spy)[3]["arguments"] == SERVICE_SAYS
                words = [seen.json for seen in spy.on(BASE + "transcript")]
                assert [w["provider"] for w in words if w["text"] == NOTICE] == ["local"]
                assert {w["provider"] for w in words} == {"local", "custom"}
                (told,) = events(spy, "error")
                assert told["code"] == "service_away"
                assert [s.json["state"] for s in spy.on(BASE + "state")].count("offline") == 0
                assert node.is_running
        assert "Traceback" not in node.log


@pytest.mark.slow
async def test_a_key_that_is_refused_leaves_the_room_alive(tmp_path: Path, broker: Broker) -> None:
    async with RealtimeServer([Refuse(401)]) as server:
        room = write_room(tmp_path, broker.port, session=session(server.url), fallback=FALLBACK)
        async with home(broker.port) as spy:
            with Program(tmp_path, "run", room) as node:
                told = await event(spy, "error", code="service_away")
                assert "HTTP 401" in told["detail"]
                await spy.publish(ASK, SENTENCE)
                await event(spy, "turn_finished", status="completed")
                assert [call["name"] for call in calls(spy)] == ["set_light"]
                assert node.is_running


@pytest.mark.slow
async def test_a_service_that_is_too_slow_hands_over(tmp_path: Path, broker: Broker) -> None:
    slow = (*greet(), Expect("conversation.item.create"), Expect("response.create"), Stay())
    async with RealtimeServer(slow, (*greet(), Stay()), is_endless=True) as server:
        room = write_room(tmp_path, broker.port, session=session(server.url), fallback=FALLBACK)
        async with home(broker.port) as spy:
            with Program(tmp_path, "run", room):
                await state(spy, "idle")
                await met(spy, lambda seen: seen.topic == BASE + "info" and "session_id" in seen.json)
                await spy.publish(ASK, SENTENCE)
                told = await event(spy, "error", code="service_away")
                assert "too slow" in told["detail"]
                await event(spy, "turn_finished", status="completed")
                assert [call["arguments"] for call in calls(spy)] == [{"area": "kitchen", "state": "on"}]


async def test_a_service_without_quota_hands_over_at_once(tmp_path: Path, broker: Broker) -> None:
    failed = {"status": "failed", "status_details": {"type": "failed", "error": {"code": "insufficient_quota"}}}
    script = (
        *greet(),
        Expect("conversation.item.create"),
        Expect("response.create"),
        emit(
            {"type": "response.created", "response": {"id": "resp_1", "metadata": {}}},
            {"type": "response.done", "response": {"id": "resp_1", "output": []} | failed},
        ),
    )
    async with RealtimeServer(script) as server:
        room = write_room(tmp_path, broker.port, session=session(server.url), fallback=FALLBACK)
        async with home(broker.port) as spy:
            with Program(tmp_path, "run", room):
                await met(spy, lambda seen: seen.topic == BASE + "info" and "session_id" in seen.json)
                await spy.publish(ASK, SENTENCE)
                told = await event(spy, "error", code="service_away")
                assert "insufficient_quota" in told["detail"]
                await event(spy, "turn_finished", status="completed")
                assert len(calls(spy)) == 1


@pytest.mark.slow
async def test_a_spent_budget_keeps_what_is_said_in_the_house(tmp_path: Path, broker: Broker) -> None:
    pytest.importorskip("pocketsphinx", reason="the extra `local` is not installed")
    sound = recording(tmp_path / "talk.wav", 3.0, 1, 4.0, 1, 60.0)
    async with SoakServer(SERVICE_SAYS) as server:
        room = write_room(
            tmp_path,
            broker.port,
            capture={"device": f"wav:{sound}", "echo": "off"},
            session=session(f"ws://127.0.0.1:{server.port}/v1/realtime"),
            budget={"minutes_per_day": 0.01},
            fallback=FALLBACK,
        )
        async with home(broker.port) as spy:
            with Program(tmp_path, "run", room):
                await event(spy, "response", text="Today's budget is spent. I can still do simple things.")
                first, second = calls(spy)
                assert first["arguments"] == SERVICE_SAYS
                assert second["arguments"] == {"area": "kitchen", "state": "on"}
                assert sum(len(talk.calls) for talk in server.talks) == 1
                await state(spy, "over_budget")
                await spy.publish(ASK, SENTENCE)
                await met(spy, lambda _: len(calls(spy)) == 3)


@pytest.mark.slow
async def test_what_somebody_must_confirm_is_not_offered_offline(
    tmp_path: Path, broker: Broker, free_port: int
) -> None:
    place = f"ws://127.0.0.1:{free_port}/v1/realtime"
    tools = [DOOR, DOOR | {"name": "open_garage", "offline": True, "sentences": ["open the garage"]}]
    room = write_room(tmp_path, broker.port, session=session(place), fallback=FALLBACK, tools=tools)
    async with home(broker.port) as spy:
        with Program(tmp_path, "run", room):
            await event(spy, "error", DEADLINE_S, code="service_away")
            await spy.publish(ASK, '{"text": "unlock the door"}')
            await event(spy, "turn_finished")
            await spy.publish(ASK, '{"text": "open the garage"}')
            held = await event(spy, "tool_call")
            assert held["name"] == "open_garage"
            assert calls(spy) == [], "and its policy holds: nobody approved it"
