"""Every way in which a call can end: on a connection that stays open it gets one output, on a new one it gets none.

A call is open at home automation ("told"), or withheld until the transcript is sure enough, where the room demands a
confidence. The same holds of a request of the service for leave to make a call by itself.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import pytest

from tests.session.room import Room
from voice_node.model.control import (
    AnswerApproval,
    AnswerCall,
    EndTurn,
    ResetConversation,
    SetMuted,
    SetSpent,
    StopReply,
)
from voice_node.model.speech import SpeechOver
from voice_node.model.turn import ApprovalWanted, ResponseStatus, ToolCall
from voice_node.session import events as ev

Kind = Literal["call", "leave"]
STRICT: dict[str, Any] = {"include": ["item.input_audio_transcription.logprobs"], "least_confidence": 0.5}
LIGHT = ev.FunctionCall("c1", "light", "{}")
LEAVE = ev.ApprovalRequest("c1", "files", "read", "{}")
REFUSAL = "refused: the answer is not wanted any more"


@dataclass
class Case:
    """One call of turn t1, and what came of it."""

    room: Room
    kind: Kind
    is_over: bool

    def begin(self) -> None:
        """t1 is said, and the model calls; `is_over`: its response is done."""
        room = self.room
        room.say("t1")
        room.hear(ev.AudioCommitted("i1"), ev.ResponseCreated("r1", {"turn_id": "t1"}))
        self.announce()
        if self.is_over:
            room.hear(self.finished())

    def announce(self) -> None:
        self.room.hear(ev.CallDone("r1", LIGHT) if self.kind == "call" else ev.ApprovalAsked("r1", LEAVE))

    def finished(self, status: ResponseStatus = ResponseStatus.COMPLETED) -> ev.ResponseDone:
        is_whole = status is ResponseStatus.COMPLETED
        calls = (LIGHT,) if is_whole and self.kind == "call" else ()
        leave = (LEAVE,) if is_whole and self.kind == "leave" else ()
        return ev.ResponseDone("r1", status, "", {"turn_id": "t1"}, calls, (), approvals=leave)

    @property
    def told(self) -> int:
        """How often home automation heard of it."""
        return len(self.room.all(ToolCall)) + len(self.room.all(ApprovalWanted))

    @property
    def outputs(self) -> list[str]:
        """What the model was told, in order."""
        calls = [(sent.call_id, json.loads(sent.output)["error"]) for sent in self.room.all(ev.CreateCallOutput)]
        leave = [(sent.request_id, sent.reason) for sent in self.room.all(ev.CreateApproval)]
        assert {call_id for call_id, _ in calls + leave} <= {"c1"}
        return [text for _, text in calls + leave]

    def answer(self) -> None:
        """Home automation does what it does with every call."""
        is_call = self.kind == "call"
        self.room.put(AnswerCall("c1", '{"error": "asked"}') if is_call else AnswerApproval("c1", False, "asked"))

    def is_sure(self) -> None:
        self.room.hear(ev.TranscriptDone("i1", "light on", None, 0.9))


def sure(case: Case) -> None:
    case.is_sure()
    case.answer()


def unsure(case: Case) -> None:
    case.room.hear(ev.TranscriptDone("i1", "Thank you.", None, 0.4))


def failed(case: Case) -> None:
    case.room.hear(ev.TranscriptFailed("i1", "noise"))


def never_written_down(case: Case) -> None:
    case.room.wait(11)


def unanswered(case: Case) -> None:
    case.room.hear(case.finished())
    case.is_sure()
    case.room.wait(91)


def stopped(case: Case) -> None:
    case.room.put(StopReply())


def stopped_and_answered(case: Case) -> None:
    stopped(case)
    case.answer()


def ended(case: Case) -> None:
    case.room.put(EndTurn("t1"))


def ended_and_answered(case: Case) -> None:
    ended(case)
    case.answer()


def interrupted(case: Case) -> None:
    """By somebody who speaks over the reply."""
    case.room.hear(ev.ReplyTextDelta("r1", "item_1", "I am"))
    case.announce()
    case.room.put(StopReply(is_barge_in=True))
    if case.told:
        case.answer()


def muted(case: Case) -> None:
    case.room.put(SetMuted(True))
    sure(case)


def spent(case: Case) -> None:
    case.room.put(SetSpent(True))
    sure(case)


def unsure_and_spent(case: Case) -> None:
    case.room.put(SetSpent(True))
    unsure(case)


def reloaded(case: Case) -> None:
    case.room.put(SpeechOver())
    sure(case)


def reloaded_and_never_written_down(case: Case) -> None:
    case.room.put(SpeechOver())
    never_written_down(case)


def commit_refused(case: Case) -> None:
    """The service has second thoughts about what was said."""
    (commit,) = case.room.all(ev.CommitAudio)
    case.room.hear(ev.ServerError("input_audio_buffer_commit_empty", "no", commit.event_id))


def cancelled_by_the_service(case: Case) -> None:
    case.room.hear(case.finished(ResponseStatus.CANCELLED))
    sure(case)


def cancelled_by_the_service_and_unsure(case: Case) -> None:
    case.room.hear(case.finished(ResponseStatus.CANCELLED))
    unsure(case)


def cancelled_and_answered(case: Case) -> None:
    case.room.hear(case.finished(ResponseStatus.CANCELLED))
    case.answer()


def broken(case: Case) -> None:
    case.room.down()


def expired(case: Case) -> None:
    case.room.hear(ev.ServerError("session_expired", "an hour"))


def reset(case: Case) -> None:
    case.room.put(ResetConversation())


End = Callable[[Case], None]
WITHHELD: dict[End, tuple[int, bool]] = {
    sure: (1, True),
    unsure: (0, True),
    failed: (0, True),
    never_written_down: (0, True),
    stopped: (0, True),
    ended: (0, True),
    interrupted: (0, True),
    muted: (1, True),
    spent: (1, True),
    unsure_and_spent: (0, True),
    reloaded: (1, True),
    reloaded_and_never_written_down: (0, True),
    commit_refused: (0, True),
    cancelled_by_the_service: (1, True),
    cancelled_by_the_service_and_unsure: (0, True),
    broken: (0, False),
    expired: (0, False),
    reset: (0, False),
}
"""How often home automation hears of the call, and whether the connection stays."""
TOLD: dict[End, bool] = {
    sure: True,
    unanswered: True,
    stopped_and_answered: True,
    ended_and_answered: True,
    interrupted: True,
    muted: True,
    spent: True,
    reloaded: True,
    commit_refused: True,
    cancelled_and_answered: True,
    broken: False,
    expired: False,
    reset: False,
}
"""Whether the connection stays."""


def named(value: object) -> str | None:
    return getattr(value, "__name__", None)


@pytest.mark.parametrize("is_over", [True, False], ids=["done", "running"])
@pytest.mark.parametrize("kind", ["call", "leave"])
@pytest.mark.parametrize("end", WITHHELD, ids=named)
def test_a_withheld_call_ends_with_one_output(end: End, kind: Kind, is_over: bool) -> None:
    told, is_open = WITHHELD[end]
    case = Case(Room(**STRICT).up(), kind, is_over)
    case.begin()
    assert (case.told, case.outputs) == (0, [])
    end(case)
    after(case, is_open)
    assert case.told == told
    assert case.outputs == ([] if not is_open else ["asked"] if told else [REFUSAL])


@pytest.mark.parametrize("is_over", [True, False], ids=["done", "running"])
@pytest.mark.parametrize("kind", ["call", "leave"])
@pytest.mark.parametrize("end", TOLD, ids=named)
def test_a_call_that_home_automation_knows_of_ends_with_one_output(end: End, kind: Kind, is_over: bool) -> None:
    case = Case(Room().up(), kind, is_over)
    case.begin()
    assert (case.told, case.outputs) == (1, [])
    end(case)
    after(case, TOLD[end])
    assert case.told == 1
    assert len(case.outputs) == TOLD[end]


def after(case: Case, is_open: bool) -> None:
    """What comes late changes nothing, and the next turn is served."""
    room = case.room
    if is_open:
        assert room.close is None
        case.announce()
        room.hear(case.finished())
    else:
        room.down(room.close or "the connection broke")
        room.up()
    case.is_sure()
    case.answer()
    room.wait(12)
    assert [turn_id for turn_id, _ in room.ends()] in (["t1"], []), "once"
    assert len(case.outputs) <= 1
