"""Tools that the service itself runs: it asks for leave, gets one answer, and the model is asked to go on."""

import json
from typing import Any

import pytest

from tests.session.room import Room, done, kinds
from voice_node.model.control import AnswerApproval, AnswerCall
from voice_node.model.turn import ApprovalWanted, ReplyStarted, ResponseStatus, ServiceTrouble, ToolCall, TurnFinished
from voice_node.session import events as ev
from voice_node.session.answers import CALL_PATIENCE_S, RUN_PATIENCE_S, SERVICE_PATIENCE_S
from voice_node.session.service_calls import MOST_REQUESTS, MOST_ROUNDS
from voice_node.session.wire_common import decode

REQUEST = ev.ApprovalRequest("mcpr_1", "news", "search", '{"query": "rain"}')
ITEM = {
    "type": "mcp_approval_request",
    "id": "mcpr_1",
    "server_label": "news",
    "name": "search",
    "arguments": '{"query": "rain"}',
}
CALL = {"type": "mcp_call", "id": "mcp_1", "server_label": "news", "name": "search", "arguments": "{}", "output": "wet"}


@pytest.fixture
def room() -> Room:
    room = Room().up()
    room.ask("t1")
    room.hear(ev.ResponseCreated("r1", {"turn_id": "t1"}))
    room.take()
    return room


def asks(room: Room, *, is_announced: bool = True, is_done: bool = True) -> None:
    """The response of the first turn wants one call of the service's own, as OpenAI tells it."""
    if is_announced:
        room.hear(ev.ServiceActs("mcp_1", "r1"))
    room.hear(ev.ApprovalAsked("", REQUEST))
    if is_done:
        room.hear(done("r1", "t1"))


def decide(room: Room, *, is_approved: bool, request_id: str = "mcpr_1") -> list[ev.ClientEvent]:
    room.put(AnswerApproval(request_id, is_approved, None if is_approved else "refused: nobody said yes"))
    return room.take()


# --- the wire -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"type": "conversation.item.done", "item": ITEM}, ev.ApprovalAsked("", REQUEST)),
        ({"type": "response.output_item.done", "response_id": "r1", "item": ITEM}, ev.ApprovalAsked("r1", REQUEST)),
        ({"type": "conversation.item.done", "item": CALL}, ev.ServiceActed("mcp_1")),
        ({"type": "conversation.item.done", "item": CALL | {"error": {"type": "x"}}}, ev.ServiceActed("mcp_1", False)),
        ({"type": "response.output_item.done", "response_id": "r1", "item": CALL}, ev.ServiceActed("mcp_1")),
        (
            {"type": "response.mcp_call_arguments.done", "response_id": "r1", "item_id": "mcp_1", "arguments": "{}"},
            ev.ServiceActs("mcp_1", "r1"),
        ),
        ({"type": "response.mcp_call.in_progress", "item_id": "mcp_1"}, ev.ServiceActs("mcp_1")),
        ({"type": "response.mcp_call.completed", "item_id": "mcp_1"}, ev.ServiceActed("mcp_1")),
        ({"type": "response.mcp_call.failed", "item_id": "mcp_1"}, ev.ServiceActed("mcp_1", False)),
        ({"type": "mcp_list_tools.failed", "item_id": "mcpl_1"}, ev.ToolsUnlisted()),
        # announced, and not whole yet
        ({"type": "conversation.item.added", "item": ITEM}, ev.Ignored("conversation.item.added")),
        (
            {"type": "conversation.item.done", "item": {"type": "message", "id": "i"}},
            ev.Ignored("conversation.item.done"),
        ),
        (
            {"type": "conversation.item.done", "item": {"type": "mcp_list_tools", "id": "i", "tools": []}},
            ev.Ignored("conversation.item.done"),
        ),
    ],
)
def test_what_the_service_says_of_its_own_calls(event: dict[str, Any], expected: ev.ServerEvent) -> None:
    assert decode(json.dumps(event)) == expected


@pytest.mark.parametrize("key", ["id", "server_label", "name"])
@pytest.mark.parametrize("value", [None, 5, "x" * 300])
def test_a_request_that_cannot_be_read_is_malformed(key: str, value: Any) -> None:
    read = decode(json.dumps({"type": "conversation.item.done", "item": ITEM | {key: value}}))
    assert isinstance(read, ev.Malformed)


def test_the_end_of_a_response_tells_its_requests() -> None:
    response = {"id": "r1", "status": "completed", "output": [ITEM, CALL, 5, ITEM | {"id": None}]}
    read = decode(json.dumps({"type": "response.done", "response": response}))
    assert isinstance(read, ev.ResponseDone)
    assert read.approvals == (REQUEST,)
    cut = decode(json.dumps({"type": "response.done", "response": response | {"status": "cancelled"}}))
    assert isinstance(cut, ev.ResponseDone)
    assert cut.approvals == ()


# --- one answer for each request ----------------------------------------------------------------------------------


def test_a_request_is_told_once_however_often_it_is_announced(room: Room) -> None:
    asks(room, is_done=False)
    room.hear(ev.ApprovalAsked("r1", REQUEST), ev.ApprovalAsked("", REQUEST))
    room.perform(
        room.protocol.receive(
            ev.ResponseDone("r1", ResponseStatus.COMPLETED, metadata={"turn_id": "t1"}, approvals=(REQUEST,)), room.now
        )
    )
    assert room.all(ApprovalWanted) == [ApprovalWanted("t1", "mcpr_1", "news", "search", '{"query": "rain"}')]
    assert room.take() == [], "the model waits"
    assert room.ends() == []


@pytest.mark.parametrize("is_announced", [True, False])
def test_a_yes_lets_the_service_call_and_then_the_model_is_asked(room: Room, is_announced: bool) -> None:
    asks(room, is_announced=is_announced)
    (allowed,) = decide(room, is_approved=True)
    assert isinstance(allowed, ev.CreateApproval)
    assert (allowed.request_id, allowed.is_approved, allowed.reason) == ("mcpr_1", True, None)
    room.hear(ev.ServiceActs("mcp_1"))
    room.wait(5)
    assert room.take() == [], "the service is at it"
    room.hear(ev.ServiceActed("mcp_1"))
    room.hear(ev.ServiceActed("mcp_1"))
    assert kinds(room.take()) == ["CreateResponse"]
    room.reply("r2", "t1", text="It will rain.")
    assert room.ends() == [("t1", "completed")]


def test_a_no_goes_with_its_reason_and_the_model_is_asked(room: Room) -> None:
    asks(room)
    refused, create = decide(room, is_approved=False)
    assert isinstance(refused, ev.CreateApproval)
    assert (refused.is_approved, refused.reason) == (False, "refused: nobody said yes")
    assert isinstance(create, ev.CreateResponse)
    room.reply("r2", "t1")
    assert room.ends() == [("t1", "completed")]


def test_a_second_answer_is_none(room: Room) -> None:
    asks(room)
    decide(room, is_approved=False)
    assert decide(room, is_approved=True) == []
    assert decide(room, is_approved=True, request_id="another") == []


def test_an_answer_to_a_call_is_none_to_a_request(room: Room) -> None:
    asks(room)
    room.put(AnswerCall("mcpr_1", "{}"))
    assert room.take() == []
    assert isinstance(decide(room, is_approved=True)[0], ev.CreateApproval)


def test_the_response_may_wait_for_the_answer_and_go_on_itself(room: Room) -> None:
    """Then nothing is asked for: the model has spoken already."""
    asks(room, is_done=False)
    room.wait(SERVICE_PATIENCE_S + 5)
    assert room.close is None, "it is a person's move"
    assert kinds(decide(room, is_approved=True)) == ["CreateApproval"]
    room.hear(ev.ServiceActs("mcp_1"), ev.ServiceActed("mcp_1"), ev.ReplyTextDelta("r1", "i1", "It will rain."))
    room.hear(ev.ReplyTextDone("r1", "i1", "It will rain."), done("r1", "t1"))
    assert room.take() == []
    assert room.ends() == [("t1", "completed")]


def test_the_call_may_end_before_the_response_that_made_it(room: Room) -> None:
    asks(room, is_done=False)
    decide(room, is_approved=True)
    room.hear(ev.ServiceActs("mcp_1"), ev.ServiceActed("mcp_1"))
    assert room.take() == []
    room.hear(done("r1", "t1"))
    assert kinds(room.take()) == ["CreateResponse"]


def test_a_call_without_leave_is_answered_too(room: Room) -> None:
    """`require_approval: never`: users heard nothing after such a call unless the model was asked again."""
    room.hear(ev.ServiceActs("mcp_1", "r1"), ev.ServiceActs("mcp_1"), done("r1", "t1"))
    assert (room.take(), room.ends()) == ([], [])
    room.hear(ev.ServiceActed("mcp_1"))
    assert kinds(room.take()) == ["CreateResponse"]
    room.reply("r2", "t1")
    assert room.ends() == [("t1", "completed")]


def test_words_before_the_call_are_no_answer(room: Room) -> None:
    words = (ev.ReplyTextDelta("r1", "i1", "One moment."), ev.ReplyTextDone("r1", "i1", "One moment."))
    message = ev.ReplyMessage("i1", "One moment.")
    room.hear(*words, ev.ServiceActs("mcp_1", "r1"), ev.ServiceActed("mcp_1"), done("r1", "t1", messages=(message,)))
    assert kinds(room.take()) == ["CreateResponse"]
    assert len(room.all(ReplyStarted)) == 1


def test_two_requests_wait_for_both_answers(room: Room) -> None:
    asks(room, is_announced=False, is_done=False)
    room.hear(ev.ApprovalAsked("", ev.ApprovalRequest("mcpr_2", "news", "search", "{}")), done("r1", "t1"))
    assert kinds(decide(room, is_approved=False)) == ["CreateApproval"]
    assert kinds(decide(room, is_approved=False, request_id="mcpr_2")) == ["CreateApproval", "CreateResponse"]


def test_requests_beside_calls_of_the_home(room: Room) -> None:
    call = ev.FunctionCall("c1", "light", "{}")
    asks(room, is_announced=False, is_done=False)
    room.hear(ev.CallDone("r1", call), done("r1", "t1", calls=(call,)))
    assert len(room.all(ToolCall)) == 1
    assert kinds(decide(room, is_approved=False)) == ["CreateApproval"]
    room.answer("c1")
    assert kinds(room.take()) == ["CreateCallOutput", "CreateResponse"]


# --- ends ---------------------------------------------------------------------------------------------------------


def test_a_stop_ends_the_turn_with_the_no(room: Room) -> None:
    asks(room)
    room.stop()
    assert room.ends() == []
    assert kinds(decide(room, is_approved=False)) == ["CreateApproval"]
    assert room.ends() == [("t1", "cancelled")]


def test_a_stop_while_the_service_is_at_it(room: Room) -> None:
    asks(room)
    decide(room, is_approved=True)
    room.hear(ev.ServiceActs("mcp_1"))
    room.stop()
    assert (room.take(), room.ends()) == ([], [("t1", "cancelled")])
    room.hear(ev.ServiceActed("mcp_1"))
    assert room.take() == []


def refused(sends: list[ev.ClientEvent]) -> list[str]:
    """The requests that were refused; nothing else was sent."""
    assert all(isinstance(event, ev.CreateApproval) and not event.is_approved for event in sends)
    return [event.request_id for event in sends if isinstance(event, ev.CreateApproval)]


def test_a_request_after_a_stop_is_refused_at_once(room: Room) -> None:
    room.stop()
    room.take()
    room.hear(ev.ApprovalAsked("r1", REQUEST), ev.ApprovalAsked("", REQUEST))
    room.hear(done("r1", "t1", status=ResponseStatus.CANCELLED))
    assert (room.all(ApprovalWanted), refused(room.take())) == ([], ["mcpr_1"])
    assert room.ends() == [("t1", "cancelled")]


def test_a_request_that_no_turn_wants_is_refused_at_once() -> None:
    room = Room().up()
    room.take()
    room.hear(ev.ApprovalAsked("", REQUEST), ev.ServiceActs("mcp_1"), ev.ServiceActed("mcp_1"))
    room.hear(ev.ResponseDone("r9", ResponseStatus.COMPLETED, approvals=(REQUEST,)))
    assert (room.all(ApprovalWanted), room.ends(), refused(room.take())) == ([], [], ["mcpr_1"])


def test_a_request_of_a_turn_that_is_over_is_not_answered_again(room: Room) -> None:
    asks(room)
    decide(room, is_approved=False)
    room.reply("r2", "t1")
    room.take()
    room.hear(ev.ApprovalAsked("", REQUEST))
    assert (len(room.all(ApprovalWanted)), room.take()) == (1, [])


def test_a_lost_connection_loses_the_turn(room: Room) -> None:
    asks(room)
    room.down()
    assert room.ends() == [("t1", "disconnected")]
    room.up()
    room.take()
    assert decide(room, is_approved=True) == [], "it is another conversation"


def test_a_lost_connection_while_the_service_is_at_it(room: Room) -> None:
    asks(room)
    decide(room, is_approved=True)
    room.down()
    assert room.ends() == [("t1", "disconnected")], "done again, it would be done twice"


def test_a_request_that_is_never_answered_ends_its_turn(room: Room) -> None:
    asks(room)
    room.wait(CALL_PATIENCE_S + 1)
    assert room.ends() == [("t1", "timeout")]


def test_a_call_whose_end_is_not_told_is_not_waited_for_without_end(room: Room) -> None:
    asks(room)
    decide(room, is_approved=True)
    room.wait(RUN_PATIENCE_S + 1)
    assert kinds(room.take()) == ["CreateResponse"]
    room.reply("r2", "t1")
    assert room.ends() == [("t1", "completed")]


def test_a_call_that_failed_is_told_and_answered(room: Room) -> None:
    room.hear(ev.ServiceActs("mcp_1", "r1"), done("r1", "t1"), ev.ServiceActed("mcp_1", is_ok=False))
    room.hear(ev.ServiceActed("mcp_1", is_ok=False))
    assert [trouble.code for trouble in room.all(ServiceTrouble)] == ["service_tool_failed"]
    assert kinds(room.take()) == ["CreateResponse"]


def test_tools_that_cannot_be_listed_are_told(room: Room) -> None:
    room.hear(ev.ToolsUnlisted())
    assert [trouble.code for trouble in room.all(ServiceTrouble)] == ["service_tools"]


def test_a_response_that_failed_waits_for_nothing(room: Room) -> None:
    room.hear(ev.ServiceActs("mcp_1", "r1"), done("r1", "t1", status=ResponseStatus.FAILED, detail="server_error"))
    assert room.ends() == [("t1", "failed")]


def test_an_answer_that_the_service_refuses_loses_the_turn(room: Room) -> None:
    asks(room)
    (allowed,) = decide(room, is_approved=True)
    assert isinstance(allowed, ev.CreateApproval)
    room.hear(ev.ServerError("invalid_value", "no such request", allowed.event_id))
    assert room.ends() == [("t1", "refused")]


def test_who_speaks_is_answered_while_a_person_decides(room: Room) -> None:
    asks(room)
    room.say("t2")
    room.heard("i2")
    room.reply("r2", "t2")
    assert room.ends() == [("t2", "completed")]
    decide(room, is_approved=False)
    room.reply("r3", "t1")
    assert room.ends()[-1] == ("t1", "completed")


@pytest.mark.parametrize("is_approved", [True, False])
def test_what_is_typed_waits_so_that_no_words_are_mixed_up(room: Room, is_approved: bool) -> None:
    asks(room)
    room.ask("t2", "and tomorrow?")
    assert room.take() == []
    decide(room, is_approved=is_approved)
    room.hear(ev.ServiceActed("mcp_1"))
    room.reply("r2", "t1")
    room.reply("r3", "t2")
    assert room.ends() == [("t1", "completed"), ("t2", "completed")]
    assert [type(event).__name__ for event in room.take()[-2:]] == ["CreateText", "CreateResponse"]


# --- a service without measure ------------------------------------------------------------------------------------


def test_a_call_that_is_only_told_again_and_again_is_not_waited_for_without_end(room: Room) -> None:
    room.hear(ev.ServiceActs("mcp_1", "r1"), done("r1", "t1"))
    for _ in range(round(RUN_PATIENCE_S) + 1):
        room.hear(ev.ServiceActs("mcp_1"))
        room.wait(1)
    assert kinds(room.take()) == ["CreateResponse"]


def test_more_requests_than_a_turn_may_have_are_refused_at_once(room: Room) -> None:
    for number in range(MOST_REQUESTS + 20):
        room.hear(ev.ApprovalAsked("r1", ev.ApprovalRequest(f"mcpr_{number}", "news", "search", "{}")))
    assert len(room.all(ApprovalWanted)) == MOST_REQUESTS
    assert len(refused(room.take())) == 20


def test_a_service_that_calls_without_end_is_not_asked_without_end(room: Room) -> None:
    for number in range(1, 100):
        room.hear(ev.ServiceActs(f"mcp_{number}", f"r{number}"), ev.ServiceActed(f"mcp_{number}"))
        room.hear(done(f"r{number}", "t1"))
        if room.all(TurnFinished):
            break
        room.hear(ev.ResponseCreated(f"r{number + 1}", {"turn_id": "t1"}))
    assert room.ends() == [("t1", "completed")]
    assert kinds(room.take()) == ["CreateResponse"] * MOST_ROUNDS
    assert [trouble.code for trouble in room.all(ServiceTrouble)] == ["too_many_calls"]


def test_what_the_service_did_leaves_the_conversation_with_its_turn() -> None:
    room = Room(conversation={"keep_turns": 0}).up()
    room.ask("t1")
    room.hear(ev.ResponseCreated("r1", {"turn_id": "t1"}))
    asks(room)
    (allowed,) = decide(room, is_approved=True)[-1:]
    assert isinstance(allowed, ev.CreateApproval)
    room.hear(ev.ServiceActed("mcp_1"))
    room.reply("r2", "t1")
    deleted = {event.item_id for event in room.all(ev.DeleteItem)}
    assert {"mcpr_1", "mcp_1", allowed.item_id} <= deleted


def test_what_nobody_surely_said_asks_nobody() -> None:
    room = Room(least_confidence=0.5, include=["item.input_audio_transcription.logprobs"]).up()
    room.say("t1")
    room.hear(ev.AudioCommitted("i1"), ev.ResponseCreated("r1", {"turn_id": "t1"}))
    asks(room)
    assert room.all(ApprovalWanted) == []
    room.hear(ev.TranscriptDone("i1", "rain", confidence=0.9))
    assert len(room.all(ApprovalWanted)) == 1
