"""Turns that a session returns because somebody else can answer them: never one for which anything was done."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.session.room import SECOND, Room, done, ended, kinds
from voice_node.model.control import AskText, SayText, SetMuted, SetSpent
from voice_node.model.speech import EndReason, SpeechAudio, SpeechEnded, SpeechStarted
from voice_node.model.turn import ResponseStatus, ServiceTrouble, ToolCall, Transcript, TurnLost
from voice_node.session import events as ev
from voice_node.session.answers import SLOW
from voice_node.session.protocol import IDLE, SPENT
from voice_node.session.step import Returned

PATIENCE_S = 4.0
CALL = ev.FunctionCall("call_1", "light", "{}")
WHOLE = (
    SpeechStarted("t1", 0),
    SpeechAudio("t1", SECOND),
    SpeechEnded("t1", 0, 1000, 0, 0.0, True, EndReason.SILENCE),
)


def room(**values: Any) -> Room:
    return Room(patience_s=PATIENCE_S, **values).up()


def test_a_turn_that_nobody_began_to_answer_comes_back_whole_when_the_link_is_cut() -> None:
    one = room()
    one.say("t1")
    one.hear(ev.AudioCommitted("item_1"))
    one.down()
    assert one.returned == [Returned("t1", "the connection broke", WHOLE)]
    assert one.ends() == []
    assert one.protocol.is_quiet
    one.take()
    one.up()
    assert "AppendAudio" not in kinds(one.take()), "it is not said again on the next connection"


def test_an_open_segment_comes_back_without_its_end_and_the_rest_is_not_for_this_session() -> None:
    one = room()
    one.put(SpeechStarted("t1", 0), SpeechAudio("t1", SECOND))
    one.down()
    assert [turn.inputs for turn in one.returned] == [WHOLE[:2]]
    one.put(SpeechAudio("t1", SECOND), ended("t1"))
    one.up()
    assert one.protocol.is_quiet
    assert one.ends() == []


def test_what_was_written_down_comes_back_as_words_so_that_it_is_transcribed_once() -> None:
    one = room()
    one.say("t1")
    one.heard("item_1", "turn on the light")
    one.down()
    assert [turn.inputs for turn in one.returned] == [(AskText("t1", "turn on the light"),)]


def test_words_that_are_none_are_transcribed_once_too() -> None:
    one = room()
    one.say("t1")
    one.heard("item_1", "")
    one.down()
    assert [turn.inputs for turn in one.returned] == [(AskText("t1", ""),)]


def test_typed_turns_and_announcements_come_back_as_they_were() -> None:
    one = room()
    one.ask("t1", "what is the time", "be brief")
    one.announce("t2", "dinner")
    one.down()
    assert [turn.inputs for turn in one.returned] == [
        (AskText("t1", "what is the time", "be brief"),),
        (SayText("t2", "dinner"),),
    ]


@pytest.mark.parametrize(
    "act",
    [
        lambda one: one.hear(ev.CallDone("resp_1", CALL)),
        lambda one: one.hear(ev.ReplyAudioDelta("resp_1", "item_r", bytes(960))),
        lambda one: one.hear(ev.ReplyTextDelta("resp_1", "item_r", "it")),
        lambda one: one.hear(ev.ServiceActs()),
        lambda one: one.put(SetMuted(is_muted=True)),
    ],
    ids=["call", "sound", "words", "the service's own tools", "mute"],
)
def test_a_turn_for_which_anything_was_done_does_not_come_back(act: Callable[[Room], None]) -> None:
    one = room()
    one.say("t1")
    one.heard("item_1")
    one.hear(ev.ResponseCreated("resp_1", {"turn_id": "t1"}))
    act(one)
    one.down()
    assert one.returned == []
    assert one.ends() == [("t1", "disconnected")]


def test_wherever_a_turn_is_cut_it_is_called_for_here_or_comes_back_and_never_both() -> None:
    story: list[ev.ServerEvent] = [
        ev.AudioCommitted("item_1"),
        ev.TranscriptDelta("item_1", "turn"),
        ev.TranscriptDone("item_1", "turn on the light"),
        ev.ResponseCreated("resp_1", {"turn_id": "t1"}),
        ev.CallDone("resp_1", CALL),
        done("resp_1", "t1", calls=(CALL,)),
    ]
    for cut_at in range(len(story) + 1):
        one = room()
        one.say("t1")
        one.hear(*story[:cut_at])
        one.down()
        assert len(one.all(ToolCall)) + len(one.returned) == 1
        one.hear(*story[cut_at:])  # what was still on its way
        one.up().hear(*story)
        assert len(one.all(ToolCall)) + len(one.returned) == 1
        words = [t for t in one.all(Transcript) if t.is_final]
        assert len(words) + sum(isinstance(t.inputs[0], SpeechStarted) for t in one.returned) == 1


def test_a_service_that_is_slower_than_the_patience_is_given_up_and_its_late_call_is_not_told() -> None:
    one = room()
    one.say("t1")
    one.heard("item_1")
    one.hear(ev.ResponseCreated("resp_1", {"turn_id": "t1"}))
    one.wait(PATIENCE_S)
    assert (one.returned, one.close) == ([], None)
    one.wait(0.5)
    assert [(turn.turn_id, turn.why) for turn in one.returned] == [("t1", SLOW)]
    assert one.close == SLOW
    assert isinstance(one.take()[-1], ev.CancelResponse)
    one.hear(ev.CallDone("resp_1", CALL), done("resp_1", "t1", calls=(CALL,)))
    one.down(SLOW)
    assert one.all(ToolCall) == []
    assert len(one.returned) == 1


def test_only_the_answer_that_is_due_must_come_in_time() -> None:
    one = room()
    one.put(SpeechStarted("t0", 0), SpeechAudio("t0", SECOND))
    one.wait(PATIENCE_S + 1)  # somebody speaks for long
    one.put(ended("t0"))
    one.hear(ev.AudioCommitted("item_0"), ev.ResponseCreated("resp_0", {"turn_id": "t0"}))
    one.hear(ev.ReplyTextDelta("resp_0", "item_r", "once"))
    one.say("t1")
    one.hear(ev.AudioCommitted("item_1"))
    one.wait(PATIENCE_S + 1)  # it waits behind a long answer
    assert one.returned == []
    one.hear(done("resp_0", "t0"))
    one.wait(PATIENCE_S - 1)
    assert one.returned == []
    one.wait(2)
    assert [turn.turn_id for turn in one.returned] == ["t1"]


def test_a_connection_that_does_not_come_up_in_time_loses_its_turn_and_goes_on_trying() -> None:
    one = Room(patience_s=PATIENCE_S, connect="on_speech")
    one.say("t1")
    one.wait(PATIENCE_S + 0.5)
    assert [turn.inputs for turn in one.returned] == [WHOLE]
    assert one.close is None


def test_what_the_service_refuses_comes_back() -> None:
    one = room()
    one.say("t1")
    one.heard("item_1")
    request = one.take()[-1]
    assert isinstance(request, ev.CreateResponse)
    one.hear(ev.ServerError("insufficient_quota", "You exceeded your quota.", request.event_id))
    assert [(turn.turn_id, turn.why) for turn in one.returned] == [("t1", "insufficient_quota")]
    assert one.ends() == []


def test_a_response_that_fails_with_nothing_in_it_comes_back() -> None:
    for patience_s, ends in ((PATIENCE_S, []), (None, [("t1", "failed")])):
        one = Room(patience_s=patience_s).up()
        one.say("t1")
        one.heard("item_1")
        one.hear(
            ev.ResponseCreated("resp_1", {"turn_id": "t1"}),
            done("resp_1", "t1", status=ResponseStatus.FAILED, detail="server_error"),
        )
        assert one.ends() == ends
        assert len(one.returned) == 1 - len(ends)
        assert len(one.all(ServiceTrouble)) == len(ends)
        assert one.protocol.is_quiet


def test_a_spent_budget_returns_what_was_not_sent_and_finishes_what_was() -> None:
    one = room()
    one.say("t1")
    one.put(SetSpent(is_spent=True))
    assert one.returned == []
    one.heard("item_1")
    one.reply("resp_1", "t1")
    assert one.ends() == [("t1", "completed")]
    other = Room(patience_s=PATIENCE_S)
    other.say("t2")
    other.put(SetSpent(is_spent=True))
    assert [turn.turn_id for turn in other.returned] == ["t2"]
    assert other.all(TurnLost) == []


def test_a_spent_budget_does_not_cut_what_is_being_announced() -> None:
    one = room()
    one.announce("t1")
    one.announce("t2")
    one.hear(ev.ResponseCreated("resp_1", {"turn_id": "t1"}))
    one.put(SetSpent(is_spent=True))
    assert [turn.turn_id for turn in one.returned] == ["t2"]
    one.reply("resp_1", "t1")
    assert one.ends() == [("t1", "completed")]
    assert one.all(ev.CancelResponse) == []


def test_a_connection_that_is_closed_on_purpose_keeps_its_turns() -> None:
    for reason in (IDLE, SPENT):
        one = room()
        one.say("t1")
        one.down(reason)
        assert one.returned == []
        assert not one.protocol.is_quiet


def test_what_a_person_stopped_or_the_service_did_not_hear_does_not_come_back() -> None:
    one = room()
    one.say("t1")
    one.heard("item_1")
    one.hear(ev.ResponseCreated("resp_1", {"turn_id": "t1"}))
    one.stop()
    one.down()
    assert one.returned == []
    one.up()
    one.say("t2", b"")
    assert one.returned == []
    assert ("t2", "empty") in one.ends()


def test_of_a_segment_that_the_service_ended_in_the_middle_the_rest_does_not_come_back() -> None:
    one = room(turn_detection={"type": "server_vad"})
    one.put(SpeechStarted("t1", 0), SpeechAudio("t1", SECOND))
    one.hear(ev.ServerSpeechStarted("item_1"), ev.AudioCommitted("item_1"))
    one.put(SpeechAudio("t1", SECOND))
    one.down()
    assert [turn.turn_id for turn in one.returned] == ["t1"]
    assert isinstance(one.returned[0].inputs[-1], SpeechEnded), "what is said now is not taken for its end"
    assert one.ends() == []
