"""Rows 19 to 21: what fails for money, and what a turn costs."""

import time

import pytest

from tests.fakes.realtime_server import Answer, Close, Expect, Json, RealtimeServer, Stay, emit, greet
from tests.fakes.until import until
from tests.session.node import committed, node, spoken_turn
from tests.system.pitfalls import assert_next_turn_works
from voice_node.model.turn import LinkChanged, ServiceTrouble, TokenCount, TurnFinished
from voice_node.session.pricing import usd
from voice_node.session.retry import PAUSES_S


@pytest.mark.parametrize("code", ["insufficient_quota", "rate_limit_exceeded"])
async def test_row_19_a_failure_that_only_response_done_tells(code: str) -> None:
    details = {"type": "failed", "error": {"type": code, "code": code}}
    failed = {"id": "r1", "status": "failed", "status_details": details, "output": []}
    script = (
        *greet(),
        Expect("input_audio_buffer.commit"),
        committed("item_1"),
        Expect("response.create"),
        emit(
            {"type": "response.created", "response": {"id": "r1", "metadata": {}}},
            {"type": "response.done", "response": failed},
        ),
        *spoken_turn(2),
    )
    async with RealtimeServer(script) as server, node(server.url) as room:
        await room.say("t1")
        assert await room.ended(1) == [("t1", "failed")]
        assert [end.detail for end in room.all(TurnFinished)] == [code]
        assert [trouble.code for trouble in room.all(ServiceTrouble)] == [code]
        await assert_next_turn_works(room)


@pytest.mark.parametrize("code", ["insufficient_quota", "rate_limit_exceeded"])
async def test_row_19_a_service_that_lets_no_session_begin_is_not_stormed(
    code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice: as the answer to the settings, and of its own accord before the service closes by itself."""
    monkeypatch.setitem(PAUSES_S, code, 1.0)  # for a minute, which no test can wait
    created = {"type": "session.created", "session": {"id": "s", "type": "realtime"}}
    error: Json = {"type": "error", "event_id": "e", "error": {"type": code, "code": code, "message": "pay"}}

    def answered(update: Json) -> list[Json]:
        return [error | {"error": error["error"] | {"event_id": update["event_id"]}}]

    refused = (emit(created), Expect("session.update"), Answer(answered), Stay())
    closed = (emit(created, error), Expect("session.update"), Close(1011))
    async with RealtimeServer(refused, closed, (*greet(), *spoken_turn())) as server:
        began = time.monotonic()
        async with node(server.url) as room:
            await room.say("t1")
            assert await room.ended(1) == [("t1", "completed")]
            assert len(server.requests) == 3
            assert time.monotonic() - began > 2.0


async def test_row_20_old_turns_leave_the_conversation() -> None:
    delete = Expect("conversation.item.delete")
    script = (*greet(), *spoken_turn(1), *spoken_turn(2), delete, *spoken_turn(3), delete)
    async with RealtimeServer(script) as server, node(server.url, conversation={"keep_turns": 1}) as room:
        for turn_id in ("t1", "t2", "t3"):
            await assert_next_turn_works(room, turn_id)
        await until(lambda: server.types().count("conversation.item.delete") == 2)
        gone = [event["item_id"] for event in server.events if event["type"] == "conversation.item.delete"]
        assert gone == ["item_1", "item_2"]


async def test_row_20_nobody_speaks_and_the_session_ends() -> None:
    async with (
        RealtimeServer([*greet(), *spoken_turn()], [*greet(), *spoken_turn(2)]) as server,
        node(server.url, connect="on_speech", conversation={"idle_reset_s": 0.3}) as room,
    ):
        await assert_next_turn_works(room, "t1")
        await until(lambda: not room.all(LinkChanged)[-1].is_up)
        await assert_next_turn_works(room)


def test_row_21_cached_tokens_are_a_part_of_the_others() -> None:
    heard, said = TokenCount(1000, 2000, 800, 1500), TokenCount(100, 300)
    expected = (200 * 0.60 + 800 * 0.06 + 500 * 10 + 1500 * 0.30 + 100 * 2.40 + 300 * 20) / 1e6
    assert usd("gpt-realtime-2.1-mini", heard, said) == pytest.approx(expected)
    assert usd("gpt-transcribe", TokenCount(), TokenCount(), 60) == pytest.approx(0.0045)
