"""The life of a connection, and what becomes of turns over one connection after the other."""

from typing import Any

import pytest

from tests.session.room import SECOND, Room, done, ended, kinds
from voice_node.model.control import ResetConversation, SetMuted, SetSpent
from voice_node.model.speech import SpeechAudio, SpeechStarted
from voice_node.model.turn import (
    LinkChanged,
    ReplyAudio,
    ResponseStatus,
    ServiceTrouble,
    TokenCount,
    ToolCall,
    Transcript,
    TurnFinished,
    TurnLost,
    Usage,
)
from voice_node.session import events as ev
from voice_node.session.protocol import (
    HANDSHAKE_PATIENCE_S,
    IDLE,
    MOST_REQUESTS,
    RENEWED,
    RESET,
    SPENT,
    differences,
    redact,
)

LIGHT = ev.FunctionCall("call_1", "light", '{"on":true}')
FAN = ev.FunctionCall("call_2", "fan", "{}")


# --- opening ------------------------------------------------------------------------------------------------------


def test_nothing_is_sent_before_the_server_spoke() -> None:
    room = Room()
    room.say("t1")
    room.perform(room.protocol.opened(room.now))
    room.say("t2")
    assert room.sends == []


def test_the_handshake_then_what_was_held() -> None:
    room = Room()
    room.say("t1")
    room.perform(room.protocol.opened(room.now))
    room.hear(ev.SessionCreated("sess_1", None, {}))
    assert kinds(room.take()) == ["UpdateSession"]
    assert not room.protocol.is_ready
    room.hear(ev.SessionUpdated({}))
    assert room.protocol.is_ready
    assert kinds(room.take()) == ["AppendAudio", "CommitAudio", "CreateResponse"]
    assert b"".join(event.pcm for event in room.all(ev.AppendAudio)) == SECOND
    assert room.all(LinkChanged) == [LinkChanged(is_up=True, session_id="sess_1", dialect="ga")]


def test_session_events_told_twice_change_nothing() -> None:
    room = Room().up()
    room.take()
    room.hear(ev.SessionCreated("sess_2", None, {}), ev.SessionUpdated({}), ev.SessionUpdated({}))
    assert room.take() == []
    assert len(room.all(LinkChanged)) == 1


@pytest.mark.parametrize("is_greeted", [False, True])
def test_a_handshake_that_never_ends_is_given_up(is_greeted: bool) -> None:
    room = Room()
    room.perform(room.protocol.opened(room.now))
    if is_greeted:
        room.wait(HANDSHAKE_PATIENCE_S - 1)
        room.hear(ev.SessionCreated("sess_1", None, {}))
    room.wait(HANDSHAKE_PATIENCE_S - 1)
    assert room.close is None
    room.wait(2)
    assert room.close is not None


def test_a_server_that_keeps_its_own_turn_detection_is_reported() -> None:
    room = Room()
    room.perform(room.protocol.opened(room.now))
    kept = {"audio": {"input": {"turn_detection": {"type": "server_vad"}}}}
    room.hear(ev.SessionCreated("s", None, {}), ev.SessionUpdated(kept))
    assert [trouble.code for trouble in room.all(ServiceTrouble)] == ["settings_kept"]
    assert "audio.input.turn_detection" in room.all(ServiceTrouble)[0].detail
    assert room.protocol.is_ready


@pytest.mark.parametrize("session", [{"audio": None}, {"audio": {"input": []}}, {"audio": {"input": {}}}, {}])
def test_an_odd_echo_of_the_settings_is_no_trouble(session: dict[str, Any]) -> None:
    room = Room()
    room.perform(room.protocol.opened(room.now))
    room.hear(ev.SessionCreated("s", None, {}), ev.SessionUpdated(session))
    assert room.protocol.is_ready
    assert room.all(ServiceTrouble) == []


# --- refusals and errors ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["invalid_api_key", "model_not_found", "missing_model", "beta_api_shape_disabled"])
def test_what_no_other_attempt_can_cure_ends_the_session(code: str) -> None:
    room = Room()
    room.perform(room.protocol.opened(room.now))
    room.hear(ev.ServerError(code, "no"))
    assert room.refused is not None
    assert code in room.refused


def test_refused_settings_end_the_session() -> None:
    room = Room()
    room.perform(room.protocol.opened(room.now))
    room.hear(ev.SessionCreated("s", None, {}))
    (update,) = room.all(ev.UpdateSession)
    room.hear(ev.ServerError("invalid_value", "Invalid value for session.audio.output.voice", update.event_id))
    assert room.refused is not None
    assert "voice" in room.refused


@pytest.mark.parametrize("code", ["server_error", "rate_limit_exceeded", "insufficient_quota", "internal_error"])
def test_a_service_in_trouble_while_it_is_configured_is_tried_again(code: str) -> None:
    room = Room()
    room.perform(room.protocol.opened(room.now))
    room.hear(ev.SessionCreated("s", None, {}))
    (update,) = room.all(ev.UpdateSession)
    room.hear(ev.ServerError(code, "later", update.event_id))
    assert room.refused is None
    assert room.close is not None
    assert [trouble.code for trouble in room.all(ServiceTrouble)] == [code]


def test_an_expired_session_is_closed_and_its_unanswered_turn_said_again() -> None:
    room = Room().up()
    room.say("t1")
    room.take()
    room.hear(ev.ServerError("session_expired", "Your session hit the maximum duration of 60 minutes."))
    assert room.close is not None
    room.down(room.close)
    room.up()
    assert kinds(room.take()) == ["UpdateSession", "AppendAudio", "CommitAudio", "CreateResponse"]
    room.reply("r1", "t1")
    room.heard("i1")
    assert room.ends() == [("t1", "completed")]


@pytest.mark.parametrize(
    "code",
    [
        "conversation_already_has_active_response",
        "response_cancel_not_active",
        "input_audio_buffer_commit_empty",
        "invalid_value",
        "server_error",
        "something_new",
    ],
)
@pytest.mark.parametrize("event_id", [None, "node_1", "node_999"])
def test_errors_do_not_end_a_session(code: str, event_id: str | None) -> None:
    room = Room().up()
    room.hear(ev.ServerError(code, "oh", event_id))
    assert room.close is None
    assert room.refused is None
    room.say("t1")
    room.heard("i1")
    room.reply("r1", "t1")
    assert room.ends() == [("t1", "completed")]


def test_benign_errors_are_not_told() -> None:
    room = Room().up()
    room.hear(ev.ServerError("response_cancel_not_active", "no"))
    assert room.all(ServiceTrouble) == []
    room.hear(ev.ServerError("invalid_value", "no"))
    assert [trouble.code for trouble in room.all(ServiceTrouble)] == ["invalid_value"]


@pytest.mark.parametrize(
    "key", ["sk-proj-abcdef", "ek_1234567890", "xai-ABCDEF0123456789", "0123456789abcdef0123456789abcdef", "sk-ab***yz"]
)
def test_nothing_like_a_key_is_repeated(key: str) -> None:
    assert key not in redact(f"Incorrect API key provided: {key}. You can find your key at the site.")
    assert "You can find" in redact(f"Incorrect API key provided: {key}. You can find your key at the site.")
    assert len(redact("ab " * 500)) <= 200


def test_unknown_and_unreadable_events_are_counted_not_acted_on() -> None:
    room = Room().up()
    room.take()
    room.hear(ev.Ignored("response.new_thing"), ev.Malformed("no object"), ev.Malformed("no object"))
    assert room.take() == []
    assert room.protocol.malformed_count == 2


# --- one turn -----------------------------------------------------------------------------------------------------


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


# --- outages ------------------------------------------------------------------------------------------------------


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


# --- wanting a connection -----------------------------------------------------------------------------------------


def test_an_idle_connection_closes_and_speech_wants_another() -> None:
    room = Room(connect="on_speech").up()
    room.say("t1")
    room.heard("i1")
    room.reply("r1", "t1")
    room.wait(119)
    assert room.close is None
    room.wait(2)
    assert room.close == IDLE
    room.down(IDLE)
    assert not room.protocol.wants_link(room.now)
    assert room.all(LinkChanged)[-1] == LinkChanged(is_up=False, detail=IDLE, is_trouble=False)
    room.put(SpeechStarted("t2", 0))
    assert room.protocol.wants_link(room.now)


def test_always_means_always() -> None:
    room = Room().up()
    room.wait(400, 10)
    assert room.close is None
    room.down()
    assert room.protocol.wants_link(room.now)


def test_a_reset_ends_the_connection_and_its_memory() -> None:
    room = Room().up()
    room.put(ResetConversation())
    assert room.close == RESET
    room.down(RESET)
    room.put(ResetConversation())
    assert room.close is None
    assert not room.all(LinkChanged)[-1].is_trouble


# --- the end of a session -----------------------------------------------------------------------------------------


def begun(room: Room, expires_at: float | None, session: dict[str, Any] | None = None) -> Room:
    """Up, with what the first event says."""
    room.close = None
    room.perform(room.protocol.opened(room.now))
    room.hear(ev.SessionCreated("s", expires_at, session or {}), ev.SessionUpdated({}))
    room.take()
    return room


def renewed_after(expires_in: float | None) -> float:
    """Seconds after which a quiet session is renewed."""
    room = Room()
    begun(room, None if expires_in is None else room.now.wall.timestamp() + expires_in)
    while room.close is None and room.at < 4000:
        room.wait(5, 5)
    assert room.close == RENEWED
    return room.at


@pytest.mark.parametrize(
    ("expires_in", "after"),
    [
        (None, 55 * 60),
        (3600, 55 * 60),
        (1800, 1800 - 120),
        (100, 75),
        # A clock that is wrong must not make the session seem over, nor endless:
        (-365 * 86400, 55 * 60),
        (0, 55 * 60),
        (365 * 86400, 55 * 60),
        (7200, 55 * 60),
    ],
)
def test_when_a_session_is_renewed(expires_in: float | None, after: float) -> None:
    assert renewed_after(expires_in) == pytest.approx(after, abs=5)


def test_a_turn_is_not_interrupted_by_a_renewal() -> None:
    room = Room()
    begun(room, room.now.wall.timestamp() + 100)
    room.wait(70)
    room.say("t1")
    room.hear(ev.AudioCommitted("i1"), ev.ResponseCreated("r1", {"turn_id": "t1"}))
    room.wait(15)
    assert room.close is None
    room.hear(ev.TranscriptDone("i1", "words"), done("r1", "t1"))
    room.wait(0.5)
    assert room.close == RENEWED
    room.down(RENEWED)
    assert not room.all(LinkChanged)[-1].is_trouble
    assert room.protocol.wants_link(room.now)


def test_a_renewal_that_cannot_be_done_in_peace_is_an_expiry() -> None:
    room = Room().up()
    room.say("t1")
    room.hear(ev.ServerError("session_expired", "60 minutes"))
    assert room.close == "the session expired"
    assert room.all(ServiceTrouble) == []


# --- dialects -----------------------------------------------------------------------------------------------------

GA = {"type": "realtime", "audio": {"input": {}}, "output_modalities": ["audio"]}
BETA = {"modalities": ["audio", "text"], "input_audio_format": "pcm16"}


@pytest.mark.parametrize(
    ("session", "dialect"),
    [
        (GA, "ga"),
        (BETA, "beta"),
        ({}, "ga"),
        ({"type": "transcription", "object": "realtime.transcription_session"}, "ga"),
        ({"object": "realtime.transcription_session", "input_audio_transcription": None}, "beta"),
        ({"type": "realtime", "modalities": ["audio"]}, "ga"),
        ({"type": "realtime", "audio": None, "tools": None, "instructions": None, "expires_at": None}, "ga"),
        (dict.fromkeys(("type", "audio", "tools", "instructions", "output_modalities")), "ga"),
        (dict.fromkeys(("modalities", "input_audio_format", "turn_detection")), "beta"),
        ({"type": 5, "audio": []}, "ga"),
    ],
)
def test_the_first_event_shows_the_dialect(session: dict[str, Any], dialect: str) -> None:
    room = begun(Room(), None, session)
    assert room.protocol.dialect == dialect
    (update,) = room.all(ev.UpdateSession)
    assert ("modalities" in update.session) == (dialect == "beta")
    assert room.all(LinkChanged)[-1].dialect == dialect


@pytest.mark.parametrize(
    ("values", "session", "dialect"),
    [
        ({"dialect": "beta"}, GA, "beta"),
        ({"dialect": "ga"}, BETA, "ga"),
        ({"provider": "xai"}, BETA | {"voice": "eve"}, "ga"),
        ({"provider": "xai"}, {"voice": "eve", "turn_detection": None, "audio": {}}, "ga"),
        ({"provider": "openai"}, BETA, "ga"),
        ({"provider": "speaches"}, GA, "beta"),
    ],
)
def test_a_dialect_that_is_known_is_not_guessed(values: dict[str, Any], session: dict[str, Any], dialect: str) -> None:
    assert begun(Room(**values), None, session).protocol.dialect == dialect


def test_the_dialect_may_be_another_on_the_next_connection() -> None:
    room = begun(Room(), None, BETA)
    room.down()
    assert begun(room, None, GA).protocol.dialect == "ga"


# --- the settings in force ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "given", "found"),
    [
        ({"a": 1}, {}, []),
        ({"a": 1}, {"a": 1.0}, []),
        ({"a": 0.8}, {"a": 0.8000000001}, []),
        ({"a": 0.5}, {"a": 0.6}, ["a"]),
        ({"a": True}, {"a": False}, ["a"]),
        ({"a": 1024}, {"a": "inf"}, ["a"]),
        ({"a": "inf"}, {"a": "inf"}, []),
        ({"voice": "marin"}, {"voice": "alloy"}, ["voice"]),
        ({"instructions": "x" * 100}, {"instructions": "y"}, []),
        ({"a": {"b": {"c": 1}}}, {"a": {"b": {"c": 2}}}, ["a.b.c"]),
        ({"a": {"b": 1}}, {"a": None}, []),
        ({"turn_detection": None}, {"turn_detection": {"type": "server_vad"}}, ["turn_detection"]),
        ({"transcription": {"model": "m"}}, {"transcription": None}, ["transcription"]),
        ({"input_audio_transcription": {}}, {"input_audio_transcription": None}, ["input_audio_transcription"]),
        ({"transcription": None}, {"transcription": None}, []),
        ({"tools": [1]}, {"tools": [2]}, []),
        ({"tool_choice": {"type": "function"}}, {"tool_choice": "auto"}, []),
    ],
)
def test_differences(wanted: dict[str, Any], given: dict[str, Any], found: list[str]) -> None:
    assert differences(wanted, given) == found


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


# --- money --------------------------------------------------------------------------------------------------------


def test_a_spent_budget_ends_the_session_after_the_turn_under_way() -> None:
    room = Room().up()
    room.say("t1")
    room.put(SetSpent(is_spent=True))
    room.wait(1)
    assert room.close is None
    room.heard("i1")
    room.reply("r1", "t1")
    room.wait(0.5)
    assert room.close == SPENT
    room.down(SPENT)
    assert not room.all(LinkChanged)[-1].is_trouble
    assert not room.protocol.wants_link(room.now)
    room.ask("t2")
    assert not room.protocol.wants_link(room.now)
    assert room.ends() == [("t1", "completed"), ("t2", "spent")]
    room.put(SetSpent(is_spent=False))
    assert room.protocol.wants_link(room.now)


def test_requests_do_not_keep_a_session_alive_that_is_spent() -> None:
    room = Room().up()
    room.ask("t1")
    room.put(SetSpent(is_spent=True))
    room.take()
    room.ask("t2")
    room.announce("t3")
    assert room.take() == []
    assert room.ends() == [("t2", "spent"), ("t3", "spent")]
    room.reply("r1", "t1")
    room.wait(0.5)
    assert room.close == SPENT


def test_more_requests_than_can_be_answered_in_time_are_refused() -> None:
    room = Room().up()
    for number in range(MOST_REQUESTS):
        room.ask(f"t{number}")
    room.take()
    room.ask("one more")
    room.announce("and one more")
    room.say("spoken")
    assert kinds(room.take()) == ["AppendAudio", "CommitAudio"]
    assert room.ends() == [("one more", "busy"), ("and one more", "busy")]
    room.reply("r0", "t0")
    room.ask("now")
    assert ("now", "busy") not in room.ends()


def test_what_a_turn_costs_is_priced() -> None:
    room = Room(provider="openai", url=None, model="gpt-realtime-2.1-mini").up()
    room.say("t1")
    room.hear(ev.AudioCommitted("i1"), ev.TranscriptDone("i1", "words", usage_s=60.0))
    heard = TokenCount(1000, 2000, 800, 1500, 100, 50)
    room.hear(ev.ResponseCreated("r1", {"turn_id": "t1"}))
    room.hear(ev.ResponseDone("r1", ResponseStatus.COMPLETED, usage_input=heard, usage_output=TokenCount(100, 300)))
    transcription, response = room.all(Usage)
    assert transcription.usd == pytest.approx(0.0045)
    micro = 200 * 0.6 + 800 * 0.06 + 500 * 10 + 1500 * 0.3 + 50 * 0.8 + 50 * 0.08 + 100 * 2.4 + 300 * 20
    assert response.usd == pytest.approx(micro / 1e6)
    assert response.input == heard


# --- for years ----------------------------------------------------------------------------------------------------


def test_nothing_grows() -> None:
    room = Room().up()
    answers, replies = room.protocol._answers, room.protocol._replies
    for number in range(500):
        turn_id, response_id = f"t{number}", f"r{number}"
        if number % 3 == 0:
            room.ask(turn_id)
        else:
            room.say(turn_id, bytes(9600))
            room.heard(f"i{number}")
        call = ev.FunctionCall(f"c{number}", "light", "{}")
        if number % 2:
            room.hear(ev.ResponseCreated(response_id, {}), ev.CallDone(response_id, call))
            room.hear(done(response_id, turn_id, calls=(call,)))
            room.answer(f"c{number}")
            response_id += "b"
        room.reply(response_id, turn_id)
        room.hear(ev.ReplyAudioDelta(response_id, f"item_{response_id}", b""))
        room.take()
        room.at += 3
    assert len(room.ends()) == 500
    assert {status for _, status in room.ends()} == {"completed"}
    assert len(room.all(ToolCall)) == 250
    assert len({words.item_id for words in room.all(Transcript)}) == len(room.all(Transcript))
    turns = answers.turns
    assert (len(turns), turns._items, turns._responses, turns._calls) == (0, {}, {}, {})
    assert answers.sequencer.is_idle
    assert len(answers._awaited) <= 256
    assert len(replies._told) <= 256
    assert len(replies._began) <= 1
    assert len(room.all(Usage)) == 500 + 250 + 333


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


def test_what_was_held_is_not_sent_when_the_budget_is_spent() -> None:
    room = Room()
    room.say("t1")
    room.put(SetSpent(is_spent=True))
    assert room.ends() == [("t1", "spent")]
    room.up()
    assert "AppendAudio" not in kinds(room.take())
