"""What the server says about items and responses."""

import pytest

from tests.session.room import Room, done
from voice_node.model.turn import (
    ReplyAudio,
    ReplyAudioEnded,
    ReplyStarted,
    ServiceTrouble,
    TokenCount,
    ToolCall,
    Transcript,
    Usage,
)
from voice_node.session import events as ev


@pytest.fixture
def room() -> Room:
    return Room(model="the-model").up()


def words(room: Room, role: str, *, is_final: bool = True) -> list[str]:
    return [heard.text for heard in room.all(Transcript) if heard.role == role and heard.is_final is is_final]


def test_transcripts_by_item(room: Room) -> None:
    room.say("t1")
    room.say("t2")
    room.hear(ev.AudioCommitted("i1"), ev.AudioCommitted("i2"))
    room.hear(ev.TranscriptDone("i2", "two", "de", 0.9), ev.TranscriptDone("i1", "one"), ev.TranscriptDone("i1", "one"))
    heard = room.all(Transcript)
    assert [(line.turn_id, line.text) for line in heard] == [("t2", "two"), ("t1", "one")]
    assert (heard[0].language, heard[0].confidence) == ("de", 0.9)


def test_partials_grow_to_one_final(room: Room) -> None:
    room.say("t1")
    room.hear(ev.AudioCommitted("i1"))
    room.hear(ev.TranscriptDelta("i1", "turn "), ev.TranscriptDelta("i1", "on"), ev.TranscriptDone("i1", "turn on."))
    room.hear(ev.TranscriptDelta("i1", "late"))
    assert words(room, "user", is_final=False) == ["turn ", "turn on"]
    assert words(room, "user") == ["turn on."]


def test_partials_have_a_bound(room: Room) -> None:
    room.say("t1")
    for _ in range(20):
        room.hear(ev.TranscriptDelta("i1", "x" * 1000))
    assert max(len(text) for text in words(room, "user", is_final=False)) <= 8192


def test_a_failed_transcription_settles_its_turn(room: Room) -> None:
    room.say("t1")
    room.hear(ev.AudioCommitted("i1"))
    room.reply("r1", "t1")
    assert room.ends() == []
    room.hear(ev.TranscriptFailed("i1", "audio_unintelligible"))
    assert [(trouble.code, trouble.turn_id) for trouble in room.all(ServiceTrouble)] == [("transcription_failed", "t1")]
    assert room.ends() == [("t1", "completed")]


def test_the_words_of_a_reply_once(room: Room) -> None:
    room.ask("t1")
    room.reply("r1", "t1", text="it is on")
    assert words(room, "assistant") == ["it is on"]
    assert len(room.all(ReplyStarted)) == 1
    assert [type(piece) for piece in room.audio] == [ReplyAudio, ReplyAudioEnded]


def test_words_that_only_the_last_event_tells(room: Room) -> None:
    room.ask("t1")
    room.hear(ev.ResponseCreated("r1", {}), done("r1", "t1", messages=(ev.ReplyMessage("i1", "it is on"),)))
    assert words(room, "assistant") == ["it is on"]


def test_items_without_a_name(room: Room) -> None:
    for number in (1, 2):
        room.ask(f"t{number}")
        response_id = f"r{number}"
        room.hear(ev.ResponseCreated(response_id, {}), ev.ReplyTextDone(response_id, "", f"answer {number}"))
        room.hear(done(response_id, f"t{number}"))
    assert words(room, "assistant") == ["answer 1", "answer 2"]


def test_when_a_reply_began(room: Room) -> None:
    room.ask("t1")
    room.hear(ev.ResponseCreated("r1", {}), ev.ReplyAudioDelta("r1", "i1", b"12"))
    room.at = 2.0
    room.hear(ev.ReplyTextDone("r1", "i1", "it is on"))
    (spoken,) = room.all(Transcript)
    assert (spoken.ended_at - spoken.started_at).total_seconds() == 2.0


def test_what_it_cost(room: Room) -> None:
    room.say("t1")
    room.hear(ev.AudioCommitted("i1"), ev.TranscriptDone("i1", "one", usage_s=1.5))
    room.hear(ev.ResponseCreated("r1", {}))
    cost = ev.ResponseDone("r1", done("r1", "").status, usage_input=TokenCount(3, 4), usage_output=TokenCount(5, 6))
    room.hear(cost, cost)
    assert room.all(Usage) == [
        Usage("t1", "gpt-transcribe", transcription_s=1.5),
        Usage("t1", "the-model", TokenCount(3, 4), TokenCount(5, 6)),
    ]


def test_what_nobody_asked_for_costs_too(room: Room) -> None:
    room.hear(ev.ResponseCreated("own", {}))
    room.hear(ev.ResponseDone("own", done("own", "").status, usage_output=TokenCount(1)))
    room.hear(ev.TranscriptDone("i9", "stray", usage_s=1.0))
    assert [usage.turn_id for usage in room.all(Usage)] == [None, None]
    assert room.all(Transcript) == []


def test_a_response_that_was_never_announced_counts(room: Room) -> None:
    room.ask("t1")
    call = ev.FunctionCall("c1", "light", "{}")
    room.hear(ev.CallDone("r1", call), done("r1", "t1", calls=(call,)))
    assert [asked.turn_id for asked in room.all(ToolCall)] == ["t1"]


def test_a_room_without_transcription() -> None:
    room = Room(transcription=None).up()
    room.say("t1")
    room.hear(ev.AudioCommitted("i1"))
    room.reply("r1", "t1")
    assert room.ends() == [("t1", "completed")]
