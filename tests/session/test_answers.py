"""What turns come to: responses and calls."""

import pytest

from tests.session.room import FAN, LIGHT, Room, done, kinds
from voice_node.model.turn import ReplyAudio, ResponseStatus, ServiceTrouble, ToolCall, TurnFinished
from voice_node.session import events as ev
from voice_node.session.unwanted import MOST_UNWANTED, TOO_MANY


@pytest.fixture
def room() -> Room:
    room = Room().up()
    room.take()
    return room


def begin(room: Room, turn_id: str = "t1", response_id: str = "r1") -> None:
    """A typed turn whose response began."""
    room.ask(turn_id)
    room.hear(ev.ResponseCreated(response_id, {"turn_id": turn_id}))
    room.take()


# --- tool calls ---------------------------------------------------------------------------------------------------


def test_a_call_that_is_announced_again_and_again(room: Room) -> None:
    begin(room)
    room.hear(ev.CallDone("r1", LIGHT), ev.CallDone("r1", LIGHT), done("r1", "t1", calls=(LIGHT, LIGHT)))
    room.hear(done("r1", "t1", calls=(LIGHT,)))
    assert [call.call_id for call in room.all(ToolCall)] == ["call_1"]


def test_results_at_once_and_one_response_after_all(room: Room) -> None:
    begin(room)
    room.hear(ev.CallDone("r1", LIGHT), ev.CallDone("r1", FAN))
    room.answer("call_2", "2")
    (output,) = room.take()
    assert isinstance(output, ev.CreateCallOutput)
    assert (output.call_id, output.output) == ("call_2", "2")
    room.answer("call_1", "1")
    assert kinds(room.take()) == ["CreateCallOutput"], "the calling response still runs"
    room.hear(done("r1", "t1", calls=(LIGHT, FAN)))
    assert kinds(room.take()) == ["CreateResponse"]
    room.reply("r2", "t1")
    assert room.ends() == [("t1", "completed")]
    assert room.take() == []


def test_results_after_the_response(room: Room) -> None:
    begin(room)
    room.hear(done("r1", "t1", calls=(LIGHT, FAN)))
    room.answer("call_1")
    assert kinds(room.take()) == ["CreateCallOutput"]
    room.answer("call_2")
    assert kinds(room.take()) == ["CreateCallOutput", "CreateResponse"]


def test_a_result_is_posted_once(room: Room) -> None:
    begin(room)
    room.hear(done("r1", "t1", calls=(LIGHT, FAN)))
    room.answer("call_1")
    room.answer("call_1")
    room.answer("call_9")
    assert kinds(room.take()) == ["CreateCallOutput"]


def test_calls_upon_calls(room: Room) -> None:
    begin(room)
    room.hear(done("r1", "t1", calls=(LIGHT,)))
    room.answer("call_1")
    room.hear(ev.ResponseCreated("r2", {"turn_id": "t1"}), ev.CallDone("r2", FAN), done("r2", "t1", calls=(FAN,)))
    assert room.ends() == []
    room.answer("call_2")
    room.reply("r3", "t1")
    assert room.ends() == [("t1", "completed")]
    assert kinds(room.take()) == ["CreateCallOutput", "CreateResponse"] * 2


@pytest.mark.parametrize("status", [ResponseStatus.CANCELLED, ResponseStatus.INCOMPLETE, ResponseStatus.FAILED])
def test_a_response_that_broke_off_is_not_taken_further(room: Room, status: ResponseStatus) -> None:
    begin(room)
    room.hear(ev.CallDone("r1", LIGHT), done("r1", "t1", status=status))
    room.answer("call_1")
    assert kinds(room.take()) == ["CreateCallOutput"]
    assert room.ends() == [("t1", str(status))]


def test_a_refused_result_loses_its_turn_and_cancels_its_response(room: Room) -> None:
    begin(room)
    room.hear(ev.CallDone("r1", LIGHT))
    room.answer("call_1")
    (output,) = room.all(ev.CreateCallOutput)
    room.take()
    room.hear(ev.ServerError("invalid_value", "no", output.event_id))
    assert room.ends() == [("t1", "refused")]
    assert kinds(room.take()) == ["CancelResponse"]


@pytest.mark.parametrize("is_announced", [True, False])
def test_a_response_of_60_calls_makes_16_and_the_others_are_refused(room: Room, is_announced: bool) -> None:
    begin(room)
    calls = tuple(ev.FunctionCall(f"c{i}", "light", "{}") for i in range(60))
    if is_announced:
        room.hear(*(ev.CallDone("r1", call) for call in calls))
    room.hear(done("r1", "t1", calls=calls))
    made = [call.call_id for call in room.all(ToolCall)]
    assert made == [f"c{i}" for i in range(16)]
    assert [trouble.code for trouble in room.all(ServiceTrouble)] == ["too_many_calls"]
    assert [sent.call_id for sent in room.all(ev.CreateCallOutput)] == [f"c{i}" for i in range(16, 60)]
    room.take()
    for call_id in made:
        assert room.ends() == []
        room.answer(call_id)
    assert kinds(room.take()) == ["CreateCallOutput"] * 16 + ["CreateResponse"]
    room.hear(ev.ResponseCreated("r2", {"turn_id": "t1"}), ev.CallDone("r2", LIGHT), done("r2", "t1", calls=(LIGHT,)))
    room.answer(LIGHT.call_id)
    room.reply("r3", "t1")
    assert room.ends() == [("t1", "completed")]
    assert room.close is None


@pytest.mark.parametrize("is_announced", [True, False])
@pytest.mark.parametrize("turn_id", ["t1", "nobody's"])
def test_calls_without_end_end_the_connection(room: Room, turn_id: str, is_announced: bool) -> None:
    begin(room)
    calls = tuple(ev.FunctionCall(f"c{i}", "light", "{}") for i in range(5000))
    response_id = "r1" if turn_id == "t1" else "r9"
    if is_announced:
        room.hear(*(ev.CallDone(response_id, call) for call in calls))
    else:
        room.hear(done(response_id, turn_id, calls=calls))
    assert len(room.all(ToolCall)) == (16 if turn_id == "t1" else 0)
    assert len(room.all(ev.CreateCallOutput)) <= MOST_UNWANTED
    assert room.close == TOO_MANY
    room.down(room.close)
    assert room.ends() == ([("t1", "disconnected")] if turn_id == "t1" else [])


def test_a_finished_turn_names_the_conversation_of_its_last_response(room: Room) -> None:
    begin(room)
    room.hear(ev.ResponseDone("r1", ResponseStatus.COMPLETED, calls=(LIGHT,), conversation_id="conv_1"))
    room.answer("call_1")
    room.hear(ev.ResponseCreated("r2", {"turn_id": "t1"}))
    room.hear(ev.ResponseDone("r2", ResponseStatus.COMPLETED, conversation_id="conv_2"))
    room.announce("t2")
    room.reply("r3", "t2")
    assert [(end.turn_id, end.conversation_id) for end in room.all(TurnFinished)] == [("t1", "conv_2"), ("t2", None)]


# --- one response at a time ---------------------------------------------------------------------------------------


def test_the_next_turn_waits_for_the_response(room: Room) -> None:
    begin(room)
    room.say("t2")
    assert kinds(room.take()) == ["AppendAudio", "CommitAudio"]
    room.hear(done("r1", "t1"))
    assert kinds(room.take()) == ["CreateResponse"]


def test_the_server_was_busy_with_a_response_of_its_own(room: Room) -> None:
    room.ask("t1")
    (create,) = room.all(ev.CreateResponse)
    room.take()
    room.hear(ev.ServerError("conversation_already_has_active_response", "no", create.event_id))
    assert room.take() == []
    room.hear(done("own", "", status=ResponseStatus.CANCELLED))
    assert kinds(room.take()) == ["CreateResponse"]
    room.reply("r1", "t1")
    assert room.ends() == [("t1", "completed")]


def test_the_servers_own_response_was_taken_for_ours(room: Room) -> None:
    room.ask("t1")
    (create,) = room.all(ev.CreateResponse)
    room.hear(ev.ResponseCreated("own", {}))
    room.hear(ev.ServerError("conversation_already_has_active_response", "no", create.event_id))
    room.take()
    room.hear(ev.ReplyAudioDelta("own", "i", b"12"), ev.ResponseDone("own", ResponseStatus.CANCELLED))
    assert room.all(ReplyAudio) == []
    assert room.ends() == []
    assert kinds(room.take()) == ["CreateResponse"]
    room.reply("r1", "t1")
    assert room.ends() == [("t1", "completed")]


def test_a_response_nobody_asked_for_is_cancelled_and_not_heard(room: Room) -> None:
    room.hear(ev.ResponseCreated("own", {}), ev.ReplyAudioDelta("own", "i", b"12"), ev.CallDone("own", LIGHT))
    room.hear(ev.ReplyTextDone("own", "i", "hello"), ev.ResponseDone("own", ResponseStatus.COMPLETED, calls=(LIGHT,)))
    assert kinds(room.take()) == ["CancelResponse", "CreateCallOutput"]
    assert room.audio == []
    assert room.all(ToolCall) == []
    assert room.ends() == []


def test_a_refused_request_loses_its_turn_and_the_next_goes_on(room: Room) -> None:
    room.ask("t1")
    room.ask("t2")
    create = room.all(ev.CreateResponse)[0]
    room.take()
    room.hear(ev.ServerError("invalid_value", "no", create.event_id))
    assert room.ends() == [("t1", "refused")]
    assert kinds(room.take()) == ["CreateText", "CreateResponse"]


def test_an_empty_commit_loses_its_turn_and_the_next_goes_on(room: Room) -> None:
    room.say("t1")
    (commit,) = room.all(ev.CommitAudio)
    (create,) = room.all(ev.CreateResponse)
    room.ask("t2")
    room.take()
    room.hear(ev.ServerError("input_audio_buffer_commit_empty", "no", commit.event_id))
    assert room.ends() == [("t1", "empty")]
    room.hear(ev.ServerError("invalid_value", "nothing to answer", create.event_id))
    assert kinds(room.take()) == ["CreateText", "CreateResponse"], "t2 must not wait for an answer that never comes"
    assert room.ends() == [("t1", "empty")]


def test_an_empty_commit_whose_response_begins_is_cancelled(room: Room) -> None:
    room.say("t1")
    (commit,) = room.all(ev.CommitAudio)
    room.hear(ev.ServerError("input_audio_buffer_commit_empty", "no", commit.event_id))
    room.take()
    room.hear(ev.ResponseCreated("r1", {"turn_id": "t1"}))
    assert kinds(room.take()) == ["CancelResponse"]
    room.hear(ev.ReplyAudioDelta("r1", "i", b"12"), done("r1", "t1", status=ResponseStatus.CANCELLED))
    assert room.audio == []
    assert room.ends() == [("t1", "empty")]


def test_a_late_refusal_does_not_end_a_turn_twice(room: Room) -> None:
    room.say("t1")
    (commit,) = room.all(ev.CommitAudio)
    room.heard("i1")
    room.reply("r1", "t1")
    room.hear(ev.ServerError("server_error", "late", commit.event_id))
    assert room.ends() == [("t1", "completed")]


# --- stop ---------------------------------------------------------------------------------------------------------


def test_stop_cancels_and_drops_what_comes_late(room: Room) -> None:
    begin(room)
    room.hear(ev.ReplyAudioDelta("r1", "i1", b"12"))
    room.stop()
    (cancel,) = room.take()
    assert isinstance(cancel, ev.CancelResponse)
    assert cancel.response_id == "r1"
    room.hear(ev.ReplyAudioDelta("r1", "i1", b"34"), ev.CallDone("r1", LIGHT))
    room.hear(done("r1", "t1", status=ResponseStatus.CANCELLED))
    assert [piece.pcm for piece in room.all(ReplyAudio)] == [b"12"]
    assert room.all(ToolCall) == []
    assert room.ends() == [("t1", "cancelled")]


def test_stop_before_the_response_began(room: Room) -> None:
    room.ask("t1")
    room.take()
    room.stop()
    assert room.take() == []
    room.hear(ev.ResponseCreated("r1", {"turn_id": "t1"}))
    assert kinds(room.take()) == ["CancelResponse"]
    room.hear(done("r1", "t1", status=ResponseStatus.CANCELLED))
    assert room.ends() == [("t1", "cancelled")]


def test_stop_while_a_tool_works(room: Room) -> None:
    begin(room)
    room.hear(done("r1", "t1", calls=(LIGHT,)))
    room.stop()
    room.answer("call_1")
    assert kinds(room.take()) == ["CreateCallOutput"], "the model is told, and not asked to speak"
    assert room.ends() == [("t1", "cancelled")]


def test_stop_that_crosses_the_end_of_the_response(room: Room) -> None:
    begin(room)
    room.stop()
    (cancel,) = room.all(ev.CancelResponse)
    room.hear(done("r1", "t1"))
    room.hear(ev.ServerError("response_cancel_not_active", "no", cancel.event_id))
    assert room.ends() == [("t1", "completed")]
    room.ask("t2")
    room.reply("r2", "t2")
    assert room.ends()[1:] == [("t2", "completed")]


def test_stop_leaves_what_waits(room: Room) -> None:
    begin(room)
    room.ask("t2")
    room.stop()
    room.hear(done("r1", "t1", status=ResponseStatus.CANCELLED))
    room.reply("r2", "t2")
    assert room.ends() == [("t1", "cancelled"), ("t2", "completed")]


def test_stop_when_nothing_is_said(room: Room) -> None:
    room.stop()
    assert room.take() == []


def test_a_stopped_turn_is_not_said_again_on_the_next_connection(room: Room) -> None:
    room.say("t1")
    room.stop()
    room.down()
    assert room.ends() == [("t1", "cancelled")]
    room.take()
    room.up()
    assert kinds(room.take()) == ["UpdateSession"]
