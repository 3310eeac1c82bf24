from typing import Any

import pytest

from tests.fakes.schema import assert_published, published
from tests.local.client import needs_espeak, needs_sox, utter
from tests.local.hostile import HOSTILE
from tests.local.line import line, message
from tests.local.rooms import GET_TIME, as_offered
from tests.local.test_wire import EVENTS
from voice_node.local import wire
from voice_node.local.session import default_session
from voice_node.local.wire_beta import Beta

SILENCE = bytes(48 * 1000)
FLAT: dict[str, Any] = {
    "modalities": ["text"],
    "instructions": "Be brief.",
    "voice": "alloy",
    "input_audio_format": "g711_ulaw",
    "output_audio_format": "g711_alaw",
    "input_audio_transcription": {"model": "whisper-1"},
    "input_audio_noise_reduction": {"type": "far_field"},
    "turn_detection": {"type": "server_vad", "threshold": 0.6, "prefix_padding_ms": 200, "silence_duration_ms": 400},
    "tools": as_offered(GET_TIME),
    "tool_choice": "required",
    "temperature": 1.1,
    "max_response_output_tokens": 50,
    "speed": 1.2,
    "tracing": None,
}


KNOWN_TO_AZURE = {
    "error",
    "session.created",
    "session.updated",
    "input_audio_buffer.committed",
    "input_audio_buffer.cleared",
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "conversation.item.created",
    "conversation.item.truncated",
    "conversation.item.deleted",
    "conversation.item.input_audio_transcription.completed",
    "conversation.item.input_audio_transcription.failed",
    "response.created",
    "response.done",
    "response.output_item.added",
    "response.output_item.done",
    "response.content_part.added",
    "response.content_part.done",
    "response.text.delta",
    "response.text.done",
    "response.audio_transcript.delta",
    "response.audio_transcript.done",
    "response.audio.delta",
    "response.audio.done",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "rate_limits.updated",
}
"""All that Azure's rt-client reads; at anything else it ends."""


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event["type"])
def test_azure_s_client_knows_what_it_is_told_unasked(event: wire.Event) -> None:
    if "response" not in event and event["type"] != "conversation.item.retrieved":
        told = Beta().write(event)
        assert told is None or told["type"] in KNOWN_TO_AZURE


def test_azure_s_client_can_read_the_session() -> None:
    told = Beta().write(wire.session_created(default_session("sess_1", "realtime", "m")))
    assert told is not None
    session = told["session"]
    assert session["voice"] in ("alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse")
    assert isinstance(session["instructions"], str)
    assert 0.6 <= session["temperature"] <= 1.2


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event["type"])
def test_every_event_of_ours_is_one_of_the_beta_s_or_is_not_told(event: wire.Event) -> None:
    if "response" in event:
        return  # these here are no whole responses: `test_a_call_and_its_reply` has them
    told = Beta().write(event)
    if told is None:
        assert event["type"] not in published("server", "beta") or event["type"].endswith("transcription.delta")
    else:
        assert_published("server", told, "beta")


async def test_every_field_of_the_session_is_kept() -> None:
    async with line("beta", language="de") as peer:
        update = {"type": "session.update", "session": FLAT}
        assert_published("client", update, "beta")
        (updated,) = await peer.say(**update | {"kind": update.pop("type")})  # type: ignore[arg-type]  # the event
        session = updated["session"]
        turns = session.pop("turn_detection")
        assert turns.items() >= FLAT["turn_detection"].items()
        assert "idle_timeout_ms" not in turns
        assert {name: session[name] for name in FLAT if name != "turn_detection"} == {
            name: value for name, value in FLAT.items() if name != "turn_detection"
        }
        (updated,) = await peer.say("session.update", session={"turn_detection": None, "voice": "echo"})
        session = updated["session"]
        assert (session["turn_detection"], session["voice"], session["temperature"]) == (None, "echo", 1.1)


@pytest.mark.parametrize(
    ("event", "code", "param"),
    [
        ({"type": "session.update"}, "missing_required_parameter", "session"),
        ({"type": "session.update", "session": {"audio": {}}}, "unknown_parameter", "session.audio"),
        ({"type": "session.update", "session": {"voice": 5}}, "invalid_type", "session.voice"),
        ({"type": "session.update", "session": {"temperature": 3}}, "invalid_value", "session.temperature"),
        (
            {"type": "session.update", "session": {"input_audio_format": "x"}},
            "invalid_value",
            "session.input_audio_format",
        ),
        (
            {"type": "session.update", "session": {"turn_detection": {"idle_timeout_ms": 5000}}},
            "unknown_parameter",
            "session.turn_detection.idle_timeout_ms",
        ),
        (
            {"type": "session.update", "session": {"turn_detection": {"threshold": 2}}},
            "invalid_value",
            "session.turn_detection.threshold",
        ),
        (
            {"type": "session.update", "session": {"max_response_output_tokens": 0}},
            "invalid_value",
            "session.max_response_output_tokens",
        ),
        ({"type": "response.create", "response": {"voice": 5}}, "invalid_type", "response.voice"),
        ({"type": "response.create", "response": {"modalities": ["x"]}}, "invalid_value", "response.modalities[0]"),
        ({"type": "response.create", "response": {"audio": {}}}, "unknown_parameter", "response.audio"),
        ({"type": "transcription_session.update", "session": {}}, "invalid_value", "session.type"),
        ({"type": "conversation.item.delete", "item_id": 5}, "invalid_type", "item_id"),
    ],
)
async def test_errors_name_the_field_of_the_beta(event: dict[str, Any], code: str, param: str) -> None:
    async with line("beta", language="de") as peer:
        kind = event.pop("type")
        (error,) = await peer.say(kind, **event, event_id="e1")
        detail = error["error"]
        assert (detail["code"], detail["param"], detail["event_id"]) == (code, param, "e1")
        assert "session.audio.input" not in detail["message"]


async def test_no_tools_for_a_response_means_those_of_the_session() -> None:
    """As pipecat asks for each of its responses."""
    async with line("beta", tools=as_offered(GET_TIME)) as peer:
        await peer.say("conversation.item.create", item=message("what time is it"))
        *_, done = await peer.say("response.create", response={"modalities": ["audio", "text"], "tools": []})
        assert [item["name"] for item in done["response"]["output"]] == ["get_time"]


async def test_a_call_and_its_reply() -> None:
    async with line("beta", tools=as_offered(GET_TIME), temperature=0.9) as peer:
        await peer.say("conversation.item.create", item=message("what time is it"))
        *_, done = await peer.say(
            "response.create", response={"modalities": ["text"], "max_response_output_tokens": 99}
        )
        (call,) = done["response"]["output"]
        assert call["name"] == "get_time"
        assert "".join(event["delta"] for event in peer.of("response.function_call_arguments.delta")) == "{}"
        (arguments,) = peer.of("response.function_call_arguments.done")
        assert arguments["name"] == "get_time"
        output = {"type": "function_call_output", "call_id": call["call_id"], "output": "noon"}
        await peer.say("conversation.item.create", item=output)
        peer.sent.clear()
        *_, done = await peer.say("response.create")
        assert [event["type"] for event in peer.sent] == [
            "response.created",
            "rate_limits.updated",
            "response.output_item.added",
            "conversation.item.created",
            "response.content_part.added",
            "response.text.delta",
            "response.text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.done",
        ]
        response = done["response"]
        assert (
            response["output"][0]["content"] == [{"type": "text", "text": "Noon."}] or response["output"][0]["content"]
        )
        assert (response["modalities"], response["temperature"]) == (["text"], 0.9)
        assert response["usage"]["input_token_details"] == {"text_tokens": 0, "audio_tokens": 0, "cached_tokens": 0}


@needs_espeak
@needs_sox
async def test_a_spoken_turn_in_the_words_of_the_beta() -> None:
    """In German nothing is understood, and quickly."""
    transcribed = {"model": "whisper-1"}
    spoken = {"modalities": ["text", "audio"], "input_audio_transcription": transcribed}
    async with line("beta", language="de", **spoken) as peer:
        await peer.append(SILENCE + utter("sing me a song") + SILENCE)
        await peer.settle()
        assert len(peer.of("conversation.item.input_audio_transcription.failed")) == 1
        assert not peer.of("conversation.item.input_audio_transcription.delta")
        assert peer.of("response.audio.delta")
        (said,) = peer.of("response.audio_transcript.done")
        (done,) = peer.of("response.done")
        assert done["response"]["output"][0]["content"] == [{"type": "audio", "transcript": said["transcript"]}]
        assert [event["item"]["role"] for event in peer.of("conversation.item.created")] == ["user", "assistant"]


def test_a_session_that_only_writes_down() -> None:
    beta = Beta()
    event = {"type": "transcription_session.update", "session": {"input_audio_transcription": {"model": "whisper-1"}}}
    assert_published("client", event, "beta")
    assert beta.read(event) == {
        "type": "session.update",
        "session": {"type": "transcription", "audio": {"input": {"transcription": {"model": "whisper-1"}}}},
    }
    session = default_session("sess_1", "transcription", "m")
    for told in (beta.write(wire.session_created(session)), beta.write(wire.session_updated(session))):
        assert told is not None
        assert_published("server", told, "beta")
    assert told is not None
    assert told["type"] == "transcription_session.updated"


async def test_an_update_that_is_refused_changes_nothing() -> None:
    async with line("beta", language="de", temperature=0.7) as peer:
        (error,) = await peer.say("session.update", session={"temperature": 1.2, "speed": 9})
        assert error["error"]["param"] == "session.speed"
        (updated,) = await peer.say("session.update", session={"voice": "echo"})
        assert (updated["session"]["temperature"], updated["session"]["speed"]) == (0.7, 1.0)


@pytest.mark.parametrize(
    "frame",
    [
        *HOSTILE,
        '{"type": "session.update", "session": {"modalities": {"a": 1}}}',
        '{"type": "session.update", "session": {"temperature": null}}',
        '{"type": "session.update", "session": {"input_audio_format": []}}',
        '{"type": "session.update", "session": {"tool_choice": {"type": "function", "function": []}}}',
        '{"type": "session.update", "session": {"turn_detection": []}}',
        '{"type": "session.update", "session": {"turn_detection": {"type": []}}}',
        '{"type": "session.update", "session": {"": 1}}',
        '{"type": "transcription_session.update", "session": []}',
        '{"type": "transcription_session.update", "session": {"tools": []}}',
        '{"type": "response.create", "response": {"modalities": []}}',
        '{"type": "response.create", "response": {"temperature": "hot"}}',
    ],
    ids=lambda frame: repr(frame)[:60],
)
async def test_hostile_frames_get_errors_and_nothing_else(frame: str | bytes) -> None:
    async with line("beta", language="de") as peer:
        await peer.peer.receive(frame)
        assert peer.sent[-1]["type"] == "error"
        (updated,) = await peer.say("session.update", session={"voice": "echo"})
        assert updated["session"]["voice"] == "echo"
