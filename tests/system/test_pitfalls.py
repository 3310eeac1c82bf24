"""Thirty things that go wrong for clients of Realtime services, as users reported them, and that they end well here.

 1 the beta dialect is switched off          16 no user transcript at all
 2 the session ends after an hour            17 a transcription model that knows no turn detection
 3 a reconnect loses the context             18 transcripts of silence
 4 a connection that is dead                 19 failures that only response.done tells
 5 a response is active already              20 every turn costs more than the last
 6 tool results while a response runs        21 cached tokens counted wrong
 7 calls of a response that was cancelled    22 16 kHz
 8 truncation beyond what came               23 settings that are silently not applied
 9 truncation of what nobody heard           24 memory that grows
10 a cancel that comes too late              25 messages of more than 1 MiB
11 a commit of too little                    26 interrupted audio goes on
12 server detection behind a gate            27 the model talks by itself
13 the first syllable                        28 defaults of turn detection
14 it hears itself                           29 a model is retired
15 transcripts late and out of order         30 services that cannot cancel or truncate

The tests of a row are called `test_row_<number>_...`; the last test of this file holds that there is one for each.
Wherever a turn can follow, the test ends with one that works.
"""

import asyncio
import json
import re
import time
from datetime import date
from typing import Any

import numpy as np
import pytest

from tests.fakes.http_server import Answer as Answer200
from tests.fakes.http_server import HttpServer
from tests.fakes.pipeline_house import UTTERANCE, House
from tests.fakes.realtime_server import (
    Answer,
    Close,
    Drop,
    Emit,
    Expect,
    Freeze,
    Json,
    Pause,
    RealtimeServer,
    Script,
    Stay,
    Until,
    emit,
    greet,
)
from tests.fakes.stages import LOUD, SILENT
from tests.fakes.until import until
from tests.session.node import PCM, Node, call, committed, node, reply, spoken_turn
from tests.session.room import SECOND, Room, done, kinds
from voice_node.audio.resample import Resampler
from voice_node.capture.duplex import FullDuplex
from voice_node.gate.gate import Gate
from voice_node.model import control as ctl
from voice_node.model.audio import Frame
from voice_node.model.speech import SpeechAudio, SpeechEnded, SpeechStarted
from voice_node.model.turn import (
    LinkChanged,
    ReplyAudio,
    ServiceTrouble,
    TokenCount,
    ToolCall,
    Transcript,
    TurnFinished,
)
from voice_node.session import events as ev
from voice_node.session.models import Unlisted, list_models, troubles
from voice_node.session.pricing import usd
from voice_node.session.providers import endpoint
from voice_node.session.retry import PAUSES_S
from voice_node.session.setup import session_beta, session_ga
from voice_node.settings.checks import check_settings
from voice_node.settings.load import load_room
from voice_node.settings.schema import GateSettings, RoomSettings
from voice_node.settings.session import ServerVad, SessionSettings

VOICE = b"\1\0" * 24_000
"""One second that is not silence."""
VAD = {"type": "server_vad", "silence_duration_ms": 300}


def error(code: str, event_id: str | None = None) -> Json:
    body = {"type": "invalid_request_error", "code": code, "message": "as it says", "event_id": event_id}
    return {"type": "error", "error": body}


def words(room: Node, role: str) -> list[tuple[str, str]]:
    return [(line.turn_id, line.text) for line in room.all(Transcript) if line.role == role and line.is_final]


async def assert_next_turn_works(room: Node, turn_id: str = "next") -> None:
    """The next turn works."""
    before = len(await room.ended(0))
    await room.say(turn_id)
    assert (await room.ended(before + 1))[before] == (turn_id, "completed")


# --- connections --------------------------------------------------------------------------------------------------


async def test_row_01_the_beta_dialect_is_refused_once_and_not_stormed() -> None:
    script: Script = [
        emit(error("beta_api_shape_disabled")),
        Close(4000, "invalid_request_error.beta_api_shape_disabled"),
    ]
    async with RealtimeServer(script) as server, node(server.url) as room:
        await until(lambda: room.failure is not None)
        assert "beta" in str(room.failure)


async def test_row_01_a_close_code_alone_is_understood() -> None:
    async with (
        RealtimeServer([Close(4000, "invalid_request_error.beta_api_shape_disabled")]) as server,
        node(server.url) as room,
    ):
        await until(lambda: room.failure is not None)
        assert "beta" in str(room.failure)


@pytest.mark.parametrize("provider", ["openai", "xai", "local", "localai"])
def test_row_01_nobody_is_sent_the_beta_header_who_would_refuse_it(provider: Any) -> None:
    place = endpoint(SessionSettings(provider=provider, url="http://nas"), "key", "ws://127.0.0.1:1")
    assert "OpenAI-Beta" not in place.headers


async def test_row_02_the_hour_is_over_and_the_library_calls_it_a_good_end() -> None:
    over = Close(1001, "Your session hit the maximum duration of 60 minutes.")
    go = asyncio.Event()
    async with (
        RealtimeServer(
            [*greet(), *spoken_turn(), Pause(go), over], [*greet(), *remembered(2), *spoken_turn(2)]
        ) as server,
        node(server.url) as room,
    ):
        await assert_next_turn_works(room, "t1")
        go.set()
        await until(lambda: len(server.requests) == 2)
        await assert_next_turn_works(room)


async def test_row_02_the_session_is_renewed_before_it_ends_and_between_turns() -> None:
    ends_soon = greet(expires_at=time.time() + 100)  # renewed 25 s before that
    scripts: list[Script] = [[*ends_soon, *spoken_turn()], [*greet(), *remembered(2), *spoken_turn(2)]]
    async with RealtimeServer(*scripts) as server, node(server.url, speed=50) as room:
        await assert_next_turn_works(room, "t1")
        await until(lambda: len(server.requests) == 2)
        await assert_next_turn_works(room)
        assert not any(link.is_trouble for link in room.all(LinkChanged))


def remembered(count: int) -> Script:
    """So many messages are put back into the conversation."""
    return [Expect("conversation.item.create")] * count


async def test_row_03_the_conversation_is_rebuilt_in_order_and_before_anything_else() -> None:
    go = asyncio.Event()

    def is_text(role: str, kind: str, text: str) -> Expect:
        item = {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}
        return Expect("conversation.item.create", lambda event: item.items() <= event["item"].items())

    again = (
        *greet(),
        is_text("user", "input_text", "turn on the light"),
        is_text("assistant", "output_text", "it is on"),
        *spoken_turn(2),
    )
    async with RealtimeServer([*greet(), *spoken_turn(), Pause(go), Drop()], again) as server, node(server.url) as room:
        await assert_next_turn_works(room, "t1")
        go.set()
        await until(lambda: len(server.requests) == 2)
        await assert_next_turn_works(room)


async def test_row_04_a_connection_that_is_dead_is_noticed_by_its_pong() -> None:
    async with (
        RealtimeServer([*greet(), Freeze()], [*greet(), *spoken_turn()]) as server,
        node(server.url, ping_s=0.2) as room,
    ):
        await room.is_up()
        await until(lambda: len(server.requests) == 2)
        await assert_next_turn_works(room)


@pytest.mark.parametrize("code", [1001, 1011, 1012, 1013])
async def test_row_04_ends_that_heal_are_tried_again(code: int) -> None:
    async with RealtimeServer([*greet(), Close(code)], [*greet(), *spoken_turn()]) as server, node(server.url) as room:
        await until(lambda: len(server.requests) == 2)
        await assert_next_turn_works(room)


# --- one response at a time ---------------------------------------------------------------------------------------


async def test_row_05_a_response_that_the_service_began_makes_ours_wait() -> None:
    own = {"type": "response.created", "response": {"id": "own", "metadata": None}}
    over = {"type": "response.done", "response": {"id": "own", "status": "cancelled", "output": []}}

    def busy(create: Json) -> list[Json]:
        return [own, error("conversation_already_has_active_response", create["event_id"])]

    script = (
        *greet(),
        Expect("input_audio_buffer.commit"),
        committed("item_1"),
        Expect("response.create"),
        Answer(busy),
        Expect("response.cancel", lambda event: event["response_id"] == "own"),
        emit(over),
        Expect("response.create"),
        reply("resp_1"),
        *spoken_turn(2),
    )
    async with RealtimeServer(script) as server, node(server.url) as room:
        await room.say("t1")
        assert await room.ended(1) == [("t1", "completed")]
        assert [piece.response_id for piece in room.played if isinstance(piece, ReplyAudio)] == ["resp_1"]
        assert room.all(ServiceTrouble) == []
        await assert_next_turn_works(room)


async def test_row_05_two_turns_at_once_ask_one_after_the_other() -> None:
    script = (
        *greet(),
        *(Expect("conversation.item.create"), Expect("response.create"), Expect("conversation.item.create")),
        reply("r1"),
        Expect("response.create"),
        reply("r2"),
        *spoken_turn(3),
    )
    async with RealtimeServer(script) as server, node(server.url) as room:
        await room.inputs.put(ctl.AskText("t1", "one"))
        await room.inputs.put(ctl.AskText("t2", "two"))
        assert await room.ended(2) == [("t1", "completed"), ("t2", "completed")]
        await assert_next_turn_works(room)


# --- tools --------------------------------------------------------------------------------------------------------


async def test_row_06_a_result_goes_at_once_and_the_next_response_after_all_results_and_the_calling_one() -> None:
    announced = call("r1", "call_1", "call_2")
    go = asyncio.Event()
    script = (
        *greet(),
        *(Expect("conversation.item.create"), Expect("response.create")),
        Emit(announced.events[:-1]),
        Expect("conversation.item.create", lambda event: event["item"]["call_id"] == "call_1"),
        Expect("conversation.item.create", lambda event: event["item"]["call_id"] == "call_2"),
        Pause(go),
        Emit(announced.events[-1:]),
        Expect("response.create"),
        reply("r2"),
        *spoken_turn(3),
    )
    async with RealtimeServer(script) as server, node(server.url) as room:
        await room.inputs.put(ctl.AskText("t1", "lights on"))
        await until(lambda: len(room.all(ToolCall)) == 2)
        await room.inputs.put(ctl.AnswerCall("call_1", "{}"))
        await room.inputs.put(ctl.AnswerCall("call_2", "{}"))
        await until(lambda: len(server.events) == 5)
        await asyncio.sleep(0.1)  # time in which a wrong node would ask
        assert server.types()[-1] == "conversation.item.create"
        go.set()
        assert await room.ended(1) == [("t1", "completed")]
        assert [asked.call_id for asked in room.all(ToolCall)] == ["call_1", "call_2"]
        await assert_next_turn_works(room)


async def test_row_07_a_call_of_a_cancelled_response_is_not_made() -> None:
    half = {"type": "function_call", "call_id": "c", "name": "light", "arguments": '{"on": tr', "status": "incomplete"}
    ids = {"response_id": "r1", "output_index": 0, "item_id": "item_c"}
    script = (
        *greet(),
        *(Expect("conversation.item.create"), Expect("response.create")),
        emit(
            {"type": "response.created", "response": {"id": "r1", "metadata": {}}},
            {"type": "response.function_call_arguments.done", "call_id": "c", "arguments": '{"on": tr'} | ids,
            {"type": "response.output_item.done", "item": half} | ids,
            {"type": "response.done", "response": {"id": "r1", "status": "cancelled", "output": [half]}},
        ),
        *spoken_turn(2),
    )
    async with RealtimeServer(script) as server, node(server.url) as room:
        await room.inputs.put(ctl.AskText("t1", "lights on"))
        assert await room.ended(1) == [("t1", "cancelled")]
        assert room.all(ToolCall) == []
        await assert_next_turn_works(room)


@pytest.mark.parametrize("arguments", ['{"on": tr', "[]", "no JSON"])
async def test_row_07_arguments_that_cannot_be_used_are_answered_with_what_is_wrong(arguments: str) -> None:
    async with House().at_work() as house:
        house.pipes.tell(ToolCall("t1", "call_1", "light", arguments))
        await until(lambda: any(isinstance(value, ctl.AnswerCall) for value in house.session.inputs))
        (answer,) = [value for value in house.session.inputs if isinstance(value, ctl.AnswerCall)]
        assert "error" in json.loads(answer.output)
        assert house.broker.delivered == []


# --- interruptions ------------------------------------------------------------------------------------------------


def cut(played_ms: int, *expected: Expect) -> Script:
    """One second of a reply that is still under way when it is silenced."""
    return (
        *greet(),
        *(Expect("conversation.item.create"), Expect("response.create")),
        Emit(reply("r1", pcm=SECOND).events[:3]),
        Expect("response.cancel", lambda event: event["response_id"] == "r1"),
        *expected,
        Emit(reply("r1", pcm=SECOND).events[2:5]),
        emit({"type": "response.done", "response": {"id": "r1", "status": "cancelled", "output": []}}),
        *spoken_turn(2),
    )


async def assert_reply_is_silenced(server: RealtimeServer, played_ms: int, **values: Any) -> None:
    """Stop the reply when its sound has come; what comes late is not heard, and the next turn works."""
    async with server, node(server.url, **values) as room:
        await room.inputs.put(ctl.AskText("t1", "a story"))
        await until(lambda: bool(room.played))
        await room.inputs.put(ctl.StopReply("item_r1", played_ms))
        assert await room.ended(1) == [("t1", "cancelled")]
        assert len([piece for piece in room.played if isinstance(piece, ReplyAudio)]) == 1
        assert room.all(ServiceTrouble) == []
        await assert_next_turn_works(room)


def at(audio_end_ms: int) -> Expect:
    wanted = {"item_id": "item_r1", "content_index": 0, "audio_end_ms": audio_end_ms}
    return Expect("conversation.item.truncate", lambda event: wanted.items() <= event.items())


async def test_row_08_a_reply_is_cut_where_it_was_heard() -> None:
    await assert_reply_is_silenced(RealtimeServer(cut(400, at(400))), 400)


async def test_row_08_never_beyond_what_came() -> None:
    """57340 ms played of 1000 that came: all was heard, there is nothing to cut."""
    await assert_reply_is_silenced(RealtimeServer(cut(57340)), 57340)


async def test_row_09_what_nobody_heard_is_deleted_not_truncated() -> None:
    delete = Expect("conversation.item.delete", lambda event: event["item_id"] == "item_r1")
    await assert_reply_is_silenced(RealtimeServer(cut(0, delete)), 0)


async def test_row_10_a_cancel_that_crosses_the_end_of_the_response() -> None:
    done_first = reply("r1", pcm=SECOND).events
    script = (
        *greet(),
        *(Expect("conversation.item.create"), Expect("response.create")),
        Emit(done_first[:3]),
        Expect("response.cancel"),
        Answer(lambda cancel: [*(e for e in done_first[3:] if isinstance(e, dict)),
                               error("response_cancel_not_active", cancel["event_id"])]),
        *spoken_turn(2),
    )  # fmt: skip
    async with RealtimeServer(script) as server, node(server.url) as room:
        await room.inputs.put(ctl.AskText("t1", "a story"))
        await until(lambda: bool(room.played))
        await room.inputs.put(ctl.StopReply())
        await room.ended(1)
        await assert_next_turn_works(room)
        assert room.all(ServiceTrouble) == []


# --- turns that end -----------------------------------------------------------------------------------------------


async def test_row_11_too_little_is_not_committed() -> None:
    async with (
        RealtimeServer([*greet(), Expect("input_audio_buffer.clear"), *spoken_turn()]) as server,
        node(server.url) as room,
    ):
        await room.say("t1", bytes(4798))
        assert await room.ended(1) == [("t1", "empty")]
        await assert_next_turn_works(room)


async def test_row_11_a_service_that_heard_nothing() -> None:
    script = (
        *greet(),
        *(Expect("input_audio_buffer.commit"), Expect("response.create")),
        Answer(lambda _: [error("input_audio_buffer_commit_empty", commit_id(server))]),
        Answer(lambda create: [error("invalid_value", create["event_id"])]),
        *spoken_turn(2),
    )
    server = RealtimeServer(script)
    async with server, node(server.url) as room:
        await room.say("t1")
        assert await room.ended(1) == [("t1", "empty")]
        await assert_next_turn_works(room)


def commit_id(server: RealtimeServer) -> str:
    ids = [event["event_id"] for event in server.events if event["type"] == "input_audio_buffer.commit"]
    return str(ids[-1])


def detected(number: int) -> Script:
    """A service with its own detector: the words, so much silence, and it answers unasked."""
    item_id = f"item_{number}"

    def has_fallen_silent(heard: bytes) -> bool:
        return heard.count(VOICE) >= number and not any(heard[-14_400:])

    return (
        Until(has_fallen_silent),
        emit(
            {"type": "input_audio_buffer.speech_started", "item_id": item_id, "audio_start_ms": 0},
            {"type": "input_audio_buffer.speech_stopped", "item_id": item_id, "audio_end_ms": 1000},
        ),
        committed(item_id),
        reply(f"resp_{number}"),
    )


@pytest.mark.parametrize("kind", [VAD, {"type": "semantic_vad", "eagerness": "high"}])
async def test_row_12_the_service_hears_the_silence_that_the_gate_withholds(kind: dict[str, Any]) -> None:
    async with (
        RealtimeServer([*greet(), *detected(1), *detected(2)]) as server,
        node(server.url, turn_detection=kind) as room,
    ):
        await room.say("t1", VOICE)
        assert await room.ended(1) == [("t1", "completed")]
        await room.say("t2", VOICE)
        assert await room.ended(2) == [("t1", "completed"), ("t2", "completed")]
        assert server.types() == ["session.update"], "no commit and no response.create by hand"


async def test_row_12_a_service_that_never_ends_a_turn_is_not_waited_for() -> None:
    script = (*greet(), Expect("input_audio_buffer.clear"), *detected(2))
    async with RealtimeServer(script) as server, node(server.url, turn_detection=VAD, speed=20) as room:
        await room.say("t1", VOICE)
        assert await room.ended(1) == [("t1", "timeout")]
        await room.say("t2", VOICE)
        assert (await room.ended(2))[1:] == [("t2", "completed")]


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

    script = (*greet(), *turn(1), heard(1, "Thank you for watching", -3.0), *turn(2), heard(2, "light on", -0.01))
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


# --- money --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["insufficient_quota", "rate_limit_exceeded"])
async def test_row_19_a_failure_that_only_response_done_tells(code: str) -> None:
    details = {"type": "failed", "error": {"type": code, "code": code}}
    failed = {"id": "r1", "status": "failed", "status_details": details, "output": []}
    script = (
        *greet(),
        Expect("input_audio_buffer.commit"),
        committed("item_1"),
        Expect("response.create"),
        emit(
            {"type": "response.created", "response": {"id": "r1", "metadata": {}}},
            {"type": "response.done", "response": failed},
        ),
        *spoken_turn(2),
    )
    async with RealtimeServer(script) as server, node(server.url) as room:
        await room.say("t1")
        assert await room.ended(1) == [("t1", "failed")]
        assert [end.detail for end in room.all(TurnFinished)] == [code]
        assert [trouble.code for trouble in room.all(ServiceTrouble)] == [code]
        await assert_next_turn_works(room)


@pytest.mark.parametrize("code", ["insufficient_quota", "rate_limit_exceeded"])
async def test_row_19_a_service_that_lets_no_session_begin_is_not_stormed(
    code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice: as the answer to the settings, and of its own accord before the service closes by itself."""
    monkeypatch.setitem(PAUSES_S, code, 1.0)  # for a minute, which no test can wait
    created = {"type": "session.created", "session": {"id": "s", "type": "realtime"}}
    error: Json = {"type": "error", "event_id": "e", "error": {"type": code, "code": code, "message": "pay"}}

    def answered(update: Json) -> list[Json]:
        return [error | {"error": error["error"] | {"event_id": update["event_id"]}}]

    refused = (emit(created), Expect("session.update"), Answer(answered), Stay())
    closed = (emit(created, error), Expect("session.update"), Close(1011))
    async with RealtimeServer(refused, closed, (*greet(), *spoken_turn())) as server:
        began = time.monotonic()
        async with node(server.url) as room:
            await room.say("t1")
            assert await room.ended(1) == [("t1", "completed")]
            assert len(server.requests) == 3
            assert time.monotonic() - began > 2.0


async def test_row_20_old_turns_leave_the_conversation() -> None:
    delete = Expect("conversation.item.delete")
    script = (*greet(), *spoken_turn(1), *spoken_turn(2), delete, *spoken_turn(3), delete)
    async with RealtimeServer(script) as server, node(server.url, conversation={"keep_turns": 1}) as room:
        for turn_id in ("t1", "t2", "t3"):
            await assert_next_turn_works(room, turn_id)
        await until(lambda: server.types().count("conversation.item.delete") == 2)
        gone = [event["item_id"] for event in server.events if event["type"] == "conversation.item.delete"]
        assert gone == ["item_1", "item_2"]


async def test_row_20_nobody_speaks_and_the_session_ends() -> None:
    async with (
        RealtimeServer([*greet(), *spoken_turn()], [*greet(), *spoken_turn(2)]) as server,
        node(server.url, connect="on_speech", conversation={"idle_reset_s": 0.3}) as room,
    ):
        await assert_next_turn_works(room, "t1")
        await until(lambda: not room.all(LinkChanged)[-1].is_up)
        await assert_next_turn_works(room)


def test_row_21_cached_tokens_are_a_part_of_the_others() -> None:
    heard, said = TokenCount(1000, 2000, 800, 1500), TokenCount(100, 300)
    expected = (200 * 0.60 + 800 * 0.06 + 500 * 10 + 1500 * 0.30 + 100 * 2.40 + 300 * 20) / 1e6
    assert usd("gpt-realtime-2.1-mini", heard, said) == pytest.approx(expected)
    assert usd("gpt-transcribe", TokenCount(), TokenCount(), 60) == pytest.approx(0.0045)


# --- sound and settings -------------------------------------------------------------------------------------------


def test_row_22_the_service_is_sent_24_khz_and_no_seam_is_heard() -> None:
    session = session_ga(SessionSettings(provider="openai"), ())
    assert session["audio"]["input"]["format"] == session["audio"]["output"]["format"]
    assert session["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": 24000}
    sine = (10_000 * np.sin(np.arange(16_000) * 2 * np.pi * 440 / 16_000)).astype("<i2").tobytes()
    whole, pieces = Resampler(16_000, 24_000), Resampler(16_000, 24_000)
    once = whole.process(sine) + whole.flush()
    frames = b"".join(pieces.process(sine[at : at + 640]) for at in range(0, len(sine), 640)) + pieces.flush()
    assert len(once) == 48_000
    assert len(frames) == len(once)
    difference = np.abs(np.frombuffer(frames, "<i2").astype(int) - np.frombuffer(once, "<i2"))
    assert difference.max() <= 2, "dither alone"


async def test_row_23_no_sound_before_the_settings_are_in_force_and_differences_are_told() -> None:
    go = asyncio.Event()
    other = {"type": "realtime", "audio": {"output": {"voice": "alloy"}}, "max_output_tokens": "inf"}
    created, update, updated = greet(other)
    async with (
        RealtimeServer([created, update, Pause(go), updated, *spoken_turn()]) as server,
        node(server.url) as room,
    ):
        await room.say("t1")
        await until(lambda: server.types() == ["session.update"])
        await asyncio.sleep(0.1)  # time in which a wrong node would speak
        assert server.audio == b""
        go.set()
        assert await room.ended(1) == [("t1", "completed")]
        assert bytes(server.audio) == SECOND
        (trouble,) = room.all(ServiceTrouble)
        assert "audio.output.voice" in trouble.detail
        assert "max_output_tokens" in trouble.detail


def test_row_24_a_long_session_keeps_nothing_of_what_it_sent() -> None:
    room = Room(turn_detection=VAD).up()
    for number in range(200):
        room.say(f"t{number}", VOICE)
        room.hear(ev.ServerSpeechStarted(f"i{number}"), ev.AudioCommitted(f"i{number}"))
        room.hear(ev.TranscriptDone(f"i{number}", "words"))
        room.hear(ev.ResponseCreated(f"r{number}", {}), ev.ReplyAudioDelta(f"r{number}", f"o{number}", bytes(960)))
        room.hear(ev.ResponseDone(f"r{number}", done("", "").status))
        room.take()
        room.at += 1
    answers, replies = room.protocol._answers, room.protocol._replies
    assert len(room.ends()) == 200
    assert len(answers.turns) == 0
    assert len(replies._received_ms) <= 32
    assert len(answers.memory._kept) <= 6
    assert len(answers.memory._open) == 0


def test_row_24_what_is_held_has_a_bound() -> None:
    room = Room()
    room.put(SpeechStarted("t1", 0))
    for _ in range(100):
        room.put(SpeechAudio("t1", SECOND))
    assert room.ends() == [("t1", "stale")]
    assert len(room.protocol._answers.turns) == 0


async def test_row_25_a_message_of_three_mebibytes() -> None:
    large = {"type": "conversation.item.retrieved", "item": {"audio": "A" * 3 * 2**20}}
    async with RealtimeServer([*greet(), emit(large), *spoken_turn()]) as server, node(server.url) as room:
        await assert_next_turn_works(room)
        assert len(server.requests) == 1


async def test_row_26_what_comes_of_a_reply_after_it_was_silenced_is_not_played() -> None:
    """Pieces were under way when the speaker was stopped; the session did not know yet."""
    async with House(echo=FullDuplex()).at_work() as house:
        house.pipes.play(ReplyAudio("t0", "i1", "r1", PCM))
        house.player.is_speaking = True
        house.source.give(*UTTERANCE)
        await until(lambda: house.player.stops == 1)
        house.pipes.play(ReplyAudio("t0", "i1", "r1", PCM))
        house.pipes.play(ReplyAudio("t0", "i1b", "r1", PCM))
        house.pipes.play(ReplyAudio("t1", "i2", "r2", PCM))
        assert [item_id for item_id, _ in house.player.played] == ["i1", "i2"]
        await until(lambda: any(isinstance(value, SpeechStarted) for value in house.session.inputs))
        order = [type(value).__name__ for value in house.session.inputs]
        assert order.index("StopReply") < order.index("SpeechStarted")


@pytest.mark.parametrize("detection", ["local", VAD, {"type": "semantic_vad"}])
@pytest.mark.parametrize("build", [session_ga, session_beta])
def test_row_27_the_model_never_talks_by_itself(detection: Any, build: Any) -> None:
    """Without a word on turn detection the service would answer on its own; with an idle timeout it would too."""
    session = build(SessionSettings(provider="custom", url="ws://nas/", turn_detection=detection), ())
    turns = session["turn_detection"] if "turn_detection" in session else session["audio"]["input"]["turn_detection"]
    assert turns is None or turns.get("idle_timeout_ms") is None
    assert (turns is None) == (detection == "local")


async def test_row_27_a_response_that_nobody_asked_for_is_cancelled_and_not_heard() -> None:
    own = reply("own", text="are you still there?").events
    script = (*greet(), Emit(own[:4]), Expect("response.cancel"), Emit(own[4:]), *spoken_turn())
    async with RealtimeServer(script) as server, node(server.url) as room:
        await until(lambda: "response.cancel" in server.types())
        await assert_next_turn_works(room)
        assert [piece.response_id for piece in room.played if isinstance(piece, ReplyAudio)] == ["resp_1"]


@pytest.mark.parametrize("build", [session_ga, session_beta])
def test_row_28_every_value_of_turn_detection_is_sent(build: Any) -> None:
    settings = SessionSettings(provider="custom", url="ws://nas/", turn_detection=ServerVad(type="server_vad"))
    session = build(settings, ())
    turns = session["turn_detection"] if "turn_detection" in session else session["audio"]["input"]["turn_detection"]
    assert (turns["threshold"], turns["prefix_padding_ms"], turns["silence_duration_ms"]) == (0.5, 300, 500)
    assert (turns["create_response"], turns["interrupt_response"]) == (True, True)


def test_row_29_a_model_that_will_be_gone_is_a_warning(tmp_path: Any) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("room: a\nsession:\n  provider: openai\n  model: gpt-realtime\n")
    (warning,) = load_room(path).warnings
    assert "2027-01-20" in warning


async def test_row_29_the_service_itself_is_asked_which_of_its_models_end() -> None:
    models = [{"id": "gpt-realtime", "shutdown_date": "2027-01-20"}, {"id": "gpt-transcribe", "shutdown_date": None}]
    async with HttpServer(Answer200({"object": "list", "data": models})) as server:
        section = SessionSettings(
            provider="openai", url=f"ws://127.0.0.1:{server.port}/v1/realtime", model="gpt-realtime"
        )
        listed = await list_models(section, "sk-key")
    assert not isinstance(listed, Unlisted)
    (trouble,) = troubles(section, listed, date(2026, 11, 20))
    assert trouble == "session.model: gpt-realtime will be shut down on 2027-01-20"


async def test_row_30_where_nothing_can_be_cancelled_or_cut_the_reply_is_dropped_here() -> None:
    kind = {"type": "server_vad", "silence_duration_ms": 300}
    first, second = reply("resp_1", pcm=SECOND).events, reply("resp_2").events
    go = asyncio.Event()
    script = (
        *greet(modalities=["audio", "text"]),
        *detected(1)[:-1],
        Emit(first[:3]),
        Pause(go),
        Emit(first[2:]),
        *detected(2)[:-1],
        Emit(second),
        Stay(),
    )
    server = RealtimeServer(script, dialect="beta")
    async with server, node(server.url, provider="speaches", turn_detection=kind) as room:
        await room.say("t1", VOICE)
        await until(lambda: bool(room.played))
        await room.inputs.put(ctl.StopReply("item_resp_1", 100))
        await until(lambda: not room.inputs)
        go.set()
        assert await room.ended(1) == [("t1", "completed")]
        assert len([piece for piece in room.played if isinstance(piece, ReplyAudio)]) == 1
        await room.say("t2", VOICE)
        assert await room.ended(2) == [("t1", "completed"), ("t2", "completed")]
        assert server.types() == ["session.update"]


@pytest.mark.parametrize("provider", ["xai", "speaches"])
def test_row_30_what_a_service_does_not_take_is_not_sent(provider: str) -> None:
    room = Room(provider=provider, turn_detection={"type": "server_vad"}).up()
    room.ask("t1")
    room.hear(ev.ResponseCreated("r1", {"turn_id": "t1"}), ev.ReplyAudioDelta("r1", "i1", SECOND))
    room.take()
    room.put(ctl.StopReply("i1", 100))
    assert kinds(room.take()) == (["CancelResponse"] if provider == "xai" else [])


def test_every_row_has_its_test() -> None:
    rows = {int(name[9:11]) for name in globals() if re.match(r"test_row_\d\d_", name)}
    assert rows == set(range(1, 31))
