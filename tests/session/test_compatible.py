"""Servers that speak the Realtime API in their own way, as they were found to: a spoken turn and a tool call each."""

import asyncio
import base64
from typing import Any

import pytest

from tests.fakes.realtime_server import Close, Emit, Expect, Json, RealtimeServer, Script, Until, emit
from tests.fakes.until import until
from tests.session.node import PCM, Node, node
from tests.session.room import SECOND
from tests.session.sessions import LIGHT
from voice_node.model.control import AnswerCall
from voice_node.model.turn import LinkChanged, ReplyAudio, ServiceTrouble, ToolCall, Transcript

VOICE = b"\1\0" * 24_000
ARGUMENTS = '{"on": true}'


async def command(room: Node, turn_id: str) -> None:
    """Somebody asks for the light, the home switches it, and the model says so."""
    await room.say(turn_id, VOICE)
    await until(lambda: bool(room.all(ToolCall)))
    (asked,) = room.all(ToolCall)
    assert (asked.turn_id, asked.name, asked.arguments) == (turn_id, "set_light", ARGUMENTS)
    await room.inputs.put(AnswerCall(asked.call_id, '{"ok": true}'))


def lines(room: Node) -> list[str]:
    return [line.text for line in room.all(Transcript) if line.is_final]


def sound(room: Node) -> bytes:
    return b"".join(piece.pcm for piece in room.played if isinstance(piece, ReplyAudio))


# --- speaches: beta, always its own detector ----------------------------------------------------------------------


def speaches_session(**fields: Any) -> Json:
    vad = {"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 0, "silence_duration_ms": 550}
    formats = {"input_audio_format": "pcm16", "output_audio_format": "pcm16"}
    return {"id": "sess_1", "modalities": ["audio", "text"], "turn_detection": vad} | formats | fields


def speaches_greets() -> Script:
    """It tells of an update before there is a session, refuses null, and complains of what it does not know."""

    def is_what_it_takes(event: Json) -> bool:
        session = event["session"]
        return (
            session["turn_detection"]["type"] == "server_vad"
            and not {"input_audio_format", "output_audio_format"} & session.keys()
            and "prefix_padding_ms" not in session["turn_detection"]
            and session["input_audio_transcription"]["model"] == "Systran/faster-whisper-small"
        )

    complaint = {"type": "invalid_request_error", "message": "Specifying `speed` is not supported"}
    return (
        emit({"type": "session.updated", "session": speaches_session()}),
        emit({"type": "session.created", "session": speaches_session()}),
        Expect("session.update", is_what_it_takes),
        emit({"type": "error", "error": complaint}, {"type": "session.updated", "session": speaches_session()}),
    )


def speaches_hears(number: int) -> Script:
    """The words and half a second of silence: it commits and answers by itself."""
    item_id = f"item_{number}"
    text = {"transcript": f"question {number}", "item_id": item_id, "content_index": 0}
    return (
        Until(lambda heard: heard.count(VOICE) >= number and not any(heard[-26_000:])),
        emit(
            {"type": "input_audio_buffer.speech_started", "item_id": item_id, "audio_start_ms": 0},
            {"type": "input_audio_buffer.speech_stopped", "item_id": item_id, "audio_end_ms": 1000},
            {"type": "input_audio_buffer.committed", "item_id": item_id, "previous_item_id": None},
            {"type": "conversation.item.created", "item": {"id": item_id, "type": "message"}},
            {"type": "conversation.item.input_audio_transcription.completed"} | text,
        ),
    )


def begins(response_id: str) -> Json:
    """Already incomplete, and without metadata."""
    return {"type": "response.created", "response": {"id": response_id, "status": "incomplete", "output": []}}


def speaches_speaks(response_id: str) -> Emit:
    ids = {"response_id": response_id, "item_id": f"item_{response_id}", "output_index": 0, "content_index": 0}
    return emit(
        begins(response_id),
        {"type": "response.output_item.added", "item": {"id": ids["item_id"]}} | ids,
        {"type": "response.audio_transcript.delta", "delta": "it is"} | ids,
        {"type": "response.audio.delta", "delta": base64.b64encode(PCM).decode()} | ids,
        {"type": "response.audio.done"} | ids,
        {"type": "response.audio_transcript.done", "transcript": "it is on"} | ids,
        {"type": "response.done", "response": {"id": response_id, "status": "completed", "output": []}},
    )


def calls(response_id: str) -> Emit:
    item = {"type": "function_call", "id": "item_c", "call_id": "call_1", "name": "set_light", "arguments": ARGUMENTS}
    done = item | {"status": "completed"}
    ids = {"response_id": response_id, "item_id": "item_c", "output_index": 0}
    return emit(
        begins(response_id),
        {"type": "response.function_call_arguments.delta", "call_id": "call_1", "delta": ARGUMENTS} | ids,
        {"type": "response.function_call_arguments.done", "call_id": "call_1", "arguments": ARGUMENTS} | ids,
        {"type": "response.output_item.done", "item": done} | ids,
        {"type": "response.done", "response": {"id": response_id, "status": "completed", "output": [done]}},
    )


async def test_speaches() -> None:
    script = (
        *speaches_greets(),
        *speaches_hears(1),
        speaches_speaks("r1"),
        *speaches_hears(2),
        calls("r2"),
        Expect("conversation.item.create", lambda event: event["item"]["call_id"] == "call_1"),
        Expect("response.create"),
        speaches_speaks("r3"),
    )
    server = RealtimeServer(script, dialect="beta")
    section = {"provider": "speaches", "transcription": {"model": "Systran/faster-whisper-small"}, "tools": [LIGHT]}
    section |= {"turn_detection": {"type": "server_vad", "silence_duration_ms": 550}}
    async with server, node(server.url, paced_bytes_per_s=48_000, **section) as room:
        began = asyncio.get_running_loop().time()
        await room.say("t1", VOICE)
        assert await room.ended(1) == [("t1", "completed")]
        assert asyncio.get_running_loop().time() - began > 1.2, "a second of words and half a second of silence"
        await command(room, "t2")
        assert await room.ended(2) == [("t1", "completed"), ("t2", "completed")]
        assert lines(room) == ["question 1", "it is on", "question 2", "it is on"]
        assert sound(room) == PCM * 2
        assert room.all(LinkChanged)[0].dialect == "beta"
        assert [trouble.code for trouble in room.all(ServiceTrouble)] == ["invalid_request_error"]


# --- speech-to-speech: nearly GA, one session at a time -----------------------------------------------------------

_NULLS = (
    "model",
    "instructions",
    "tools",
    "tool_choice",
    "audio",
    "output_modalities",
    "tracing",
    "prompt",
    "expires_at",
)


def s2s_greets() -> Script:
    nulls = {"type": "realtime", "object": None, "id": None} | dict.fromkeys(_NULLS)

    def asks_for_its_rate(event: Json) -> bool:
        rate: int = event["session"]["audio"]["output"]["format"]["rate"]
        return rate == 24_000  # else it would speak at 16 kHz

    return (
        emit({"type": "session.created", "session": nulls}),
        Expect("session.update", asks_for_its_rate),
        emit({"type": "session.updated", "session": nulls}),
    )


def s2s_hears(number: int) -> Script:
    text = {"transcript": f"question {number}", "item_id": f"item_{number}", "content_index": 0}
    return (
        Expect("input_audio_buffer.commit"),
        emit(
            {"type": "input_audio_buffer.committed", "item_id": f"item_{number}", "previous_item_id": None},
            {"type": "conversation.item.created", "item": {"id": f"item_{number}", "type": "message", "content": None}},
            {"type": "conversation.item.input_audio_transcription.completed", "usage": None} | text,
        ),
        Expect("response.create"),
    )


def s2s_speaks(response_id: str) -> Emit:
    ids = {"response_id": response_id, "item_id": f"item_{response_id}", "output_index": 0, "content_index": 0}
    nulls = dict.fromkeys(("status_details", "usage", "metadata", "output"))
    return emit(
        {"type": "response.created", "response": {"id": response_id, "status": "in_progress"} | nulls},
        {"type": "conversation.item.created", "item": {"id": ids["item_id"]}},
        {"type": "response.output_audio.delta", "delta": base64.b64encode(PCM).decode()} | ids,
        {"type": "response.output_audio.done"} | ids,
        {"type": "response.output_audio_transcript.done", "transcript": "it is on"} | ids,
        {"type": "response.done", "response": {"id": response_id, "status": "completed"} | nulls},
    )


@pytest.mark.parametrize("code", [1000, 1013])
async def test_speech_to_speech(code: int) -> None:
    full = {"type": "invalid_request_error", "code": "session_limit_reached", "message": "Only one session at a time"}
    script = (
        *s2s_greets(),
        *s2s_hears(1),
        s2s_speaks("r1"),
        *s2s_hears(2),
        calls("r2"),
        Expect("conversation.item.create", lambda event: event["item"]["call_id"] == "call_1"),
        Expect("response.create"),
        s2s_speaks("r3"),
    )
    async with (
        RealtimeServer([emit({"type": "error", "error": full}), Close(code)], script) as server,
        node(server.url, tools=[LIGHT], transcription=None) as room,
    ):
        await room.say("t1", SECOND)
        assert await room.ended(1) == [("t1", "completed")]
        await command(room, "t2")
        assert await room.ended(2) == [("t1", "completed"), ("t2", "completed")]
        assert sound(room) == PCM * 2
        assert [trouble.code for trouble in room.all(ServiceTrouble)] == ["session_limit_reached"]
        assert room.all(LinkChanged)[-1].dialect == "ga"


# --- one that gets everything wrong -------------------------------------------------------------------------------


async def test_a_server_whose_events_lack_their_fields() -> None:
    nothing: dict[str, Any] = dict.fromkeys(("response_id", "item_id", "delta", "item", "part", "transcript", "error"))
    kinds = (
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "conversation.item.created",
        "conversation.item.input_audio_transcription.delta",
        "response.output_item.added",
        "response.output_item.done",
        "response.content_part.added",
        "response.output_audio.delta",
        "response.output_audio_transcript.delta",
        "error",
    )
    odd = emit(*({"type": kind} for kind in kinds), *({"type": kind} | nothing for kind in kinds))
    script = (
        *s2s_greets(),
        odd,
        Expect("input_audio_buffer.commit"),
        emit({"type": "input_audio_buffer.committed", "item_id": None}),
        Expect("response.create"),
        odd,
        emit({"type": "response.created", "response": {"id": None}}),
        emit({"type": "response.done", "response": {"id": None, "status": "completed", "output": [None, {}]}}),
        *s2s_hears(2),
        s2s_speaks("r2"),
    )
    async with RealtimeServer(script) as server, node(server.url, transcription=None) as room:
        await room.say("t1", SECOND)
        assert await room.ended(1) == [("t1", "completed")]
        await room.say("t2", SECOND)
        assert await room.ended(2) == [("t1", "completed"), ("t2", "completed")]
        assert sound(room) == PCM
