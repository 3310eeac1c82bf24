"""The pipeline with stages of ours: what goes where, in which order, and how it ends."""

import asyncio
import itertools
import json
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.fakes.stages import FRAME_MS, LOUD, RATE_HZ, SILENT, Broker, Detector, Player, Session, Source
from voice_node import pipeline as pipeline_module
from voice_node import private
from voice_node.gate.gate import Gate
from voice_node.model import command as cmd
from voice_node.model import control as ctl
from voice_node.model.errors import CaptureLost, ConfigError, NodeError, SessionRefused
from voice_node.model.moment import Moment
from voice_node.model.speech import EndReason, SpeechAudio, SpeechEnded, SpeechStarted
from voice_node.model.turn import (
    CaptureChanged,
    LostReason,
    Outcome,
    PlaybackChanged,
    ReplyAudio,
    ReplyAudioEnded,
    ResponseStatus,
    ServiceTrouble,
    ToolCall,
    Transcript,
    TurnFinished,
    TurnLost,
)
from voice_node.mqtt.encode import encode
from voice_node.mqtt.message import Message
from voice_node.mqtt.topics import Topics
from voice_node.pipeline import End, Pipeline
from voice_node.pipes import Pipes
from voice_node.router.costs import Costs
from voice_node.router.pin import PinLock, matcher
from voice_node.router.router import Router
from voice_node.router.tuning import Tuning
from voice_node.settings.schema import RoomSettings
from voice_node.stages import Reloaded, Stages

DEADLINE_S = 5
START = datetime(2026, 1, 1, tzinfo=UTC)
TOPICS = Topics("voice_node", "kitchen")
ROOM = RoomSettings.model_validate(
    {
        "room": "kitchen",
        "gate": {
            "frame_ms": FRAME_MS,
            "onset_ms": 40,
            "pre_roll_ms": 40,
            "hang_over_ms": 100,
            "min_speech_ms": 60,
            "min_snr_db": 0,
        },
        "tools": [
            {"name": "light", "description": "Switches the light", "timeout_s": 5.0},
            {"name": "hasty", "description": "Has no patience", "timeout_s": 0.05},
            {"name": "plug", "description": "Switches a plug", "publish": {"topic": "plug/set", "payload": "ON"}},
            {"name": "unlock", "description": "Unlocks", "confirm": "pin"},
        ],
    }
)
UTTERANCE = (SILENT, SILENT, *[LOUD] * 6, *[SILENT] * 5)
"""Opens the gate, keeps the segment and closes the gate again."""


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - a condition over several stages has no event of its own
            await asyncio.sleep(0.001)


class House:
    """A pipeline and everything around it."""

    def __init__(self, *, is_muted: bool = False, **changes: Any) -> None:
        self.history: list[str] = []
        self.source, self.session = Source(self.history), Session(self.history)
        self.player, self.broker = Player(self.history), Broker(self.history)
        self.detector = Detector()
        self.remembered: list[tuple[str, object]] = []
        self.audited: list[Mapping[str, Any]] = []
        self.reload_error: str | None = None
        self.feeds = 0
        self.is_started = False
        self.pipes = Pipes()
        self.pipes.player = self.player
        numbers = itertools.count(1)

        def next_turn_id() -> str:
            return f"t{next(numbers)}"

        costs = Costs(ROOM.budget, START.date(), None)
        self.stages = replace(
            Stages(
                source=self.source,
                detector=self.detector,
                gate=Gate(ROOM.gate, next_turn_id),
                session=self.session,
                player=self.player,
                broker=self.broker,
                router=Router(Tuning(ROOM, {}), next_turn_id, {"version": "1"}, costs=costs, is_muted=is_muted),
                encode=lambda report, now: encode(report, TOPICS, now),
                clock=self.clock,
                session_rate_hz=RATE_HZ,
                encode_sound=bytes,
                remember=self.remember,
                audit=self.audit,
                reload=lambda: Reloaded(self.reload_error, ("session.model",)),
                started=self.started,
                health=lambda: {"uptime_s": 1},
                feed_watchdog=self.feed,
                feed_every_s=0.005,
                logs_words=False,
                is_half_duplex=True,
                waits_for_turns=False,
            ),
            **changes,
        )
        self.pipeline = Pipeline(self.stages, self.pipes, is_muted=is_muted)
        self.life: asyncio.Task[End] | None = None

    def clock(self) -> Moment:
        at = asyncio.get_running_loop().time()
        return Moment(at, START + timedelta(seconds=at))

    def remember(self, key: str, value: object) -> None:
        self.remembered.append((key, value))
        if key != "usage":  # after each turn, whenever the disk is done
            self.history.append(f"remembered {key} {value}")

    async def audit(self, entry: Mapping[str, Any]) -> None:
        self.audited.append(entry)

    def started(self) -> None:
        self.is_started = True

    def feed(self) -> None:
        self.feeds += 1

    def is_fed_beyond(self, feeds: int) -> bool:
        """Gives another frame at each look."""
        self.source.give(SILENT)
        return self.feeds > feeds

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator["House"]:
        """Runs the pipeline; whatever the test left running is ended in good order, and nothing may stay."""
        self.life = asyncio.create_task(self.pipeline.run(), name="pipeline")
        try:
            await until(lambda: self.is_started or (self.life is not None and self.life.done()))
            yield self
            if not self.life.done():
                await self.pipeline.stop()
                await self.end()
        finally:
            self.life.cancel()
            await asyncio.wait([self.life], timeout=DEADLINE_S)
        assert asyncio.all_tasks() == {asyncio.current_task()}, "something was left running"

    async def end(self) -> End:
        assert self.life is not None
        await asyncio.wait([self.life], timeout=DEADLINE_S)
        assert self.life.done(), "the pipeline does not end"
        return self.life.result()

    async def error(self) -> BaseException:
        """What the pipeline raises."""
        assert self.life is not None
        await asyncio.wait([self.life], timeout=DEADLINE_S)
        assert self.life.done(), "the pipeline does not end"
        error = self.life.exception()
        assert error is not None
        return error

    def payloads(self, below: str) -> list[str]:
        return [message.payload.decode() for message in self.broker.offered if message.topic == TOPICS.branch + below]

    def events(self, event_type: str) -> list[dict[str, Any]]:
        events = [json.loads(payload) for payload in self.payloads("event")]
        return [event for event in events if event["event_type"] == event_type]

    def codes(self) -> list[str]:
        return [event["code"] for event in self.events("error")]

    def states(self) -> list[str]:
        return [json.loads(payload)["state"] for payload in self.payloads("state")]

    def heard(self, kind: type[Any]) -> list[Any]:
        return [value for value in self.session.inputs if isinstance(value, kind)]

    def tell(self, outcome: Outcome) -> None:
        self.pipes.tell(outcome)


def finished(turn_id: str) -> TurnFinished:
    return TurnFinished(turn_id, ResponseStatus.COMPLETED)


def call(call_id: str = "c1", name: str = "light") -> ToolCall:
    return ToolCall("t1", call_id, name, "{}")


# Sound in


async def test_a_code_is_heard_on_this_device_and_the_session_gets_none_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Ear:
        heard = 0

        def start(self) -> None:
            pass

        async def hear(self, pcm: bytes, rate_hz: int) -> str:
            assert (len(pcm) > 6 * len(LOUD), rate_hz) == (True, RATE_HZ)
            self.heard += 1
            return "4711"

        async def close(self) -> None:
            pass

    monkeypatch.setattr(private, "PAUSE_S", 0.01)
    ear = Ear()
    lock = PinLock(matcher("4711"), {})
    costs = Costs(ROOM.budget, START.date(), None)
    numbers = itertools.count(100)
    router = Router(
        Tuning(ROOM, {}),
        lambda: f"t{next(numbers)}",
        {},
        costs=costs,
        is_muted=False,
        pin=lock,
        hears_privately=True,
    )
    async with House(private_ear=ear, router=router).at_work() as house:
        house.tell(ToolCall("t0", "c1", "unlock", "{}"))
        await until(lambda: house.heard(ctl.SayText))
        house.source.give(*UTTERANCE)
        await until(lambda: house.broker.delivered)
        assert ear.heard == 1
        assert not house.heard(SpeechStarted)
        assert not house.heard(SpeechAudio)
        assert not house.events("segment")
        house.pipes.order(cmd.ToolResult("unlock", "c1", output=1))
        await until(lambda: house.heard(ctl.AnswerCall))
        house.source.give(*UTTERANCE)
        await until(lambda: house.heard(SpeechEnded))


async def test_frames_become_segments_for_the_session_and_reports_for_the_broker() -> None:
    async with House().at_work() as house:
        house.source.give(*UTTERANCE)
        await until(lambda: house.events("segment"))
        await until(lambda: house.heard(SpeechEnded))
        started, *pieces, ended = house.session.inputs
        assert isinstance(started, SpeechStarted)
        assert isinstance(ended, SpeechEnded)
        assert started.turn_id == ended.turn_id == "t1"
        assert ended.is_kept
        assert ended.reason is EndReason.SILENCE
        sound = b"".join(piece.pcm for piece in pieces if isinstance(piece, SpeechAudio))
        assert sound.startswith(SILENT + SILENT + 6 * LOUD), "the pre-roll and everything that was said"
        assert sound in b"".join(UTTERANCE)
        assert house.payloads("speech") == ["ON", "OFF"]
        assert house.states() == ["idle", "listening", "thinking"]


async def test_the_session_gets_its_own_rate() -> None:
    async with House(session_rate_hz=24000).at_work() as house:
        house.source.give(*UTTERANCE)
        await until(lambda: house.heard(SpeechEnded))
        (ended,) = house.heard(SpeechEnded)
        samples = sum(len(piece.pcm) for piece in house.heard(SpeechAudio)) / 2
        assert samples == pytest.approx((ended.end_ms - ended.start_ms) * 24, rel=0.01)


async def test_a_sound_too_short_is_started_and_ended_and_not_kept() -> None:
    async with House().at_work() as house:
        house.source.give(LOUD, LOUD, *[SILENT] * 6)
        await until(lambda: house.heard(SpeechEnded))
        assert not house.heard(SpeechEnded)[0].is_kept
        assert house.heard(SpeechAudio) == []
        await until(lambda: house.states()[-1] == "idle")
        assert house.events("segment") == []


async def test_half_duplex_shuts_the_gate_while_the_node_speaks() -> None:
    async with House().at_work() as house:
        house.source.give(*[LOUD] * 5)
        await until(lambda: house.heard(SpeechAudio))
        house.player.is_speaking = True
        house.source.give(*[LOUD] * 20)
        await until(lambda: house.heard(SpeechEnded))
        await until(lambda: house.source.taken == 25)
        asked = house.detector.asked
        assert house.heard(SpeechEnded)[0].reason is EndReason.SHUT
        assert asked == 5, "no verdict on the node's own voice"
        assert len(house.heard(SpeechStarted)) == 1
        house.player.is_speaking = False
        house.source.give(*UTTERANCE)
        await until(lambda: len(house.heard(SpeechEnded)) == 2)
        own_voice = b"".join(piece.pcm for piece in house.heard(SpeechAudio) if piece.turn_id == "t2")
        assert own_voice.count(LOUD) == 6, "no sample from before"


async def test_without_half_duplex_the_gate_stays_open() -> None:
    async with House(is_half_duplex=False).at_work() as house:
        house.player.is_speaking = True
        house.source.give(*UTTERANCE)
        await until(lambda: house.heard(SpeechEnded))
        assert house.heard(SpeechEnded)[0].is_kept


async def test_a_session_that_does_not_read_makes_the_microphone_wait_and_not_the_memory() -> None:
    async with House().at_work() as house:
        house.session.may_read.clear()
        house.source.give(*[LOUD] * 2000)
        await until(lambda: len(house.pipes.inputs) >= 500)
        taken = house.source.taken
        await asyncio.sleep(0.02)
        assert house.source.taken == taken
        assert house.pipes.inputs.lost == 0
        house.session.may_read.set()
        await until(lambda: house.source.taken == 2000)


# Mute


async def test_a_mute_is_told_only_after_the_device_is_closed() -> None:
    async with House().at_work() as house:
        house.source.may_pause.clear()
        house.pipes.order(cmd.SetMute(is_muted=True))
        house.source.give(*UTTERANCE)
        await until(lambda: house.source.taken == len(UTTERANCE))
        assert not house.heard(SpeechStarted), "it is deaf at once"
        assert house.payloads("mute/state") == ["OFF"]
        assert "muted" not in house.states()
        house.source.may_pause.set()
        await until(lambda: "ON" in house.payloads("mute/state"))
        await until(lambda: house.states()[-1] == "muted")
        assert {"source paused", "remembered is_muted True"} <= set(house.history)


async def test_a_mute_ends_the_segment_that_is_open_though_no_frame_comes_any_more() -> None:
    async with House().at_work() as house:
        house.source.give(*[LOUD] * 5)
        await until(lambda: house.heard(SpeechAudio))
        house.pipes.order(cmd.SetMute(is_muted=True))
        await until(lambda: house.states()[-1] == "muted")
        await until(lambda: house.heard(SpeechEnded))
        assert house.heard(SpeechEnded)[0].reason is EndReason.SHUT
        await until(lambda: house.payloads("speech")[-1] == "OFF")


async def test_a_mute_ends_a_segment_after_all_that_was_said_of_it() -> None:
    sends_at_once = Gate(ROOM.gate.model_copy(update={"min_speech_ms": 0}), lambda: "t1")
    async with House(gate=sends_at_once).at_work() as house:
        house.session.may_read.clear()
        house.pipes.inputs.offer(ctl.StopReply())
        await until(lambda: len(house.pipes.inputs) == 0)
        while len(house.pipes.inputs) < 500:
            house.pipes.inputs.offer(ctl.StopReply())
        house.source.give(LOUD, LOUD)  # is said as a start and its sound, and both have to wait
        await until(lambda: house.source.taken == 2)
        house.pipes.order(cmd.SetMute(is_muted=True))
        await until(lambda: house.states()[-1] == "muted")
        house.session.may_read.set()
        await until(lambda: bool(house.session.inputs) and isinstance(house.session.inputs[-1], ctl.SetMuted))
        kinds = [type(value) for value in house.session.inputs[-4:]]
        assert kinds == [SpeechStarted, SpeechAudio, SpeechEnded, ctl.SetMuted]


async def test_what_waits_is_forgotten_before_a_slow_device_is_closed() -> None:
    async with House().at_work() as house:
        house.source.may_pause.clear()
        house.source.give(*[LOUD] * 5)
        await until(lambda: house.heard(SpeechAudio))
        house.pipes.order(cmd.SetMute(is_muted=True))
        await until(lambda: house.heard(ctl.SetMuted))
        assert isinstance(house.session.inputs[-2], SpeechEnded)
        assert "ON" not in house.payloads("mute/state")
        house.source.may_pause.set()
        await until(lambda: "ON" in house.payloads("mute/state"))


async def test_muted_and_opened_again() -> None:
    async with House().at_work() as house:
        house.pipes.order(cmd.SetMute(is_muted=True))
        await until(lambda: not house.source.is_open)
        house.pipes.order(cmd.SetMute(is_muted=False))
        await until(lambda: house.payloads("mute/state")[-1] == "OFF" and house.source.is_open)
        house.source.give(*UTTERANCE)
        await until(lambda: house.heard(SpeechEnded))
        assert house.remembered == [("is_muted", True), ("is_muted", False)]


async def test_a_mute_is_kept_before_a_reload_reads_what_was_kept() -> None:
    is_ready = threading.Event()
    kept: list[tuple[str, object]] = []

    def remember(key: str, value: object) -> None:
        is_ready.wait(DEADLINE_S)
        kept.append((key, value))

    async with House(remember=remember).at_work() as house:
        house.pipes.order(cmd.SetMute(is_muted=True))
        house.pipes.order(cmd.Reload())
        assert house.life is not None
        ended, _ = await asyncio.wait([house.life], timeout=0.2)
        assert not ended, "the next node would read that it is not muted"
        is_ready.set()
        assert await house.end() is End.RELOAD
        assert kept == [("is_muted", True)]


async def test_the_last_of_many_mutes_holds() -> None:
    async with House().at_work() as house:
        for number in range(21):
            house.pipes.order(cmd.SetMute(is_muted=number % 2 == 0))
        await until(lambda: house.payloads("mute/state")[-1] == "ON")
        assert not house.source.is_open
        assert house.remembered[-1] == ("is_muted", True)


async def test_a_node_that_was_muted_opens_no_device_until_it_may() -> None:
    async with House(is_muted=True).at_work() as house:
        assert "source started" not in house.history
        assert house.payloads("mute/state") == ["ON"]
        house.pipes.order(cmd.SetMute(is_muted=False))
        await until(lambda: house.source.is_open)
        house.source.give(*UTTERANCE)
        await until(lambda: house.heard(SpeechEnded))


async def test_a_device_that_does_not_close_is_never_said_to_be() -> None:
    house = House()
    house.pipes.broker_came.set()
    async with house.at_work():
        house.source.pause_error = CaptureLost("microphone Seeed: its driver does not answer")
        house.pipes.order(cmd.SetMute(is_muted=True))
        assert isinstance(await house.error(), CaptureLost)
        assert ("is_muted", True) in house.remembered, "after the restart it is muted"
        assert "ON" not in house.payloads("mute/state")


# Tool calls


async def test_a_call_is_delivered_and_its_answer_reaches_the_session() -> None:
    async with House().at_work() as house:
        house.tell(call())
        await until(lambda: house.broker.delivered)
        (message,) = house.broker.delivered
        assert message.topic == TOPICS.branch + "tool/light/call"
        assert json.loads(message.payload)["call_id"] == "c1"
        assert all("tool/" not in offered.topic for offered in house.broker.offered), "never where it could wait"
        house.pipes.order(cmd.ToolResult("light", "c1", output={"on": True}))
        await until(lambda: house.heard(ctl.AnswerCall))
        assert house.heard(ctl.AnswerCall) == [ctl.AnswerCall("c1", '{"on": true}')]


async def test_a_call_straight_to_a_device_is_done_when_the_broker_has_it() -> None:
    async with House().at_work() as house:
        house.tell(ToolCall("t1", "c1", "plug", "{}"))
        await until(lambda: house.heard(ctl.AnswerCall))
        assert [(message.topic, message.payload) for message in house.broker.delivered] == [("plug/set", b"ON")]
        assert house.heard(ctl.AnswerCall) == [ctl.AnswerCall("c1", '{"result": "sent"}')]
        await until(lambda: house.audited)
        assert (house.audited[0]["tool"], house.audited[0]["outcome"]) == ("plug", "done")


async def test_a_call_of_which_nobody_knows_whether_it_arrived_is_left_to_its_deadline() -> None:
    async def unknown(message: Message) -> str | None:
        raise TimeoutError(message.topic)

    async with House().at_work() as house:
        house.broker.deliver = unknown  # type: ignore[method-assign]  # the broker of this test
        house.tell(call(name="hasty"))
        await until(lambda: house.heard(ctl.AnswerCall))
        assert house.heard(ctl.AnswerCall) == [ctl.AnswerCall("c1", '{"error": "no answer in time"}')]


async def test_a_call_that_cannot_be_delivered_is_answered_at_once() -> None:
    async with House().at_work() as house:
        house.broker.trouble = "the broker is away"
        house.tell(call())
        await until(lambda: house.heard(ctl.AnswerCall))
        (answer,) = house.heard(ctl.AnswerCall)
        assert json.loads(answer.output) == {"error": "home unreachable"}
        assert house.codes() == ["unreachable"]


async def test_a_call_that_cannot_be_written_is_answered_at_once() -> None:
    async with House().at_work() as house:
        house.tell(call("x" * 1000))
        await until(lambda: house.heard(ctl.AnswerCall))
        assert house.broker.delivered == []
        assert "unreachable" in house.codes()


async def test_a_delivery_that_hangs_holds_up_nothing() -> None:
    async with House().at_work() as house:
        house.broker.may_deliver.clear()
        house.tell(call("c1"))
        house.source.give(*UTTERANCE)
        await until(lambda: house.heard(SpeechEnded))
        house.tell(call("c2"))
        house.pipes.order(cmd.Stop())
        await until(lambda: house.player.stops == 1)
        house.broker.may_deliver.set()
        await until(lambda: len(house.broker.delivered) == 2)


async def test_a_call_that_nobody_answers_is_answered_by_its_deadline() -> None:
    async with House().at_work() as house:
        house.tell(call(name="hasty"))
        await until(lambda: house.heard(ctl.AnswerCall))
        assert json.loads(house.heard(ctl.AnswerCall)[0].output) == {"error": "no answer in time"}


async def test_an_answer_reaches_a_session_that_is_behind() -> None:
    """A slow uplink fills the way to the session with sound; the model must not wait for an answer that was dropped."""
    async with House().at_work() as house:
        house.session.may_read.clear()
        house.source.give(*[LOUD] * 2000)
        await until(lambda: len(house.pipes.inputs) >= 500)
        house.tell(call())
        await until(lambda: house.broker.delivered)
        house.pipes.order(cmd.ToolResult("light", "c1", output=1))
        house.pipes.order(cmd.Ask("?"))
        await until(lambda: house.payloads("response/ask"))
        house.session.may_read.set()
        await until(lambda: house.heard(ctl.AnswerCall) and house.heard(ctl.AskText))


# Commands


async def test_controls_reach_their_stages() -> None:
    async with House().at_work() as house:
        house.pipes.order(cmd.SetSetting("volume", 30))
        house.pipes.order(cmd.Stop())
        house.pipes.order(cmd.Say("Essen!"))
        house.pipes.order(cmd.Reset())
        await until(lambda: house.heard(ctl.ResetConversation))
        assert house.player.volume == 30
        assert house.player.stops == 1
        assert house.session.inputs == [ctl.StopReply(), ctl.SayText("t1", "Essen!"), ctl.ResetConversation()]
        assert house.payloads("volume/state") == ["70", "30"]


async def test_the_volume_is_kept_over_restarts() -> None:
    async with House().at_work() as house:
        house.pipes.order(cmd.SetSetting("volume", 30))
        await until(lambda: ("settings", {"volume": {"value": 30, "file": 70}}) in house.remembered)


async def test_what_is_kept_is_kept_in_order() -> None:
    """Each volume is written slower than the next one comes."""
    kept: list[int] = []

    def remember(_key: str, value: object) -> None:
        assert isinstance(value, dict)
        time.sleep(0.02 if value["volume"]["value"] % 2 else 0.001)
        kept.append(value["volume"]["value"])

    async with House(remember=remember).at_work() as house:
        for volume in range(10):
            house.pipes.order(cmd.SetSetting("volume", volume))
        await until(lambda: kept[-1:] == [9])
    assert kept == sorted(kept)


async def test_reply_audio_goes_to_the_player_alone() -> None:
    async with House().at_work() as house:
        house.pipes.play(ReplyAudio("t1", "i1", "r1", LOUD))
        house.pipes.play(ReplyAudioEnded("t1", "i1"))
        assert house.player.played == [("i1", LOUD)]
        assert house.player.ended == ["i1"]
        house.tell(PlaybackChanged(is_speaking=True))
        await until(lambda: house.states()[-1] == "speaking")


async def test_a_flood_of_commands_loses_no_outcome(caplog: pytest.LogCaptureFixture) -> None:
    async with House().at_work() as house:
        before = len(house.codes())
        for _ in range(5000):
            house.pipes.order(cmd.BadInput("request/x", "no"))
        for number in range(900):
            house.tell(ServiceTrouble(f"outcome_{number}", "x"))
        await until(lambda: "outcome_899" in house.codes())
        codes = house.codes()[before:]
        assert [code for code in codes if code.startswith("outcome_")] == [f"outcome_{n}" for n in range(900)]
        assert codes.count("bad_input") == 1000
        assert house.pipes.inbox.lost == 4000
        assert "outcome was lost" not in caplog.text


async def test_the_loss_of_an_outcome_is_an_error_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async with House().at_work() as house:
        for _ in range(2001):
            house.tell(ServiceTrouble("x", "x"))
        assert "outcomes are lost" in caplog.text


async def test_what_cannot_be_published_is_reported_and_stops_nothing() -> None:
    async with House().at_work() as house:
        house.tell(ServiceTrouble("big", "x" * 100_000))
        await until(lambda: house.codes())
        house.pipes.order(cmd.Stop())
        await until(lambda: house.player.stops)
        assert house.codes() == ["unencodable"]


# Recordings


async def test_a_recording_waits_until_its_turn_is_over_and_heard() -> None:
    async with House(waits_for_turns=True).at_work() as house:
        house.source.give(*UTTERANCE, *UTTERANCE)
        await until(lambda: house.heard(SpeechEnded))
        house.player.is_drained.clear()
        taken = house.source.taken
        assert taken <= len(UTTERANCE) + 1
        house.tell(finished("t0"))
        house.tell(finished("t1"))
        await until(lambda: house.events("turn_finished"))
        assert house.source.taken == taken, "the reply is still to be heard"
        house.player.is_drained.set()
        await until(lambda: len(house.heard(SpeechEnded)) == 2)
        house.tell(TurnLost("t2", LostReason.STALE))


async def test_a_recording_goes_on_where_its_turn_is_lost_before_it_was_said() -> None:
    house = House(waits_for_turns=True)
    house.session.react = lambda value: (
        house.tell(TurnLost(value.turn_id, LostReason.DISCONNECTED)) if isinstance(value, SpeechStarted) else None
    )
    async with house.at_work():
        house.source.give(*[LOUD] * 6)
        await until(lambda: house.codes() == ["turn_lost"])
        house.source.give(*[SILENT] * 6, *UTTERANCE)
        await until(lambda: len(house.heard(SpeechEnded)) == 2)


async def test_a_recording_that_is_in_a_segment_ends_when_the_session_is_refused() -> None:
    house = House(waits_for_turns=True)
    house.pipes.broker_came.set()
    async with house.at_work():
        house.source.give(*[LOUD] * 6)
        await until(lambda: house.heard(SpeechAudio))
        house.session.refuse(SessionRefused("the key"))
        assert isinstance(await house.error(), SessionRefused)


# The end


async def test_stop_drains_stage_by_stage() -> None:
    house = House()
    house.session.at_end = lambda: house.tell(finished("t1"))
    async with house.at_work():
        house.source.give(*[LOUD] * 6)
        await until(lambda: house.heard(SpeechAudio))
        house.source.give(LOUD, LOUD)
        await house.pipeline.stop()
        assert await house.end() is End.DONE
        assert house.heard(SpeechEnded)[0].reason is EndReason.END
        assert b"".join(piece.pcm for piece in house.heard(SpeechAudio)) == 8 * LOUD, "what was captured is used"
        assert [event["turn_id"] for event in house.events("turn_finished")] == ["t1"]
        assert house.history == [
            "source started",
            "source closed",
            "session ended",
            "broker stopped",
            "player closed",
        ]
        assert house.broker.too_late == []


async def test_the_last_reply_is_heard_before_the_end() -> None:
    async with House().at_work() as house:
        house.player.is_drained.clear()
        await house.pipeline.stop()
        await until(lambda: "session ended" in house.history)
        assert not house.broker.is_stopped
        house.player.is_drained.set()
        assert await house.end() is End.DONE


async def test_the_end_of_the_source_is_the_end() -> None:
    async with House().at_work() as house:
        house.source.give(*UTTERANCE)
        await house.source.close()
        assert await house.end() is End.DONE


async def test_stop_twice_and_commands_after_the_end() -> None:
    async with House().at_work() as house:
        await house.pipeline.stop()
        await house.pipeline.stop()
        assert await house.end() is End.DONE
        house.pipes.order(cmd.Stop())
        house.tell(finished("t1"))


async def test_a_stop_that_comes_while_everything_starts() -> None:
    house = House()
    await house.pipeline.stop()
    async with house.at_work():
        assert await house.end() is End.DONE


async def test_a_stop_while_a_call_is_on_its_way() -> None:
    async with House().at_work() as house:
        house.broker.may_deliver.clear()
        house.tell(call())
        await until(lambda: house.events("tool_call"))
        await house.pipeline.stop()
        house.broker.may_deliver.set()
        assert await house.end() is End.DONE


async def test_a_call_that_fails_after_the_broker_was_stopped_is_no_trouble() -> None:
    async with House().at_work() as house:
        house.broker.may_deliver.clear()
        house.tell(call())
        await until(lambda: house.events("tool_call"))
        await house.pipeline.stop()
        await until(lambda: house.broker.is_stopped)
        house.broker.trouble = "the broker is away"
        house.broker.may_deliver.set()
        assert await house.end() is End.DONE


async def test_a_cancelled_pipeline_leaves_nothing_running() -> None:
    async with House().at_work() as house:
        house.source.give(*[LOUD] * 6)
        await until(lambda: house.heard(SpeechAudio))
        assert house.life is not None
        house.life.cancel()
        await asyncio.wait([house.life], timeout=DEADLINE_S)
        assert house.life.cancelled()


async def test_a_bug_in_a_stage_ends_the_pipeline_as_what_it_is() -> None:
    async with House().at_work() as house:
        house.source.fail(ZeroDivisionError("a bug"))
        error = await house.error()
        assert isinstance(error, ExceptionGroup)
        assert error.subgroup(ZeroDivisionError) is not None


# What cannot go on


def trouble() -> NodeError:
    return SessionRefused("the service refuses: invalid_api_key")


async def test_a_refused_session_is_told_before_the_pipeline_raises() -> None:
    async with House().at_work() as house:
        house.tell(ServiceTrouble("invalid_api_key", "the service refuses"))
        house.session.refuse(trouble())
        await until(lambda: "invalid_api_key" in house.codes())
        await asyncio.sleep(0.02)
        assert not house.broker.is_stopped, "nobody was there to be told yet"
        house.pipes.order(cmd.BrokerChanged(is_connected=True))
        error = await house.error()
        assert isinstance(error, SessionRefused)
        assert error.exit_code == 77
        assert house.broker.is_stopped
        assert house.player.is_closed
        assert house.source.is_closed


async def test_without_a_broker_the_process_does_not_wait_for_ever(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pipeline_module, "FAREWELL_S", 0.02)
    async with House().at_work() as house:
        house.session.refuse(trouble())
        with caplog.at_level(logging.WARNING):
            assert isinstance(await house.error(), SessionRefused)
        assert "no broker" in caplog.text


async def test_a_refused_session_ends_a_microphone_that_waits_for_it() -> None:
    house = House()
    house.pipes.broker_came.set()
    async with house.at_work():
        house.session.may_read.clear()
        house.source.give(*[LOUD] * 2000)
        await until(lambda: len(house.pipes.inputs) >= 500)
        house.session.refuse(trouble())
        assert isinstance(await house.error(), SessionRefused)


async def test_a_lost_microphone_ends_in_good_order() -> None:
    house = House()
    house.pipes.broker_came.set()
    house.session.at_end = lambda: house.tell(finished("t1"))
    async with house.at_work():
        house.tell(CaptureChanged(is_open=False, device="Seeed", detail="it went away"))
        house.source.give(*UTTERANCE)
        house.source.fail(CaptureLost("microphone Seeed: it went away"))
        assert isinstance(await house.error(), CaptureLost)
        assert house.codes() == ["capture", "stopped"]
        assert len(house.events("turn_finished")) == 1
        assert house.history[-2:] == ["broker stopped", "player closed"]


async def test_a_broker_that_cannot_be_configured_closes_what_was_started() -> None:
    house = House()
    house.broker.start_error = ConfigError("mqtt.tls.ca: ca.crt cannot be used")
    async with house.at_work():
        assert isinstance(await house.error(), ConfigError)
        assert house.player.is_closed


# Reload


async def test_a_good_room_file_begins_again() -> None:
    async with House().at_work() as house:
        house.pipes.order(cmd.Reload(cmd.ReplyTo(transaction="7")))
        assert await house.end() is End.RELOAD
        (response,) = house.payloads("response/reload")
        assert json.loads(response)["status"] == "ok"
        assert json.loads(response)["transaction"] == "7"
        assert house.broker.is_stopped


async def test_a_bad_room_file_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with House().at_work() as house:
        house.reload_error = "kitchen.yaml:3: gate.onset_ms: must be more"
        house.pipes.order(cmd.Reload())
        await until(lambda: house.payloads("response/reload"))
        assert json.loads(house.payloads("response/reload")[0])["error"] == house.reload_error
        house.source.give(*UTTERANCE)
        await until(lambda: house.heard(SpeechEnded))
        await house.pipeline.stop()
        assert await house.end() is End.DONE


async def test_a_signal_reloads_without_a_response() -> None:
    async with House().at_work() as house:
        house.pipeline.reload()
        assert await house.end() is End.RELOAD
        assert house.payloads("response/reload") == []


async def test_a_signal_before_the_start_and_after_the_end_is_no_bug() -> None:
    house = House()
    house.pipeline.reload()
    async with house.at_work():
        await house.pipeline.stop()
        await house.end()
        house.pipeline.reload()


async def test_a_slow_disk_writes_the_last_of_many_values() -> None:
    is_ready = threading.Event()
    kept: list[tuple[str, Any]] = []

    def remember(key: str, value: Any) -> None:
        is_ready.wait(DEADLINE_S)
        kept.append((key, value))

    async with House(remember=remember).at_work() as house:
        tasks = len(asyncio.all_tasks())
        for number in range(100):
            house.pipes.order(cmd.SetSetting("volume", number))
        await until(lambda: house.payloads("volume/state")[-1] == "99")
        assert len(asyncio.all_tasks()) <= tasks + 1
        is_ready.set()
        await until(lambda: bool(kept) and kept[-1][1]["volume"]["value"] == 99)
        assert len(kept) <= 2


# The watchdog


async def test_the_watchdog_is_fed_while_frames_come_and_not_when_they_stay_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pipeline_module, "FRAMELESS_S", 0.05)
    async with House().at_work() as house:
        house.tell(CaptureChanged(is_open=True, device="Seeed"))
        await until(lambda: house.is_fed_beyond(3))
        await asyncio.sleep(0.1)  # longer than FRAMELESS_S
        feeds = house.feeds
        await asyncio.sleep(0.03)
        assert house.feeds == feeds, "open, and no sound: only a restart cures that"
        await until(lambda: house.is_fed_beyond(feeds))


async def test_the_end_of_the_sound_starves_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline_module, "FRAMELESS_S", 0.0)
    async with House().at_work() as house:
        house.tell(CaptureChanged(is_open=True, device="Seeed"))
        house.pipes.order(cmd.Reload())
        house.session.may_read.clear()  # a turn takes its time
        await until(lambda: house.source.is_closed)
        feeds = house.feeds
        await until(lambda: house.feeds > feeds + 3)
        house.session.may_read.set()
        assert await house.end() is End.RELOAD


@pytest.mark.parametrize("is_muted", [True, False])
async def test_a_device_that_is_shut_or_known_to_be_away_starves_nobody(
    monkeypatch: pytest.MonkeyPatch, is_muted: bool
) -> None:
    monkeypatch.setattr(pipeline_module, "FRAMELESS_S", 0.0)
    async with House(is_muted=is_muted).at_work() as house:
        house.tell(CaptureChanged(is_open=is_muted, device="Seeed", detail="it went away"))
        feeds = house.feeds
        await until(lambda: house.feeds > feeds + 3)


@pytest.mark.parametrize("is_wanted", [True, False])
async def test_words_are_in_the_log_only_where_the_room_file_says_so(
    is_wanted: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with House(logs_words=is_wanted).at_work() as house:
        house.tell(Transcript("t1", "i1", "user", "canary words", True, START, START))
        await until(lambda: house.events("transcript"))
    assert ("canary words" in caplog.text) is is_wanted


async def test_a_turn_that_does_not_end_does_not_hold_up_a_reload(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline_module, "RELOAD_DEADLINE_S", 0.2)
    async with House().at_work() as house:
        house.session.may_read.clear()
        house.pipes.inputs.offer(ctl.StopReply())
        house.pipeline.reload()
        assert await house.end() is End.RELOAD
        assert house.broker.is_stopped
