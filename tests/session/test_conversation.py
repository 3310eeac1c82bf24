"""Turns in."""

from typing import Any

import pytest

from tests.session.room import SECOND, Room, ended, kinds
from voice_node.model.control import SayText
from voice_node.model.speech import SpeechAudio, SpeechStarted
from voice_node.model.turn import TurnFinished
from voice_node.session import events as ev


@pytest.fixture
def room() -> Room:
    room = Room().up()
    room.take()
    return room


def test_a_typed_turn(room: Room) -> None:
    room.ask("t1", "what is the time", "be brief")
    text, create = room.take()
    assert isinstance(text, ev.CreateText)
    assert (text.role, text.text) == ("user", "what is the time")
    assert len(text.item_id) <= 32
    assert isinstance(create, ev.CreateResponse)
    assert create.instructions == "be brief"
    room.reply("r1", "t1")
    (end,) = room.all(TurnFinished)
    assert set(end.timings_ms) == {"first_sound", "done"}


def test_an_announcement(room: Room) -> None:
    room.announce("t1", "the washing is done")
    (create,) = room.take()
    assert isinstance(create, ev.CreateAnnouncement)
    assert create.text == "the washing is done"
    room.reply("r1", "t1")
    assert room.ends() == [("t1", "completed")]


def test_held_audio_leaves_in_small_pieces(room: Room) -> None:
    room.down()
    room.say("t1", SECOND + b"12")
    room.take()
    room.up()
    sizes = [len(event.pcm) for event in room.take() if isinstance(event, ev.AppendAudio)]
    assert sum(sizes) == len(SECOND) + 2
    assert max(sizes) <= 4800


def test_an_announcement_does_not_begin_over_a_person_speaking(room: Room) -> None:
    room.put(SpeechStarted("t1", 0), SpeechAudio("t1", SECOND))
    room.put(SayText("s1", "the washing is done"))
    assert "CreateAnnouncement" not in kinds(room.take())
    room.put(ended("t1"))
    room.reply("r1", "t1")
    assert kinds(room.take()).count("CreateAnnouncement") == 1


def test_an_announcement_waits_for_what_was_no_speech_as_well(room: Room) -> None:
    room.put(SpeechStarted("t1", 0))
    room.put(SayText("s1", "the washing is done"))
    assert kinds(room.take()) == []
    room.put(ended("t1", is_kept=False))
    assert kinds(room.take()) == ["CreateAnnouncement"]


@pytest.mark.parametrize("values", [{}, {"turn_detection": {"type": "server_vad"}}])
def test_an_announcement_does_not_wait_for_ever_for_somebody_who_said_nothing(values: dict[str, Any]) -> None:
    room = Room(**values).up()
    room.put(SpeechStarted("t1", 0), SpeechAudio("t1", bytes(200)))
    room.announce("t2")
    room.put(ended("t1", 0.1))
    room.wait(6)
    assert kinds(room.take()).count("CreateAnnouncement") == 1
    room.reply("r1", "t2")
    assert room.ends()[-1] == ("t2", "completed")
