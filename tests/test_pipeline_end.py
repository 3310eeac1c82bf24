"""How the pipeline ends: asked to, with its recording, by a new room file, or because it cannot go on."""

import asyncio
import json
import logging

import pytest

from tests.fakes.pipeline_house import DEADLINE_S, UTTERANCE, House, call, finished, until
from tests.fakes.stages import LOUD, SILENT
from voice_node import pipeline as pipeline_module
from voice_node.model import command as cmd
from voice_node.model import control as ctl
from voice_node.model.errors import CaptureLost, ConfigError, NodeError, SessionRefused
from voice_node.model.speech import EndReason, SpeechAudio, SpeechEnded, SpeechStarted
from voice_node.model.turn import CaptureChanged, LostReason, ServiceTrouble, TurnLost
from voice_node.pipeline import End


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


@pytest.mark.parametrize("is_ordered", [True, False], ids=["ordered", "for the tools of a server"])
async def test_a_turn_that_does_not_end_does_not_hold_up_a_reload(
    monkeypatch: pytest.MonkeyPatch, *, is_ordered: bool
) -> None:
    monkeypatch.setattr(pipeline_module, "RELOAD_DEADLINE_S", 0.2)
    async with House().at_work() as house:
        house.session.may_read.clear()
        house.pipes.inputs.offer(ctl.StopReply())
        if is_ordered:
            house.pipeline.reload()
        else:
            await house.pipeline.stop(End.RELOAD)
        assert await house.end() is End.RELOAD
        assert house.broker.is_stopped


async def test_a_diagnosis_keeps_no_room_from_ending() -> None:
    async with House().at_work() as house:
        house.pipes.order(cmd.Diagnose())
        await until(lambda: house.pipeline._examination is not None)
        await house.pipeline.stop()
        assert await house.end() is End.DONE
        assert house.examinations == 0
