"""The beta dialect has no leave that could be given: a request for it changes nothing."""

from dataclasses import replace

from tests.session.room import Room, done, kinds
from voice_node.model.turn import ApprovalWanted
from voice_node.session import events as ev

REQUEST = ev.ApprovalRequest("mcpr_1", "news", "search", "{}")


def test_a_request_for_leave_is_not_answered_and_the_turn_ends() -> None:
    room = Room(dialect="beta").up()
    room.ask("t1")
    room.hear(ev.ResponseCreated("r1", {"turn_id": "t1"}))
    room.take()
    room.hear(ev.ApprovalAsked("r1", REQUEST), replace(done("r1", "t1"), approvals=(REQUEST,)))
    room.hear(ev.ApprovalAsked("", REQUEST))
    assert room.all(ApprovalWanted) == []
    assert kinds(room.take()) == []
    assert room.ends() == [("t1", "completed")]
