"""Rows 5 to 12: one response at a time, tools, interruptions, and turns that end."""

import asyncio
import json
from typing import Any

import pytest

from tests.fakes.pipeline_house import House
from tests.fakes.realtime_server import Answer, Emit, Expect, Json, Pause, RealtimeServer, Script, emit, greet
from tests.fakes.until import until
from tests.session.node import call, committed, node, reply, spoken_turn
from tests.session.room import SECOND
from tests.system.pitfalls import VAD, VOICE, assert_next_turn_works, detected, error
from voice_node.model import control as ctl
from voice_node.model.turn import ReplyAudio, ServiceTrouble, ToolCall


async def test_row_05_a_response_that_the_service_began_makes_ours_wait() -> None:
    own = {"type": "response.created", "response": {"id": "own", "metadata": None}}
    over = {"type": "response.done", "response": {"id": "own", "status": "cancelled", "output": []}}

    def busy(create: Json) -> list[Json]:
        return [own, error("conversation_already_has_active_response", create["event_id"])]

    script = (
        *greet(),
        Expect("input_audio_buffer.commit"),
        committed("item_1"),
        Expect("response.create"),
        Answer(busy),
        Expect("response.cancel", lambda event: event["response_id"] == "own"),
        emit(over),
        Expect("response.create"),
        reply("resp_1"),
        *spoken_turn(2),
    )
    async with RealtimeServer(script) as server, node(server.url) as room:
        await room.say("t1")
        assert await room.ended(1) == [("t1", "completed")]
        assert [piece.response_id for piece in room.played if isinstance(piece, ReplyAudio)] == ["resp_1"]
        assert room.all(ServiceTrouble) == []
        await assert_next_turn_works(room)


async def test_row_05_two_turns_at_once_ask_one_after_the_other() -> None:
    script = (
        *greet(),
        *(Expect("conversation.item.create"), Expect("response.create")),
        reply("r1"),
        *(Expect("conversation.item.create"), Expect("response.create")),
        reply("r2"),
        *spoken_turn(3),
    )
    async with RealtimeServer(script) as server, node(server.url) as room:
        await room.inputs.put(ctl.AskText("t1", "one"))
        await room.inputs.put(ctl.AskText("t2", "two"))
        assert await room.ended(2) == [("t1", "completed"), ("t2", "completed")]
        await assert_next_turn_works(room)


# --- tools --------------------------------------------------------------------------------------------------------


async def test_row_06_a_result_goes_at_once_and_the_next_response_after_all_results_and_the_calling_one() -> None:
    announced = call("r1", "call_1", "call_2")
    go = asyncio.Event()
    script = (
        *greet(),
        *(Expect("conversation.item.create"), Expect("response.create")),
        Emit(announced.events[:-1]),
        Expect("conversation.item.create", lambda event: event["item"]["call_id"] == "call_1"),
        Expect("conversation.item.create", lambda event: event["item"]["call_id"] == "call_2"),
        Pause(go),
        Emit(announced.events[-1:]),
        Expect("response.create"),
        reply("r2"),
        *spoken_turn(3),
    )
    async with RealtimeServer(script) as server, node(server.url) as room:
        await room.inputs.put(ctl.AskText("t1", "lights on"))
        await until(lambda: len(room.all(ToolCall)) == 2)
        await room.inputs.put(ctl.AnswerCall("call_1", "{}"))
        await room.inputs.put(ctl.AnswerCall("call_2", "{}"))
        await until(lambda: len(server.events) == 5)
        await asyncio.sleep(0.1)  # time in which a wrong node would ask
        assert server.types()[-1] == "conversation.item.create"
        go.set()
        assert await room.ended(1) == [("t1", "completed")]
        assert [asked.call_id for asked in room.all(ToolCall)] == ["call_1", "call_2"]
        await assert_next_turn_works(room)


async def test_row_07_a_call_of_a_cancelled_response_is_not_made() -> None:
    half = {"type": "function_call", "call_id": "c", "name": "light", "arguments": '{"on": tr', "status": "incomplete"}
    ids = {"response_id": "r1", "output_index": 0, "item_id": "item_c"}
    script = (
        *greet(),
        *(Expect("conversation.item.create"), Expect("response.create")),
        emit(
            {"type": "response.created", "response": {"id": "r1", "metadata": {}}},
            {"type": "response.function_call_arguments.done", "call_id": "c", "arguments": '{"on": tr'} | ids,
            {"type": "response.output_item.done", "item": half} | ids,
            {"type": "response.done", "response": {"id": "r1", "status": "cancelled", "output": [half]}},
        ),
        *spoken_turn(2),
    )
    async with RealtimeServer(script) as server, node(server.url) as room:
        await room.inputs.put(ctl.AskText("t1", "lights on"))
        assert await room.ended(1) == [("t1", "cancelled")]
        assert room.all(ToolCall) == []
        await assert_next_turn_works(room)


@pytest.mark.parametrize("arguments", ['{"on": tr', "[]", "no JSON"])
async def test_row_07_arguments_that_cannot_be_used_are_answered_with_what_is_wrong(arguments: str) -> None:
    async with House().at_work() as house:
        house.pipes.tell(ToolCall("t1", "call_1", "light", arguments))
        await until(lambda: any(isinstance(value, ctl.AnswerCall) for value in house.session.inputs))
        (answer,) = [value for value in house.session.inputs if isinstance(value, ctl.AnswerCall)]
        assert "error" in json.loads(answer.output)
        assert house.broker.delivered == []


# --- interruptions ------------------------------------------------------------------------------------------------


def cut(played_ms: int, *expected: Expect) -> Script:
    """One second of a reply that is still under way when it is silenced."""
    return (
        *greet(),
        *(Expect("conversation.item.create"), Expect("response.create")),
        Emit(reply("r1", pcm=SECOND).events[:3]),
        Expect("response.cancel", lambda event: event["response_id"] == "r1"),
        *expected,
        Emit(reply("r1", pcm=SECOND).events[2:5]),
        emit({"type": "response.done", "response": {"id": "r1", "status": "cancelled", "output": []}}),
        *spoken_turn(2),
    )


async def assert_reply_is_silenced(server: RealtimeServer, played_ms: int, **values: Any) -> None:
    """Stop the reply when its sound has come; what comes late is not heard, and the next turn works."""
    async with server, node(server.url, **values) as room:
        await room.inputs.put(ctl.AskText("t1", "a story"))
        await until(lambda: bool(room.played))
        await room.inputs.put(ctl.StopReply("item_r1", played_ms))
        assert await room.ended(1) == [("t1", "cancelled")]
        assert len([piece for piece in room.played if isinstance(piece, ReplyAudio)]) == 1
        assert room.all(ServiceTrouble) == []
        await assert_next_turn_works(room)


def at(audio_end_ms: int) -> Expect:
    wanted = {"item_id": "item_r1", "content_index": 0, "audio_end_ms": audio_end_ms}
    return Expect("conversation.item.truncate", lambda event: wanted.items() <= event.items())


async def test_row_08_a_reply_is_cut_where_it_was_heard() -> None:
    await assert_reply_is_silenced(RealtimeServer(cut(400, at(400))), 400)


async def test_row_08_never_beyond_what_came() -> None:
    """57340 ms played of 1000 that came: all was heard, there is nothing to cut."""
    await assert_reply_is_silenced(RealtimeServer(cut(57340)), 57340)


async def test_row_09_what_nobody_heard_is_deleted_not_truncated() -> None:
    delete = Expect("conversation.item.delete", lambda event: event["item_id"] == "item_r1")
    await assert_reply_is_silenced(RealtimeServer(cut(0, delete)), 0)


async def test_row_10_a_cancel_that_crosses_the_end_of_the_response() -> None:
    done_first = reply("r1", pcm=SECOND).events
    script = (
        *greet(),
        *(Expect("conversation.item.create"), Expect("response.create")),
        Emit(done_first[:3]),
        Expect("response.cancel"),
        Answer(lambda cancel: [*(e for e in done_first[3:] if isinstance(e, dict)),
                               error("response_cancel_not_active", cancel["event_id"])]),
        *spoken_turn(2),
    )  # fmt: skip
    async with RealtimeServer(script) as server, node(server.url) as room:
        await room.inputs.put(ctl.AskText("t1", "a story"))
        await until(lambda: bool(room.played))
        await room.inputs.put(ctl.StopReply())
        await room.ended(1)
        await assert_next_turn_works(room)
        assert room.all(ServiceTrouble) == []


# --- turns that end -----------------------------------------------------------------------------------------------


async def test_row_11_too_little_is_not_committed() -> None:
    async with (
        RealtimeServer([*greet(), Expect("input_audio_buffer.clear"), *spoken_turn()]) as server,
        node(server.url) as room,
    ):
        await room.say("t1", bytes(4798))
        assert await room.ended(1) == [("t1", "empty")]
        await assert_next_turn_works(room)


async def test_row_11_a_service_that_heard_nothing() -> None:
    script = (
        *greet(),
        *(Expect("input_audio_buffer.commit"), Expect("response.create")),
        Answer(lambda _: [error("input_audio_buffer_commit_empty", commit_id(server))]),
        Answer(lambda create: [error("invalid_value", create["event_id"])]),
        *spoken_turn(2),
    )
    server = RealtimeServer(script)
    async with server, node(server.url) as room:
        await room.say("t1")
        assert await room.ended(1) == [("t1", "empty")]
        await assert_next_turn_works(room)


def commit_id(server: RealtimeServer) -> str:
    ids = [event["event_id"] for event in server.events if event["type"] == "input_audio_buffer.commit"]
    return str(ids[-1])


@pytest.mark.parametrize("kind", [VAD, {"type": "semantic_vad", "eagerness": "high"}])
async def test_row_12_the_service_hears_the_silence_that_the_gate_withholds(kind: dict[str, Any]) -> None:
    async with (
        RealtimeServer([*greet(), *detected(1), *detected(2)]) as server,
        node(server.url, turn_detection=kind) as room,
    ):
        await room.say("t1", VOICE)
        assert await room.ended(1) == [("t1", "completed")]
        await room.say("t2", VOICE)
        assert await room.ended(2) == [("t1", "completed"), ("t2", "completed")]
        assert server.types() == ["session.update"], "no commit and no response.create by hand"


async def test_row_12_a_service_that_never_ends_a_turn_is_not_waited_for() -> None:
    script = (*greet(), Expect("input_audio_buffer.clear"), *detected(2))
    async with RealtimeServer(script) as server, node(server.url, turn_detection=VAD, speed=20) as room:
        await room.say("t1", VOICE)
        assert await room.ended(1) == [("t1", "timeout")]
        await room.say("t2", VOICE)
        assert (await room.ended(2))[1:] == [("t2", "completed")]
