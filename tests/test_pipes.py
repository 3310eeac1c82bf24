"""The two channels of a room."""

import logging

import pytest

from voice_node.model.command import BrokerChanged, HomeAssistantStatus
from voice_node.model.control import AnswerCall, AskText, StopReply
from voice_node.model.speech import EndReason, Speech, SpeechAudio, SpeechEnded, SpeechStarted
from voice_node.model.turn import (
    LostReason,
    MuteChanged,
    ReplyAudio,
    ReplyAudioEnded,
    SoundCounted,
    StopTaken,
    ToolCall,
    TurnLost,
)
from voice_node.pipes import Pipes


class Player:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def play(self, item_id: str, pcm: bytes) -> None:
        self.told.append((item_id, pcm))

    def end(self, item_id: str) -> None:
        self.told.append(item_id)

    def set_volume(self, volume: int) -> None:
        self.told.append(volume)


def speaking() -> tuple[Pipes, Player]:
    pipes, player = Pipes(), Player()
    pipes.player = player  # type: ignore[assignment]  # the parts of a player that pipes know
    return pipes, player


def test_commands_leave_room_for_outcomes() -> None:
    pipes = Pipes()
    for _ in range(5000):
        pipes.order(HomeAssistantStatus(is_online=True))
    taken = len(pipes.inbox)
    pipes.order(BrokerChanged(is_connected=True))
    pipes.tell(MuteChanged(is_muted=True))
    assert len(pipes.inbox) == taken + 2
    assert pipes.broker_came.is_set()


def test_a_lost_outcome_is_an_error_and_one_after_the_end_is_not(caplog: pytest.LogCaptureFixture) -> None:
    pipes = Pipes()
    for _ in range(2001):
        pipes.tell(MuteChanged(is_muted=True))
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    pipes.inbox.close()
    pipes.tell(MuteChanged(is_muted=True))
    assert len(caplog.records) == 1


def test_an_announcement_has_its_own_volume_and_what_follows_has_not() -> None:
    pipes, player = speaking()
    pipes.volume = 40
    pipes.give_volume("t1", 90)
    for turn_id in ("t1", "t1", "t2"):
        pipes.play(ReplyAudio(turn_id, "i", "r", b"ab"))
    pipes.play(ReplyAudioEnded("t2", "i"))
    assert player.told == [90, ("i", b"ab"), ("i", b"ab"), 40, ("i", b"ab"), "i"]


def test_volumes_of_announcements_that_never_came_are_forgotten() -> None:
    pipes, _ = speaking()
    for number in range(1000):
        pipes.give_volume(f"t{number}", 50)
    assert len(pipes._own_volumes) == 16


def test_without_a_player_nothing_is_played() -> None:
    Pipes().play(ReplyAudio("t", "i", "r", b""))
    assert Pipes().player is None


async def test_a_stop_overtakes_the_speech_that_waits_and_stops_it_in_its_own_place_too() -> None:
    pipes = Pipes()
    speech: list[Speech] = [
        SpeechStarted("t2", 0),
        *(SpeechAudio("t2", b"") for _ in range(400)),
        SpeechEnded("t2", 0, 900, 900, 20.0, True, EndReason.SILENCE),
    ]
    for value in speech:
        await pipes.inputs.put(value)
    pipes.request(AskText("t3", "a text"))
    pipes.stop(StopReply("item_1", 700))
    pipes.request(AskText("t4", "a text"))
    read = [await anext(pipes.inputs) for _ in range(len(pipes.inputs))]
    asked = AskText("t3", "a text"), StopReply(), AskText("t4", "a text")
    assert read == [StopReply("item_1", 700), *speech, *asked]


async def test_a_reply_that_is_spoken_over_is_silenced_before_the_speech_that_waits_goes_on() -> None:
    pipes = Pipes()
    await pipes.inputs.put(SpeechStarted("t2", 0))
    pipes.silence(StopReply("item_1", 700))
    await pipes.inputs.put(SpeechStarted("t3", 0))
    read = [await anext(pipes.inputs) for _ in range(3)]
    assert read == [StopReply("item_1", 700), SpeechStarted("t2", 0), SpeechStarted("t3", 0)]
    assert len(pipes.inbox) == 0, "nobody ordered it"


async def test_the_router_is_told_when_the_session_has_all_of_a_stop() -> None:
    pipes = Pipes()
    pipes.stop(StopReply())
    assert await anext(pipes.inputs) == StopReply()
    assert await anext(pipes.inbox) == StopTaken()

    await pipes.inputs.put(SpeechStarted("t2", 0))
    pipes.stop(StopReply())
    assert [await anext(pipes.inputs) for _ in range(2)] == [StopReply(), SpeechStarted("t2", 0)]
    assert len(pipes.inbox) == 0
    call = ToolCall("t2", "c1", "light", "{}")
    pipes.tell(call)
    assert await anext(pipes.inputs) == StopReply()
    assert [await anext(pipes.inbox) for _ in range(2)] == [call, StopTaken()]


def test_a_stop_that_finds_no_room_keeps_nobody_waiting() -> None:
    pipes = Pipes()
    for _ in range(564):
        pipes.inputs.offer(AnswerCall("call_1", "{}"))
    pipes.stop(StopReply())
    assert len(pipes.inbox) == 1


def test_requests_leave_room_for_answers() -> None:
    pipes = Pipes()
    for number in range(600):
        pipes.request(AskText(f"t{number}", "a text"))
    assert pipes.inputs.lost == 0
    assert pipes.inputs.offer(AnswerCall("call_1", "{}"))
    assert len(pipes.inbox) == 601 - len(pipes.inputs), "each that was refused is told"
    pipes.inbox.close()
    assert isinstance(pipes.inbox._items[-1], TurnLost)
    assert pipes.inbox._items[-1] == TurnLost("t599", LostReason.BUSY)


def test_lost_outcomes_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    pipes = Pipes()
    for _ in range(3000):
        pipes.tell(SoundCounted(1.0))
    assert len(caplog.records) == 1
