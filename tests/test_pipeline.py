"""The pipeline with stages of ours: what goes where, in which order, and how it ends."""

import asyncio
import json
import logging
import threading
import time
from functools import partial
from typing import Any

import pytest

from tests.fakes.pipeline_house import DEADLINE_S, ROOM, START, TOPICS, UTTERANCE, House, call, finished, until
from tests.fakes.stages import LOUD, SILENT
from voice_node import pipeline as pipeline_module
from voice_node.gate.gate import Gate
from voice_node.model import command as cmd
from voice_node.model import control as ctl
from voice_node.model.errors import CaptureLost, ConfigError, NodeError, SessionRefused
from voice_node.model.report import Happening, Report, State, Usages
from voice_node.model.speech import EndReason, SpeechAudio, SpeechEnded, SpeechStarted
from voice_node.model.turn import (
    CaptureChanged,
    LostReason,
    PlaybackChanged,
    ReplyAudio,
    ReplyAudioEnded,
    ServiceTrouble,
    ToolCall,
    Transcript,
    TurnLost,
    Usage,
)
from voice_node.mqtt.message import Message
from voice_node.pipeline import MOST_EXAMINED_FOR, End

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
        assert house.broker.delivered == []
        house.broker.may_deliver.set()
        await until(lambda: len(house.broker.delivered) == 2)
        assert [json.loads(message.payload)["call_id"] for message in house.broker.delivered] == ["c1", "c2"]


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
        assert house.heard(ctl.AnswerCall) == [ctl.AnswerCall("c1", "1")]
        assert [asked.text for asked in house.heard(ctl.AskText)] == ["?"]


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
        await until(lambda: "settings" in dict(house.remembered))
        assert house.remembered == [("settings", {"volume": {"value": 30, "file": 70}})]


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


async def test_what_the_disk_does_not_take_is_told_once_and_gone_when_it_does() -> None:
    problems = ["the disk is full", "the disk is full", None]

    def remember(_key: str, _value: object) -> str | None:
        return problems.pop(0)

    def has_tried(times: int) -> bool:
        return len(problems) == 3 - times

    async with House(remember=remember).at_work() as house:
        for number, is_muted in enumerate((True, False, True), start=1):
            house.pipes.order(cmd.SetMute(is_muted=is_muted))
            await until(partial(has_tried, number))
        await until(lambda: len(house.payloads("health")) >= 3)
        (error,) = [event for event in map(json.loads, house.payloads("event")) if event["event_type"] == "error"]
        assert (error["code"], error["detail"]) == ("state", "the disk is full")


async def test_health_tells_all_sound_since_the_start() -> None:
    problems = ["the disk is full", None]
    async with House(remember=lambda *_: problems.pop(0)).at_work() as house:

        def captured_s() -> list[float]:
            return [json.loads(health)["captured_s"] for health in house.payloads("health")]

        house.source.give(*UTTERANCE)
        await until(lambda: house.source.taken == len(UTTERANCE))
        house.pipes.order(cmd.SetMute(is_muted=True))  # health is told, for the disk is full
        await until(lambda: captured_s()[-1:] == [pytest.approx(len(UTTERANCE) * 0.02, abs=0.05)])
        told = captured_s()
        house.pipes.order(cmd.SetMute(is_muted=False))  # and again, for it is not
        await until(lambda: len(captured_s()) > len(told))
        assert captured_s()[-1] == told[-1]


async def test_observers_learn_of_everything_that_is_told() -> None:
    first: list[Report] = []
    second: list[Report] = []
    async with House(observers=(first.append, second.append)).at_work() as house:
        house.tell(finished("t1"))
        await until(lambda: any(isinstance(report, Happening) for report in second))
        assert first == second
        assert {State, Usages} <= {type(report) for report in first}


async def test_a_call_that_comes_with_a_stop_is_refused_until_the_session_has_it() -> None:
    async with House().at_work() as house:
        house.session.may_read.clear()
        house.pipes.order(cmd.Stop())
        house.tell(call())
        await until(lambda: house.pipes.inputs)
        await until(lambda: any("stopped" in str(event) for event in house.payloads("event")))
        assert house.broker.delivered == []
        house.session.may_read.set()
        await until(lambda: house.heard(ctl.AnswerCall))
        assert house.session.inputs[0] == ctl.StopReply()
        house.tell(call("c2"))
        await until(lambda: house.broker.delivered)


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
        first, second = house.heard(SpeechEnded)
        assert first.turn_id != second.turn_id
        assert house.codes() == ["turn_lost", "turn_lost"], "each is told, and holds up nothing"


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
        assert await house.end() is End.DONE, "nobody was there to begin again"
        house.pipeline.reload()
    assert house.history[-2:] == ["broker stopped", "player closed"]


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
        assert house.life is not None
        assert not house.life.done()


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


@pytest.mark.parametrize("hears", [True, False])
async def test_a_room_whose_budget_is_spent_hears_where_somebody_answers_for_nothing(hears: bool) -> None:
    async with House(hears_when_spent=hears).at_work() as house:
        house.tell(Usage("t0", "m", usd=1.5))
        await until(lambda: house.heard(ctl.SetSpent))
        house.source.give(*UTTERANCE)
        house.tell(ServiceTrouble("heard", "all of it"))
        await until(lambda: not hears or house.heard(SpeechEnded))
        await until(lambda: "heard" in house.codes())
        assert bool(house.heard(SpeechEnded)) is hears


async def test_all_who_ask_for_a_diagnosis_meanwhile_get_the_same_one() -> None:
    async with House().at_work() as house:
        for _ in range(MOST_EXAMINED_FOR + 1):
            house.pipes.order(cmd.Diagnose())
        await until(lambda: house.payloads("response/diagnose"))
        (refused,) = house.payloads("response/diagnose")
        assert json.loads(refused)["error"] == "a diagnosis is under way"
        house.may_examine.set()
        await until(lambda: len(house.payloads("response/diagnose")) == MOST_EXAMINED_FOR + 1)
        answers = [json.loads(payload) for payload in house.payloads("response/diagnose")[1:]]
        assert all(answer["data"]["findings"][0]["subject"] == "disk" for answer in answers)
        assert house.examinations == 1
        house.pipes.order(cmd.Diagnose())
        await until(lambda: house.examinations == 2)


async def test_a_diagnosis_keeps_no_room_from_ending() -> None:
    async with House().at_work() as house:
        house.pipes.order(cmd.Diagnose())
        await until(lambda: house.pipeline._examination is not None)
        await house.pipeline.stop()
        assert await house.end() is End.DONE
        assert house.examinations == 0
