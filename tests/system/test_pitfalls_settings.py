"""Rows 22 to 30: sound, settings, models, and what a service cannot do."""

import asyncio
from datetime import date
from typing import Any

import numpy as np
import pytest

from tests.fakes.http_server import Answer as Answer200
from tests.fakes.http_server import HttpServer
from tests.fakes.pipeline_house import UTTERANCE, House
from tests.fakes.realtime_server import Emit, Expect, Pause, RealtimeServer, Stay, emit, greet
from tests.fakes.until import until
from tests.session.node import PCM, node, reply, spoken_turn
from tests.session.room import SECOND, Room, done, kinds
from tests.system.pitfalls import VAD, VOICE, assert_next_turn_works, detected
from voice_node.audio.resample import Resampler
from voice_node.capture.duplex import FullDuplex
from voice_node.model import control as ctl
from voice_node.model.speech import SpeechAudio, SpeechStarted
from voice_node.model.turn import ReplyAudio, ServiceTrouble
from voice_node.session import events as ev
from voice_node.session.model_watch import ModelWatch
from voice_node.session.models import Unlisted, list_models, troubles
from voice_node.session.setup import session_beta, session_ga
from voice_node.settings.load import load_room
from voice_node.settings.session import ServerVad, SessionSettings


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


async def test_row_29_a_room_that_runs_says_so_soon_after_its_start() -> None:
    """Whole rooms do in `test_models_at_start`."""
    told: asyncio.Queue[str] = asyncio.Queue()
    models = {"data": [{"id": "gpt-realtime", "shutdown_date": "2020-01-20"}]}
    async with HttpServer(Answer200(models)) as server:
        url = f"ws://127.0.0.1:{server.port}/v1/realtime"
        section = SessionSettings(provider="openai", url=url, model="gpt-realtime", transcription=None)
        watching = asyncio.create_task(ModelWatch(settle_s=0).run(section, "sk-key", told.put))
        assert await asyncio.wait_for(told.get(), 30) == "session.model: gpt-realtime was shut down on 2020-01-20"
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


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
