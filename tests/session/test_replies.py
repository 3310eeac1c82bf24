"""What the server says about items and responses."""

from typing import Any

import pytest

from tests.session.room import LIGHT, SECOND, Room, done, kinds
from voice_node.model.control import StopReply
from voice_node.model.turn import (
    ReplyAudio,
    ReplyAudioEnded,
    ReplyStarted,
    ResponseStatus,
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


# --- what was heard of a reply ------------------------------------------------------------------------------------


def replying(**values: Any) -> Room:
    """One second of a reply has come."""
    room = Room(**values).up()
    room.ask("t1")
    room.hear(ev.ResponseCreated("r1", {"turn_id": "t1"}), ev.ReplyAudioDelta("r1", "i1", SECOND))
    room.take()
    return room


@pytest.mark.parametrize(
    ("played_ms", "expected"),
    [
        (400, ["CancelResponse", "TruncateItem"]),
        (999, ["CancelResponse", "TruncateItem"]),
        (0, ["CancelResponse", "DeleteItem"]),
        (1000, ["CancelResponse"]),
        (57_340, ["CancelResponse"]),
    ],
)
def test_a_reply_is_cut_where_it_was_heard(played_ms: int, expected: list[str]) -> None:
    room = replying()
    room.put(StopReply("i1", played_ms))
    assert kinds(room.take()) == expected
    assert [event.audio_end_ms for event in room.all(ev.TruncateItem)] == ([played_ms] if 0 < played_ms < 1000 else [])


def test_a_reply_that_is_complete_but_still_sounds_is_cut_too() -> None:
    room = replying()
    room.hear(ev.ReplyAudioDone("r1", "i1"), done("r1", "t1"))
    room.put(StopReply("i1", 400))
    assert kinds(room.take()) == ["TruncateItem"]
    room.put(StopReply("i1", 400))
    assert room.take() == [], "once"


def test_what_waited_behind_it_was_not_heard_at_all() -> None:
    room = replying()
    room.hear(ev.ReplyAudioDelta("r1", "i2", SECOND))
    room.put(StopReply("i1", 400))
    _, truncate, delete = room.take()
    assert isinstance(truncate, ev.TruncateItem)
    assert isinstance(delete, ev.DeleteItem)
    assert (truncate.item_id, delete.item_id) == ("i1", "i2")


def test_nothing_is_cut_that_came_before_or_is_not_known() -> None:
    room = replying()
    room.hear(ev.ReplyAudioDelta("r1", "i2", SECOND))
    room.put(StopReply("i2", 100))
    assert [event.item_id for event in room.all(ev.TruncateItem)] == ["i2"]
    room.put(StopReply("i9", 100), StopReply())
    assert len(room.all(ev.TruncateItem)) == 1


def test_a_cut_that_the_service_refuses_is_no_trouble() -> None:
    room = replying()
    room.put(StopReply("i1", 400))
    (truncate,) = room.all(ev.TruncateItem)
    room.hear(ev.ServerError("unsupported_content_type", "no", truncate.event_id))
    room.hear(done("r1", "t1", status=ResponseStatus.CANCELLED))
    assert room.all(ServiceTrouble) == []
    assert room.ends() == [("t1", "cancelled")]


def test_items_of_a_lost_connection_are_not_cut() -> None:
    room = replying()
    room.hear(done("r1", "t1"))
    room.down()
    room.put(StopReply("i1", 400))
    assert room.take() == []
    room.up()
    room.take()
    room.put(StopReply("i1", 400))
    assert room.take() == []


def test_a_service_that_can_do_neither_is_asked_for_neither() -> None:
    room = replying(provider="speaches")
    room.put(StopReply("i1", 400))
    assert room.take() == []
    room.hear(ev.ReplyAudioDelta("r1", "i1", SECOND), ev.CallDone("r1", ev.FunctionCall("c", "light", "{}")))
    room.hear(done("r1", "t1"))
    assert len(room.all(ReplyAudio)) == 1
    assert room.all(ToolCall) == []
    assert len(room.ends()) == 1
    room.ask("t2")
    room.reply("r2", "t2")
    assert room.ends()[1:] == [("t2", "completed")]


@pytest.mark.parametrize("form", ["pcmu", "pcma"])
def test_g711_both_ways(form: Any) -> None:
    room = Room(input_format=form, output_format=form).up()
    room.say("t1", bytes([0xD5 if form == "pcma" else 0xFF]) * 8000)
    commits = room.all(ev.CommitAudio)
    assert len(commits) == 1
    room.hear(ev.AudioCommitted("i1"), ev.TranscriptDone("i1", "words"))
    room.hear(ev.ResponseCreated("r1", {"turn_id": "t1"}))
    room.hear(ev.ReplyAudioDelta("r1", "o1", bytes([0xD5 if form == "pcma" else 0xFF]) * 4000))
    room.hear(ev.ReplyAudioDone("r1", "o1"))
    pcm = b"".join(piece.pcm for piece in room.all(ReplyAudio))
    assert len(pcm) == 24_000, "half a second at 24 kHz"
    assert max(abs(sample) for sample in memoryview(pcm).cast("h")) < 20
    room.put(StopReply("o1", 200))
    assert [event.audio_end_ms for event in room.all(ev.TruncateItem)] == [200]


def test_a_reply_begins_without_the_rest_of_the_one_that_was_cut() -> None:
    loud, silent = b"\x00" * 800, b"\xff" * 800
    room = Room(output_format="pcmu").up()
    room.ask("t1")
    room.hear(ev.ResponseCreated("r1", {"turn_id": "t1"}), ev.ReplyAudioDelta("r1", "i1", loud))
    room.put(StopReply("i1", 10))
    room.hear(done("r1", "t1", status=ResponseStatus.CANCELLED))
    room.audio.clear()
    room.ask("t2")
    room.hear(ev.ResponseCreated("r2", {"turn_id": "t2"}), ev.ReplyAudioDelta("r2", "i2", silent))
    pcm = b"".join(piece.pcm for piece in room.all(ReplyAudio))
    assert pcm
    assert max(abs(sample) for sample in memoryview(pcm).cast("h")) < 20


def test_a_turn_for_which_the_service_called_a_tool_is_not_said_again(room: Room) -> None:
    room.say("t1")
    room.hear(ev.ResponseCreated("r1", {"turn_id": "t1"}), ev.ServiceActs())
    room.down()
    assert room.ends() == [("t1", "disconnected")]


# --- how sure the service is --------------------------------------------------------------------------------------


@pytest.fixture
def strict() -> Room:
    """A room that demands a confidence; its turn t1 was committed and answered with a call."""
    room = Room(include=["item.input_audio_transcription.logprobs"], least_confidence=0.5).up()
    room.say("t1")
    room.hear(ev.AudioCommitted("i1"), ev.ResponseCreated("r1", {"turn_id": "t1"}), ev.CallDone("r1", LIGHT))
    assert room.all(ToolCall) == [], "nothing is known of the words yet"
    return room


@pytest.mark.parametrize("confidence", [0.5, 0.99, None])
def test_a_call_waits_for_a_transcript_that_is_sure_or_of_which_nothing_is_told(
    strict: Room, confidence: float | None
) -> None:
    strict.hear(done("r1", "t1", calls=(LIGHT,)))
    strict.hear(ev.TranscriptDone("i1", "light on", None, confidence))
    assert [call.call_id for call in strict.all(ToolCall)] == ["call_1"]
    strict.answer("call_1")
    again = ev.FunctionCall("call_2", "light", "{}")
    strict.hear(ev.ResponseCreated("r2", {"turn_id": "t1"}), ev.CallDone("r2", again))
    assert len(strict.all(ToolCall)) == 2, "the words are known"
    strict.hear(done("r2", "t1", calls=(again,)))
    strict.answer("call_2")
    strict.reply("r3", "t1")
    assert strict.ends() == [("t1", "completed")]


@pytest.mark.parametrize("is_over", [True, False])
@pytest.mark.parametrize("heard", [ev.TranscriptDone("i1", "Thank you.", None, 0.49), ev.TranscriptFailed("i1", "x")])
def test_what_nobody_may_have_said_calls_nothing(strict: Room, heard: Any, is_over: bool) -> None:
    if is_over:
        strict.hear(done("r1", "t1", calls=(LIGHT,)))
    strict.take()
    strict.hear(heard)
    assert strict.ends() == [("t1", "empty")]
    assert kinds(strict.take()) == [*([] if is_over else ["CancelResponse"]), "CreateCallOutput"]
    strict.hear(done("r1", "t1", calls=(LIGHT,)))
    assert strict.all(ToolCall) == []
    assert len([line for line in strict.all(Transcript) if line.is_final]) == isinstance(heard, ev.TranscriptDone)
    strict.say("t2")
    strict.hear(ev.AudioCommitted("i2"), ev.TranscriptDone("i2", "light on", None, 0.9))
    strict.reply("r2", "t2")
    assert strict.ends()[1:] == [("t2", "completed")]


def test_a_call_does_not_wait_for_ever_for_a_transcript(strict: Room) -> None:
    strict.hear(done("r1", "t1", calls=(LIGHT,)))
    strict.wait(11)
    assert strict.ends() == [("t1", "timeout")]
    assert strict.all(ToolCall) == []


@pytest.mark.parametrize("is_over", [True, False])
def test_stop_while_a_call_waits_for_its_transcript(strict: Room, is_over: bool) -> None:
    over = done("r1", "t1", status=ResponseStatus.COMPLETED if is_over else ResponseStatus.CANCELLED, calls=(LIGHT,))
    if is_over:
        strict.hear(over)
    strict.stop()
    strict.hear(over, ev.TranscriptDone("i1", "light on", None, 0.9))
    assert strict.all(ToolCall) == []
    assert strict.ends() == [("t1", "cancelled")]


def test_a_connection_that_ends_while_a_call_waits_for_its_transcript(strict: Room) -> None:
    strict.down()
    assert strict.ends() == [("t1", "disconnected")]
    assert strict.all(ToolCall) == []


def test_what_is_asked_in_writing_needs_no_confidence() -> None:
    room = Room(include=["item.input_audio_transcription.logprobs"], least_confidence=0.5).up()
    room.ask("t1")
    room.hear(ev.ResponseCreated("r1", {"turn_id": "t1"}), ev.CallDone("r1", LIGHT))
    assert len(room.all(ToolCall)) == 1
