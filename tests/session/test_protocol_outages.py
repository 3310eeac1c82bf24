"""What becomes of turns over one connection after the other, and of what is held when the room falls mute."""

import pytest

from tests.session.room import LIGHT, SECOND, Room, done, ended, kinds
from voice_node.model.control import SetMuted
from voice_node.model.speech import SpeechAudio, SpeechStarted
from voice_node.model.turn import ResponseStatus, Transcript, TurnFinished, TurnLost
from voice_node.session import events as ev


def test_speech_of_an_outage_is_sent_whole() -> None:
    room = Room().up()
    room.down()
    room.say("t1", SECOND + b"\1\0" * 1000)
    room.wait(9)
    room.take()
    room.up()
    sent = b"".join(event.pcm for event in room.take() if isinstance(event, ev.AppendAudio))
    assert sent == SECOND + b"\1\0" * 1000


def test_speech_of_a_long_outage_is_stale() -> None:
    room = Room().up()
    room.down()
    room.say("t1")
    room.wait(11)
    assert room.ends() == [("t1", "stale")]
    room.take()
    room.up()
    assert kinds(room.take()) == ["UpdateSession"]


def test_what_went_stale_without_a_tick_is_not_sent_either() -> None:
    room = Room()
    room.say("t1")
    room.at = 11
    room.up()
    assert room.ends() == [("t1", "stale")]
    assert room.all(ev.AppendAudio) == []


def test_a_turn_cut_in_the_middle_is_sent_again_whole() -> None:
    room = Room().up()
    first, second = b"\1\0" * 24000, b"\2\0" * 24000
    room.put(SpeechStarted("t1", 0), SpeechAudio("t1", first))
    room.down()
    room.put(SpeechAudio("t1", second))
    room.take()
    room.up()
    room.put(SpeechAudio("t1", b"\3\0" * 2400), ended("t1", 2.1))
    sends = room.take()
    assert kinds(sends) == ["UpdateSession", "AppendAudio", "CommitAudio", "CreateResponse"]
    assert b"".join(e.pcm for e in sends if isinstance(e, ev.AppendAudio)) == first + second + b"\3\0" * 2400


def test_a_committed_turn_without_an_answer_is_sent_again() -> None:
    room = Room().up()
    room.say("t1")
    room.heard("i1")
    room.hear(ev.ResponseCreated("r1", {"turn_id": "t1"}))
    room.down()
    room.take()
    room.up()
    assert kinds(room.take()) == ["UpdateSession", "AppendAudio", "CommitAudio", "CreateResponse"]
    room.heard("i9")
    room.reply("r9", "t1")
    assert room.ends() == [("t1", "completed")]
    assert [words.item_id for words in room.all(Transcript) if words.role == "user"] == ["i1"], "one final a segment"


def test_partial_words_of_a_lost_connection_are_not_repeated() -> None:
    room = Room().up()
    room.say("t1")
    room.hear(ev.AudioCommitted("i1"), ev.TranscriptDelta("i1", "turn on"))
    room.down()
    room.up()
    room.hear(ev.AudioCommitted("i2"), ev.TranscriptDelta("i2", "turn"))
    assert [words.text for words in room.all(Transcript)] == ["turn on", "turn"]


def test_item_ids_of_a_lost_connection_mean_nothing_on_the_next() -> None:
    room = Room().up()
    room.say("t1")
    room.heard("item_1")
    room.reply("resp_1", "t1", item_id="reply_1")
    room.down()
    room.up()
    room.say("t2")
    room.heard("item_1", "turn it off")
    room.reply("resp_1", "t2", item_id="reply_1")
    assert room.ends() == [("t1", "completed"), ("t2", "completed")]
    assert [words.text for words in room.all(Transcript) if words.turn_id == "t2"] == ["turn it off", "done"]


@pytest.mark.parametrize("is_call", [False, True])
def test_a_turn_that_was_acted_on_is_not_sent_again(is_call: bool) -> None:
    room = Room().up()
    room.say("t1")
    room.heard("i1")
    room.hear(ev.ResponseCreated("r1", {"turn_id": "t1"}))
    room.hear(ev.CallDone("r1", LIGHT) if is_call else ev.ReplyAudioDelta("r1", "i2", bytes(960)))
    room.down()
    assert room.ends() == [("t1", "disconnected")]
    room.take()
    room.up()
    room.answer("call_1")
    assert kinds(room.take()) == ["UpdateSession"]


def test_words_alone_are_an_answer_too() -> None:
    room = Room().up()
    room.say("t1")
    room.hear(ev.ResponseCreated("r1", {"turn_id": "t1"}), ev.ReplyTextDone("r1", "i2", "done"))
    room.down()
    assert room.ends() == [("t1", "disconnected")]


@pytest.mark.parametrize("status", list(ResponseStatus)[:4])
def test_an_answered_turn_that_waits_for_its_transcript_is_finished_by_a_loss(status: ResponseStatus) -> None:
    room = Room().up()
    room.say("t1")
    room.hear(ev.AudioCommitted("i1"), ev.ResponseCreated("r1", {"turn_id": "t1"}), done("r1", "t1", status=status))
    room.down()
    assert room.ends() == [("t1", str(status))]
    room.take()
    room.up()
    assert kinds(room.take()) == ["UpdateSession"]


def test_sound_that_is_held_has_a_bound() -> None:
    room = Room()
    room.put(SpeechStarted("t1", 0))
    for _ in range(40):
        room.at += 1
        room.put(SpeechAudio("t1", SECOND))
    room.put(ended("t1", 40), SpeechStarted("t2", 0))
    for _ in range(6):
        room.at += 1
        room.put(SpeechAudio("t2", SECOND))
    assert room.ends() == [("t1", "stale")]
    room.put(ended("t2", 6))
    room.up()
    assert len(b"".join(event.pcm for event in room.all(ev.AppendAudio))) == 6 * len(SECOND)


def test_a_turn_that_lost_its_beginning_is_not_sent_in_part() -> None:
    room = Room()
    room.put(SpeechStarted("t1", 0))
    for _ in range(50):
        room.put(SpeechAudio("t1", SECOND))
    assert room.ends() == [("t1", "stale")]
    room.up()
    room.put(SpeechAudio("t1", SECOND), ended("t1"))
    assert room.all(ev.AppendAudio) == []
    assert room.ends() == [("t1", "stale")]


def test_typed_turns_of_an_outage_wait_too() -> None:
    room = Room()
    room.ask("t1")
    room.announce("t2")
    assert room.sends == []
    room.up()
    assert kinds(room.take()) == ["UpdateSession", "CreateText", "CreateResponse"]
    room.reply("r1", "t1")
    assert kinds(room.take()) == ["CreateAnnouncement"]
    room.reply("r2", "t2")
    assert room.ends() == [("t1", "completed"), ("t2", "completed")]


def test_losses_are_no_finishes() -> None:
    room = Room().up()
    room.say("t1")
    room.hear(ev.ResponseCreated("r1", {"turn_id": "t1"}), ev.ReplyAudioDelta("r1", "i2", bytes(960)))
    room.down()
    assert room.all(TurnFinished) == []
    assert [lost.turn_id for lost in room.all(TurnLost)] == ["t1"]


# --- mute ---------------------------------------------------------------------------------------------------------


def test_what_was_held_is_not_sent_after_a_mute() -> None:
    room = Room()
    room.say("t1")
    room.put(SetMuted(is_muted=True))
    assert room.ends() == [("t1", "muted")]
    room.up()
    assert "AppendAudio" not in kinds(room.take())


def test_what_was_sent_is_not_sent_again_after_a_mute() -> None:
    room = Room().up()
    room.say("t1")
    room.put(SetMuted(is_muted=True))
    assert room.ends() == []
    room.take()
    room.down()
    assert room.ends() == [("t1", "disconnected")]
    room.up()
    assert "AppendAudio" not in kinds(room.take())


def test_what_is_typed_is_no_sound() -> None:
    room = Room()
    room.ask("t1")
    room.put(SetMuted(is_muted=True))
    room.up()
    assert "CreateText" in kinds(room.take())


def test_an_opened_microphone_forgets_nothing() -> None:
    room = Room()
    room.say("t1")
    room.put(SetMuted(is_muted=False))
    room.up()
    assert "AppendAudio" in kinds(room.take())
