"""The pipeline with stages of ours: commands, what is kept, told and logged, and the watchdog."""

import asyncio
import json
import logging
import time
from functools import partial

import pytest

from tests.fakes.pipeline_house import START, UTTERANCE, House, SlowDisk, finished, until
from tests.fakes.stages import LOUD
from voice_node import pipeline as pipeline_module
from voice_node.model import command as cmd
from voice_node.model import control as ctl
from voice_node.model.report import Happening, Report, State, Usages
from voice_node.model.speech import SpeechEnded
from voice_node.model.turn import (
    CaptureChanged,
    PlaybackChanged,
    ReplyAudio,
    ReplyAudioEnded,
    ServiceTrouble,
    Transcript,
    Usage,
)
from voice_node.pipeline import MOST_EXAMINED_FOR, End


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


async def test_a_slow_disk_writes_the_last_of_many_values() -> None:
    disk = SlowDisk()
    async with House(remember=disk.remember).at_work() as house:
        tasks = len(asyncio.all_tasks())
        for number in range(100):
            house.pipes.order(cmd.SetSetting("volume", number))
        await until(lambda: house.payloads("volume/state")[-1] == "99")
        assert len(asyncio.all_tasks()) <= tasks + 1
        disk.is_ready.set()
        await until(lambda: bool(disk.kept) and disk.kept[-1][1]["volume"]["value"] == 99)
        assert len(disk.kept) <= 2


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
