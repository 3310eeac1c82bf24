"""What a service complains of: what ends the session, what ends the connection, and what is no matter."""

import pytest

from tests.session.room import Room, kinds
from voice_node.model.turn import ServiceTrouble
from voice_node.session import events as ev
from voice_node.session.protocol import redact


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
