"""What several people type at once: each is put to the model when the one before is done, so no words are mixed up."""

import pytest

from tests.session.room import LIGHT, Room, done, kinds
from voice_node.session import events as ev

REQUESTS = (ev.CreateResponse, ev.CreateAnnouncement)


@pytest.fixture
def room() -> Room:
    return Room().up()


def texts(room: Room) -> list[str]:
    return [sent.text for sent in room.all(ev.CreateText)]


def test_words_wait_until_the_turn_before_is_answered(room: Room) -> None:
    for number in (1, 2, 3):
        room.ask(f"t{number}", f"words {number}")
    assert texts(room) == ["words 1"]
    room.reply("r1", "t1")
    assert texts(room) == ["words 1", "words 2"]
    room.reply("r2", "t2")
    room.reply("r3", "t3")
    assert texts(room) == ["words 1", "words 2", "words 3"]
    assert room.ends() == [(f"t{number}", "completed") for number in (1, 2, 3)]


def test_words_wait_for_the_calls_of_the_turn_before(room: Room) -> None:
    room.ask("t1", "light on")
    room.ask("t2", "heating on")
    room.hear(ev.ResponseCreated("r1", {"turn_id": "t1"}), done("r1", "t1", calls=(LIGHT,)))
    room.take()
    room.wait(2)
    assert kinds(room.take()) == []
    room.answer("call_1")
    assert kinds(room.take()) == ["CreateCallOutput", "CreateResponse"]
    room.reply("r2", "t1")
    assert kinds(room.take()) == ["CreateText", "CreateResponse"]
    room.reply("r3", "t2")
    assert room.ends() == [("t1", "completed"), ("t2", "completed")]


def test_words_that_wait_for_a_call_do_not_hold_up_the_question_that_the_call_waits_for(room: Room) -> None:
    room.ask("t1", "unlock the door")
    room.hear(ev.ResponseCreated("r1", {"turn_id": "t1"}), done("r1", "t1", calls=(LIGHT,)))
    room.ask("t2", "heating on")
    room.take()
    room.announce("t3", "What is the code?")
    assert kinds(room.take()) == ["CreateAnnouncement"]
    room.answer("call_1")
    room.reply("r2", "t3")
    room.reply("r3", "t1")
    room.reply("r4", "t2")
    assert room.ends() == [("t3", "completed"), ("t1", "completed"), ("t2", "completed")]


@pytest.mark.parametrize("how", ["stopped", "unanswered"])
def test_a_turn_that_comes_to_nothing_does_not_hold_up_the_next(room: Room, how: str) -> None:
    room.ask("t1", "light on")
    room.hear(ev.ResponseCreated("r1", {"turn_id": "t1"}), done("r1", "t1", calls=(LIGHT,)))
    room.wait(50)
    room.ask("t2", "heating on")
    assert texts(room) == ["light on"]
    if how == "stopped":
        room.stop()
        room.answer("call_1")
        room.wait(1)
    else:
        room.wait(41)
    assert texts(room) == ["light on", "heating on"]


def test_words_that_waited_for_a_minute_are_not_put_any_more(room: Room) -> None:
    room.ask("t1", "light on")
    room.hear(ev.ResponseCreated("r1", {"turn_id": "t1"}), done("r1", "t1", calls=(LIGHT,)))
    room.ask("t2", "heating on")
    room.wait(61)
    assert room.ends() == [("t2", "busy")]
    room.answer("call_1")
    room.reply("r2", "t1")
    assert texts(room) == ["light on"]


def test_somebody_who_speaks_goes_first(room: Room) -> None:
    room.ask("t1")
    room.ask("t2")
    room.announce("t3")
    room.say("t4")
    order = ["t1"]
    for number in range(4):
        room.take()
        room.reply(f"r{number}", order[-1])
        order += [sent.metadata["turn_id"] for sent in room.take() if isinstance(sent, REQUESTS)]
    assert order == ["t1", "t4", "t2", "t3"]


def test_words_that_waited_when_the_connection_broke_are_put_once(room: Room) -> None:
    room.ask("t1", "words 1")
    room.ask("t2", "words 2")
    room.down()
    room.take()
    room.up()
    assert kinds(room.take())[-2:] == ["CreateText", "CreateResponse"]
    room.reply("r1", "t1")
    assert texts(room) == ["words 1", "words 1", "words 2"]


def test_a_request_that_is_refused_as_busy_does_not_put_its_words_twice(room: Room) -> None:
    room.ask("t1", "words 1")
    (request,) = room.all(ev.CreateResponse)
    room.hear(ev.ServerError("conversation_already_has_active_response", "busy", request.event_id))
    room.hear(done("other", ""))
    assert texts(room) == ["words 1"]
    assert len(room.all(ev.CreateResponse)) == 2


def test_a_typed_turn_that_was_given_the_calls_of_the_services_own_response_goes_on() -> None:
    """Its words are at the service: it begins nothing, so what it owes does not hold it up."""
    room = Room().up()
    room.ask("t2")
    (request,) = room.all(ev.CreateResponse)
    light = ev.FunctionCall("c1", "light", "{}")
    room.hear(ev.ResponseCreated("own", {}), ev.CallDone("own", light))
    room.answer("c1")
    room.hear(ev.ServerError("conversation_already_has_active_response", "no", request.event_id))
    room.hear(done("own", "", calls=(light,)))
    assert len(room.all(ev.CreateResponse)) == 2
    room.reply("r2", "t2")
    if not room.ends():
        room.reply("r3", "t2")
    assert room.ends() == [("t2", "completed")]
