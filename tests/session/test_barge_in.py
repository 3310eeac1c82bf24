"""Somebody speaks over a reply: it ends, and what was asked for meanwhile is still done."""

import pytest

from tests.session.room import LIGHT, Room, done
from voice_node.model.control import StopReply
from voice_node.model.turn import ToolCall
from voice_node.session import events as ev

OVER_IT = StopReply("item_r1", 400, is_barge_in=True)


@pytest.fixture
def room() -> Room:
    room = Room().up()
    room.ask("t1")
    return room


def test_the_reply_that_is_given_is_cancelled(room: Room) -> None:
    room.hear(ev.ResponseCreated("r1", {"turn_id": "t1"}), ev.ReplyAudioDelta("r1", "item_r1", bytes(48_000)))
    room.put(OVER_IT)
    assert [sent.response_id for sent in room.all(ev.CancelResponse)] == ["r1"]
    assert [sent.audio_end_ms for sent in room.all(ev.TruncateItem)] == [400]


def test_a_command_in_the_making_goes_on_while_an_earlier_reply_is_cut(room: Room) -> None:
    room.hear(ev.ResponseCreated("r1", {"turn_id": "t1"}), ev.ReplyAudioDelta("r1", "item_r1", bytes(48_000)))
    room.hear(done("r1", "t1", messages=(ev.ReplyMessage("item_r1", "a long story"),)))
    room.say("t2")
    room.heard("i2")
    room.hear(ev.ResponseCreated("r2", {"turn_id": "t2"}))
    room.put(OVER_IT)  # r1 still sounds
    assert room.all(ev.CancelResponse) == []
    room.hear(done("r2", "t2", calls=(LIGHT,)))
    assert [call.turn_id for call in room.all(ToolCall)] == ["t2"]
    room.answer(LIGHT.call_id)
    room.put(StopReply("item_r1", 500, is_barge_in=True))
    room.reply("r3", "t2")
    assert room.ends() == [("t1", "completed"), ("t2", "completed")]


def test_a_stop_ends_both(room: Room) -> None:
    room.hear(ev.ResponseCreated("r1", {"turn_id": "t1"}))
    room.stop()
    assert [sent.response_id for sent in room.all(ev.CancelResponse)] == ["r1"]
