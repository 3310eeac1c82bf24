"""One turn over one connection, to its end or to the end of patience; turns that are only written down."""

from typing import Any

import pytest

from tests.session.room import LIGHT, SECOND, Room, done, ended, kinds
from voice_node.model.speech import SpeechAudio, SpeechStarted
from voice_node.model.turn import ReplyAudio, ResponseStatus, ServiceTrouble, Transcript, TurnFinished
from voice_node.session import events as ev
from voice_node.session.protocol import RESET


def test_a_spoken_turn() -> None:
    room = Room().up()
    room.take()
    room.put(SpeechStarted("t1", 0), SpeechAudio("t1", SECOND))
    assert kinds(room.take()) == ["AppendAudio"]
    room.put(ended("t1"))
    commit, create = room.take()
    assert isinstance(commit, ev.CommitAudio)
    assert isinstance(create, ev.CreateResponse)
    room.at = 0.5
    room.heard("i1", "turn on the light")
    room.at = 1.0
    room.reply("r1", "t1", text="it is on")
    heard, spoken = [words for words in room.all(Transcript) if words.is_final]
    assert (heard.role, heard.item_id, heard.text) == ("user", "i1", "turn on the light")
    assert (spoken.role, spoken.item_id, spoken.text) == ("assistant", "item_r1", "it is on")
    assert [piece.response_id for piece in room.all(ReplyAudio)] == ["r1"]
    (end,) = room.all(TurnFinished)
    assert end.status is ResponseStatus.COMPLETED
    assert end.timings_ms == {"commit": 0, "transcript": 500, "first_sound": 1000, "done": 1000}
    assert room.take() == []
    assert room.protocol.is_quiet


def test_a_segment_that_was_not_kept_leaves_nothing() -> None:
    room = Room().up()
    room.take()
    room.put(SpeechStarted("t1", 0), ended("t1", is_kept=False))
    assert room.take() == []
    assert room.outcomes[1:] == []
    assert room.protocol.is_quiet


def test_a_segment_without_sound_is_lost_not_forgotten() -> None:
    room = Room().up()
    room.put(SpeechStarted("t1", 0), ended("t1"))
    assert room.ends() == [("t1", "empty")]
    assert room.protocol.is_quiet


def test_less_than_the_service_takes_is_cleared_not_committed() -> None:
    room = Room().up()
    room.take()
    room.say("t1", bytes(4798))
    assert kinds(room.take()) == ["AppendAudio", "ClearAudio"]
    assert room.ends() == [("t1", "empty")]


def test_a_failed_response_is_trouble_and_the_end_of_its_turn() -> None:
    room = Room().up()
    room.say("t1")
    room.heard("i1")
    room.hear(ev.ResponseCreated("r1", {"turn_id": "t1"}))
    room.hear(done("r1", "t1", status=ResponseStatus.FAILED, detail="insufficient_quota"))
    assert [(trouble.code, trouble.turn_id) for trouble in room.all(ServiceTrouble)] == [("insufficient_quota", "t1")]
    (end,) = room.all(TurnFinished)
    assert (end.status, end.detail) == (ResponseStatus.FAILED, "insufficient_quota")
    room.say("t2")
    room.heard("i2")
    room.reply("r2", "t2")
    assert room.ends()[1:] == [("t2", "completed")]


def test_an_incomplete_response_is_seen() -> None:
    room = Room().up()
    room.ask("t1")
    room.hear(ev.ResponseCreated("r1", {}), done("r1", "t1", status=ResponseStatus.INCOMPLETE, detail="content_filter"))
    assert room.ends() == [("t1", "incomplete")]


def test_the_turn_waits_for_its_transcript_but_not_for_ever() -> None:
    room = Room().up()
    room.say("t1")
    room.reply("r1", "t1")
    assert room.ends() == []
    room.wait(11)
    assert room.ends() == [("t1", "completed")]
    room.hear(ev.AudioCommitted("i1"), ev.TranscriptDone("i1", "late"))
    assert [words.role for words in room.all(Transcript)] == ["assistant"]


def test_a_service_that_never_answers() -> None:
    room = Room().up()
    room.say("t1")
    room.hear(ev.AudioCommitted("i1"))
    room.wait(19)
    assert room.ends() == []
    room.wait(3)
    assert room.ends() == [("t1", "timeout")]
    assert room.close is not None
    room.down(room.close)
    room.up()
    room.say("t2")
    room.heard("i2")
    room.reply("r2", "t2")
    assert room.ends()[1:] == [("t2", "completed")]


def test_a_response_that_begins_and_never_ends() -> None:
    room = Room().up()
    room.ask("t1")
    room.hear(ev.ResponseCreated("r1", {"turn_id": "t1"}), ev.ReplyAudioDelta("r1", "i", bytes(960)))
    room.wait(25)
    assert room.ends() == [("t1", "timeout")]
    assert room.close is not None


def test_a_response_nobody_waits_for_any_more_and_that_never_comes() -> None:
    room = Room().up()
    room.say("t1")
    (commit,) = room.all(ev.CommitAudio)
    room.hear(ev.ServerError("input_audio_buffer_commit_empty", "buffer too small", commit.event_id))
    assert room.ends() == [("t1", "empty")]
    room.ask("t2")
    room.wait(25)
    assert room.close is not None, "the request of a lost turn must not block the session for ever"
    room.down(room.close)
    room.wait(1)
    assert room.ends()[1:] == [("t2", "stale")]
    assert room.protocol.is_quiet


def test_a_response_of_the_servers_own_that_never_ends() -> None:
    room = Room().up()
    room.hear(ev.ResponseCreated("own", {}))
    room.wait(25)
    assert room.close is not None
    room.down(room.close)
    assert room.protocol.is_quiet


def test_a_tool_call_that_is_never_answered_ends_its_turn() -> None:
    room = Room().up()
    room.ask("t1")
    room.hear(ev.ResponseCreated("r1", {"turn_id": "t1"}), done("r1", "t1", calls=(LIGHT,)))
    room.wait(61)
    assert room.ends() == [], "the router answers after a minute at the latest"
    room.wait(60)
    assert room.ends() == [("t1", "timeout")]
    assert room.close in (None, RESET)
    assert room.protocol.is_quiet


# --- transcription ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("detection", ["local", {"type": "server_vad"}])
def test_a_transcription_session_never_asks_for_a_response(detection: object) -> None:
    room = Room(type="transcription", turn_detection=detection).up()
    for number in range(3):
        room.say(f"t{number}")
        room.hear(ev.AudioCommitted(f"i{number}"))
        assert room.ends() == [(f"t{n}", "none") for n in range(number)]
        room.hear(ev.TranscriptDone(f"i{number}", "words", usage_s=1.0))
    assert room.ends() == [("t0", "none"), ("t1", "none"), ("t2", "none")]
    assert room.all(ev.CreateResponse) == []
    assert [words.text for words in room.all(Transcript)] == ["words"] * 3


def test_a_transcript_that_never_comes_is_told_and_ends_its_turn() -> None:
    room = Room(type="transcription").up()
    room.say("t1")
    room.hear(ev.AudioCommitted("i1"))
    room.wait(9)
    assert room.ends() == []
    room.wait(2)
    assert room.ends() == [("t1", "none")]
    assert [(trouble.code, trouble.turn_id) for trouble in room.all(ServiceTrouble)] == [("transcript_missing", "t1")]


@pytest.mark.parametrize(
    ("values", "is_own"), [({"dialect": "beta"}, True), ({"provider": "speaches"}, False), ({"dialect": "ga"}, True)]
)
def test_the_update_of_a_transcription_session(values: dict[str, Any], is_own: bool) -> None:
    room = Room(type="transcription", **values).up()
    assert [update.is_transcription for update in room.all(ev.UpdateSession)] == [is_own]
