"""Rows 13 to 18: the gate, the speaker, and the words."""

from typing import Any

import pytest

from tests.fakes.pipeline_house import UTTERANCE, House
from tests.fakes.realtime_server import Emit, Expect, Json, RealtimeServer, Script, emit, greet
from tests.fakes.stages import LOUD, SILENT
from tests.fakes.until import until
from tests.session.node import Node, call, committed, node, reply, spoken_turn
from tests.session.room import Room
from tests.system.pitfalls import VAD, assert_next_turn_works
from voice_node.gate.gate import Gate
from voice_node.model import control as ctl
from voice_node.model.audio import Frame
from voice_node.model.speech import SpeechAudio, SpeechEnded, SpeechStarted
from voice_node.model.turn import ServiceTrouble, ToolCall, Transcript
from voice_node.session import events as ev
from voice_node.settings.checks import check_settings
from voice_node.settings.schema import GateSettings, RoomSettings


def words(room: Node, role: str) -> list[tuple[str, str]]:
    return [(line.turn_id, line.text) for line in room.all(Transcript) if line.role == role and line.is_final]


# --- the gate and the speaker -------------------------------------------------------------------------------------


def hear(gate: Gate, *pieces: bytes) -> list[Any]:
    """What the gate says of these frames; what is loud is speech."""
    said: list[Any] = []
    for index, pcm in enumerate(pieces):
        said += gate.hear(Frame(index, pcm, 16000), any(pcm))
    return said


def test_row_13_the_first_syllable_is_sent_too() -> None:
    gate = Gate(GateSettings(min_snr_db=0), lambda: "t1")
    quiet = [bytes([number, 0]) * 320 for number in range(1, 31)]
    said = [*(gate.hear(Frame(i, pcm, 16000), False) for i, pcm in enumerate(quiet))]
    assert not any(said)
    opened: list[Any] = []
    for index in range(30, 60):
        opened += gate.hear(Frame(index, LOUD, 16000), True)
    assert isinstance(opened[0], SpeechStarted)
    first = next(value for value in opened if isinstance(value, SpeechAudio))
    assert first.pcm.startswith(b"".join(quiet[-20:])), "400 ms from before the voice, as it was heard"
    assert opened[0].start_ms == 600 - 400


async def test_row_14_a_node_that_speaks_does_not_hear_itself() -> None:
    async with House().at_work() as house:
        house.player.is_speaking = True
        house.source.give(*UTTERANCE)
        await until(lambda: house.source.taken == len(UTTERANCE))
        assert [value for value in house.session.inputs if isinstance(value, SpeechStarted)] == []
        house.player.is_speaking = False
        house.source.give(*UTTERANCE)
        await until(lambda: any(isinstance(value, SpeechEnded) and value.is_kept for value in house.session.inputs))


# --- words --------------------------------------------------------------------------------------------------------


async def test_row_15_transcripts_come_late_and_in_any_order() -> None:
    def heard(number: int) -> Json:
        text = {"transcript": f"words {number}", "usage": {"type": "duration", "seconds": 1.0}}
        kind = "conversation.item.input_audio_transcription.completed"
        return {"type": kind, "item_id": f"item_{number}", "content_index": 0} | text

    script = (
        *greet(),
        Expect("input_audio_buffer.commit"),
        emit({"type": "input_audio_buffer.committed", "item_id": "item_1"}),
        Expect("response.create"),
        Expect("input_audio_buffer.commit"),
        emit({"type": "input_audio_buffer.committed", "item_id": "item_2", "previous_item_id": "item_1"}),
        reply("r1"),
        Expect("response.create"),
        emit(heard(2)),
        reply("r2"),
        emit(heard(1)),
        *spoken_turn(3),
    )
    async with RealtimeServer(script) as server, node(server.url) as room:
        await room.say("t1")
        await room.say("t2")
        assert sorted(await room.ended(2)) == [("t1", "completed"), ("t2", "completed")]
        assert words(room, "user") == [("t2", "words 2"), ("t1", "words 1")]
        await assert_next_turn_works(room)


async def test_row_15_a_transcript_that_never_comes_is_told() -> None:
    script = (
        *greet(),
        Expect("input_audio_buffer.commit"),
        emit({"type": "input_audio_buffer.committed", "item_id": "item_1"}),
        Expect("response.create"),
        reply("r1"),
        *spoken_turn(2),
    )
    async with RealtimeServer(script) as server, node(server.url, speed=20) as room:
        await room.say("t1")
        assert await room.ended(1) == [("t1", "completed")]
        assert [(trouble.code, trouble.turn_id) for trouble in room.all(ServiceTrouble)] == [
            ("transcript_missing", "t1")
        ]
        await assert_next_turn_works(room)


async def test_row_16_transcription_is_asked_for_and_a_service_that_has_none_is_told_of() -> None:
    without = {"type": "realtime", "audio": {"input": {"transcription": None}}}
    async with RealtimeServer([*greet(without), *spoken_turn()]) as server, node(server.url) as room:
        await assert_next_turn_works(room)
        assert server.events[0]["session"]["audio"]["input"]["transcription"]["model"] == "gpt-transcribe"
        (trouble,) = room.all(ServiceTrouble)
        assert trouble.code == "settings_kept"
        assert "audio.input.transcription" in trouble.detail


async def test_row_16_a_transcription_that_failed_ends_its_turn_and_is_told() -> None:
    failed = {
        "type": "conversation.item.input_audio_transcription.failed",
        "item_id": "item_1",
        "content_index": 0,
        "error": {"type": "server_error", "code": "audio_unintelligible"},
    }
    script = (
        *greet(),
        Expect("input_audio_buffer.commit"),
        emit({"type": "input_audio_buffer.committed", "item_id": "item_1"}, failed),
        Expect("response.create"),
        reply("r1"),
        *spoken_turn(2),
    )
    async with RealtimeServer(script) as server, node(server.url) as room:
        await room.say("t1")
        assert await room.ended(1) == [("t1", "completed")]
        assert [trouble.code for trouble in room.all(ServiceTrouble)] == ["transcription_failed"]
        await assert_next_turn_works(room)


@pytest.mark.parametrize("model", ["gpt-live-transcribe", "gpt-realtime-whisper"])
async def test_row_17_models_that_write_along_get_their_turns_from_the_gate(model: str) -> None:
    section: dict[str, Any] = {"type": "transcription", "transcription": {"model": model}}
    detected = RoomSettings.model_validate(
        {"room": "a", "session": {**section, "provider": "openai", "turn_detection": VAD}}
    )
    assert ("session", "turn_detection") in [problem.path for problem in check_settings(detected)]

    turn = (Expect("input_audio_buffer.commit"),)
    script = (*greet(type="transcription"), *turn, committed("item_1", "one"), *turn, committed("item_2", "two"))
    async with RealtimeServer(script) as server, node(server.url, **section) as room:
        await room.say("t1")
        assert await room.ended(1) == [("t1", "none")]
        await room.say("t2")
        assert await room.ended(2) == [("t1", "none"), ("t2", "none")]
        assert words(room, "user") == [("t1", "one"), ("t2", "two")]
        assert server.events[0]["session"]["audio"]["input"]["turn_detection"] is None


def test_row_18_clicks_and_hum_are_never_sent() -> None:
    gate = Gate(GateSettings(), lambda: "t1")
    click = [SILENT] * 50 + [LOUD] * 8 + [SILENT] * 50
    said = hear(gate, *click)
    assert [value for value in said if isinstance(value, SpeechAudio)] == []
    assert [value.is_kept for value in said if isinstance(value, SpeechEnded)] == [False]
    hum = Gate(GateSettings(), lambda: "t1")
    even = b"\0\x08\0\xf8" * 160
    held = [value for i in range(300) for value in hum.hear(Frame(i, even, 16000), i > 100)]
    assert [value for value in held if isinstance(value, SpeechAudio)] == [], "the detector errs, the level does not"


def test_row_18_how_sure_the_service_was_is_told() -> None:
    room = Room(include=["item.input_audio_transcription.logprobs"]).up()
    room.say("t1")
    room.hear(ev.AudioCommitted("i1"), ev.TranscriptDone("i1", "Thank you for watching", None, 0.21))
    assert [line.confidence for line in room.all(Transcript)] == [0.21]
    (update,) = room.all(ev.UpdateSession)
    assert update.session["include"] == ["item.input_audio_transcription.logprobs"]


async def test_row_18_no_tool_is_called_for_what_nobody_may_have_said() -> None:
    """The call comes before its transcript, as models that hear do; the phantom of silence is told with its doubt."""

    def heard(number: int, text: str, logprob: float) -> Emit:
        usage = {"type": "duration", "seconds": 1.0}
        kind = {"type": "conversation.item.input_audio_transcription.completed", "content_index": 0, "usage": usage}
        tokens = [{"token": "x", "bytes": [120], "logprob": logprob}]
        return emit(kind | {"item_id": f"item_{number}", "transcript": text, "logprobs": tokens})

    def turn(number: int) -> Script:
        return (
            Expect("input_audio_buffer.commit"),
            emit({"type": "input_audio_buffer.committed", "item_id": f"item_{number}"}),
            Expect("response.create"),
            call(f"r{number}", f"c{number}"),
        )

    def refusal(event: dict[str, Any]) -> bool:
        return event["item"]["call_id"] == "c1" and "refused" in event["item"]["output"]

    script = (*greet(), *turn(1), heard(1, "Thank you for watching", -3.0))
    script += (Expect("conversation.item.create", refusal), *turn(2), heard(2, "light on", -0.01))
    script += (Expect("conversation.item.create"), Expect("response.create"), reply("r3"))
    values: dict[str, Any] = {"include": ["item.input_audio_transcription.logprobs"], "least_confidence": 0.5}
    async with RealtimeServer(script) as server, node(server.url, **values) as room:
        await room.say("t1")
        assert await room.ended(1) == [("t1", "empty")]
        assert room.all(ToolCall) == []
        assert [line.confidence for line in room.all(Transcript)] == [0.05]
        await room.say("t2")
        await until(lambda: len(room.all(ToolCall)) == 1)
        await room.inputs.put(ctl.AnswerCall("c2", "{}"))
        assert await room.ended(2) == [("t1", "empty"), ("t2", "completed")]
