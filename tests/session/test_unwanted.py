"""Calls that come when nobody wants them any more: each gets one output all the same, and nothing is done."""

import json

import pytest

from tests.session.room import Room, done
from voice_node.model.control import EndTurn
from voice_node.model.turn import ResponseStatus, ToolCall
from voice_node.session import events as ev
from voice_node.session.unwanted import ABANDONED, UNWANTED

LIGHT = ev.FunctionCall("c1", "light", "{}")


@pytest.fixture
def room() -> Room:
    return Room().up()


def outputs(room: Room) -> list[tuple[str, str]]:
    return [(sent.call_id, json.loads(sent.output)["error"]) for sent in room.all(ev.CreateCallOutput)]


def test_a_call_that_crosses_a_stop_is_refused_once_however_often_it_is_told(room: Room) -> None:
    room.ask("t1")
    room.hear(ev.ResponseCreated("r1", {"turn_id": "t1"}))
    room.stop()
    room.hear(ev.CallDone("r1", LIGHT), ev.CallDone("r1", LIGHT), done("r1", "t1", calls=(LIGHT,)))
    assert outputs(room) == [("c1", "refused: the answer is not wanted any more")]
    assert room.all(ToolCall) == []
    assert room.ends() == [("t1", "completed")]  # the service was faster than the stop
    assert [type(sent) for sent in room.all(ev.CreateResponse)] == [ev.CreateResponse]


def test_a_call_for_a_turn_that_was_lost_is_refused() -> None:
    room = Room(patience_s=4.0).up()
    room.ask("t1")
    room.hear(ev.ResponseCreated("r1", {"turn_id": "t1"}))
    room.wait(5.0)  # somebody else answers
    assert [returned.turn_id for returned in room.returned] == ["t1"]
    room.hear(ev.CallDone("r1", LIGHT), done("r1", "t1", calls=(LIGHT, ev.FunctionCall("c2", "light", "{}"))))
    assert [call_id for call_id, _ in outputs(room)] == ["c1", "c2"]
    assert room.all(ToolCall) == []


def test_a_call_that_was_answered_and_is_told_again_late_gets_no_second_output(room: Room) -> None:
    room.ask("t1")
    room.hear(ev.ResponseCreated("r1", {"turn_id": "t1"}), done("r1", "t1", calls=(LIGHT,)))
    room.answer("c1", '{"result": "on", "error": ""}')
    room.reply("r2", "t1")
    assert room.ends() == [("t1", "completed")]
    room.hear(ev.CallDone("r1", LIGHT))
    assert [call_id for call_id, _ in outputs(room)] == ["c1"]


def test_the_end_of_one_turn_leaves_the_others_alone(room: Room) -> None:
    room.ask("t1")
    room.hear(ev.ResponseCreated("r1", {"turn_id": "t1"}), done("r1", "t1", calls=(LIGHT,)))
    room.say("t2")
    room.heard("i2", "and now?")
    room.hear(ev.ResponseCreated("r2", {"turn_id": "t2"}))
    room.put(EndTurn("t1"))
    assert room.all(ev.CancelResponse) == []
    room.answer("c1", '{"error": "refused"}')
    assert room.ends() == [("t1", "cancelled")]
    room.hear(done("r2", "t2"))
    assert room.ends() == [("t1", "cancelled"), ("t2", "completed")]


def test_the_end_of_the_turn_that_is_answered_cancels_its_response(room: Room) -> None:
    room.ask("t1")
    room.hear(ev.ResponseCreated("r1", {"turn_id": "t1"}))
    room.put(EndTurn("t1"), EndTurn("t9"))
    assert [sent.response_id for sent in room.all(ev.CancelResponse)] == ["r1"]


@pytest.mark.parametrize("status", [ResponseStatus.COMPLETED, ResponseStatus.CANCELLED, ResponseStatus.FAILED])
def test_a_call_of_a_response_that_the_service_began_by_itself_is_refused_at_its_end(
    room: Room, status: ResponseStatus
) -> None:
    room.hear(ev.ResponseCreated("r9", {}), ev.CallDone("r9", LIGHT), ev.CallDone("r9", LIGHT))
    assert outputs(room) == []
    calls = (LIGHT,) if status is ResponseStatus.COMPLETED else ()
    room.hear(done("r9", "", status=status, calls=calls), ev.CallDone("r9", LIGHT))
    assert outputs(room) == [("c1", UNWANTED)]
    room.hear(ev.CallDone("r9", ev.FunctionCall("c2", "light", "{}")))
    assert [call_id for call_id, _ in outputs(room)] == ["c1", "c2"], "its response is over"
    assert room.all(ToolCall) == []


def test_a_response_that_says_at_its_end_whose_it_is_makes_its_calls(room: Room) -> None:
    room.ask("t1")
    room.hear(ev.CallDone("r1", LIGHT), done("r1", "t1", calls=(LIGHT,)))
    assert [call.call_id for call in room.all(ToolCall)] == ["c1"]
    assert outputs(room) == []
    room.answer("c1", '{"error": "asked"}')
    assert outputs(room) == [("c1", "asked")]


def test_what_is_nobodys_is_forgotten_with_its_connection(room: Room) -> None:
    room.hear(ev.ResponseCreated("r9", {}), ev.CallDone("r9", LIGHT))
    room.down()
    room.up()
    room.hear(done("r9", ""))
    assert outputs(room) == []


def test_the_output_of_a_lost_turn_leaves_the_conversation_with_it() -> None:
    room = Room(conversation={"keep_turns": 1}).up()
    room.ask("t1")
    room.hear(ev.ResponseCreated("r1", {"turn_id": "t1"}), done("r1", "t1", calls=(LIGHT,)))
    room.wait(91)
    (sent,) = room.all(ev.CreateCallOutput)
    assert outputs(room) == [("c1", ABANDONED)]
    assert room.ends() == [("t1", "timeout")]
    for turn_id in ("t2", "t3"):
        room.ask(turn_id)
        room.reply(f"r{turn_id}", turn_id)
    assert sent.item_id in {event.item_id for event in room.all(ev.DeleteItem)}
