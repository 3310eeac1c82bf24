import pytest

from tests.fakes.schema import assert_published, needs_schema
from voice_node.local import wire
from voice_node.local.conversation import function_call, message
from voice_node.local.refusal import Refused

ITEM = message("item_1", "user", [{"type": "input_text", "text": "hi"}], "completed")
CALL = function_call("item_2", "call_1", "t", "{}", "completed")
PART = wire.Part("resp_1", "item_1", 0)
RESPONSE = {"object": "realtime.response", "id": "resp_1", "status": "completed", "usage": wire.no_usage()}

EVENTS = [
    wire.error(Refused("invalid_value", "No.", "x"), None),
    wire.session_expired(60),
    wire.buffer_committed("item_1", None),
    wire.buffer_cleared(),
    wire.speech_started("item_1", 20),
    wire.speech_stopped("item_1", 20),
    wire.timeout_triggered("item_1", 0, 6000),
    wire.rate_limits_updated(60, 59, 1.23456),
    wire.transcription_delta("item_1", 0, "hi"),
    wire.item_added(ITEM, "item_0"),
    wire.item_done(CALL, None),
    wire.item_retrieved(ITEM),
    wire.item_deleted("item_1"),
    wire.item_truncated("item_1", 0, 5),
    wire.transcription_completed("item_1", 0, "hi", 1.2345),
    wire.transcription_failed("item_1", 0, "recognition_failed", "No."),
    wire.response_created(RESPONSE),
    wire.response_done(RESPONSE),
    wire.output_item_added("resp_1", 0, CALL),
    wire.output_item_done("resp_1", 0, CALL),
    PART.added("audio"),
    PART.added("text"),
    PART.done("audio", "hi"),
    PART.done("text", "hi"),
    PART.text_delta("hi"),
    PART.text_done("hi"),
    PART.transcript_delta("hi"),
    PART.transcript_done("hi"),
    PART.audio_delta(b"ab"),
    PART.audio_done(),
    PART.arguments_delta("call_1", "{}"),
    PART.arguments_done("call_1", "t", "{}"),
]


@needs_schema
@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event["type"])
def test_events_are_as_published(event: wire.Event) -> None:
    assert_published("server", event)


def test_every_event_has_an_id_of_its_own() -> None:
    assert len({event["event_id"] for event in EVENTS}) == len(EVENTS)


def test_an_error_by_http_has_openai_s_shape() -> None:
    body = wire.http_error(Refused("too_many_clients", "Too many.", status=503))
    assert body == {
        "error": {"message": "Too many.", "type": "server_error", "param": None, "code": "too_many_clients"}
    }
