"""A mute: deaf at once, told when it is true, and kept."""

import asyncio

from tests.fakes.pipeline_house import ROOM, UTTERANCE, House, SlowDisk, until
from tests.fakes.stages import LOUD
from voice_node.gate.gate import Gate
from voice_node.model import command as cmd
from voice_node.model import control as ctl
from voice_node.model.errors import CaptureLost
from voice_node.model.speech import EndReason, SpeechAudio, SpeechEnded, SpeechStarted
from voice_node.pipeline import End


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


async def test_a_mute_that_is_undone_while_the_device_closes_ends_when_it_opens_anew() -> None:
    async with House().at_work() as house:
        house.source.may_pause.clear()
        house.pipes.order(cmd.SetMute(is_muted=True))
        await until(lambda: house.heard(ctl.SetMuted))
        house.pipes.order(cmd.SetMute(is_muted=False))
        await until(lambda: len(house.pipes.inbox) == 0)
        house.source.give(*UTTERANCE)  # the device still gives what it captured while the room was muted
        await until(lambda: house.source.taken == len(UTTERANCE))
        house.source.may_pause.set()
        await until(lambda: "source resumed" in house.history)
        assert not house.heard(SpeechStarted)
        house.source.give(*UTTERANCE)
        await until(lambda: house.heard(SpeechEnded))


async def test_a_mute_is_kept_before_a_reload_reads_what_was_kept() -> None:
    disk = SlowDisk()
    async with House(remember=disk.remember).at_work() as house:
        house.pipes.order(cmd.SetMute(is_muted=True))
        house.pipes.order(cmd.Reload())
        assert house.life is not None
        ended, _ = await asyncio.wait([house.life], timeout=0.2)
        assert not ended, "the next node would read that it is not muted"
        disk.is_ready.set()
        assert await house.end() is End.RELOAD
        assert disk.kept == [("is_muted", True)]


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
