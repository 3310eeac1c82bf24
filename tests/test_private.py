"""Segments that must not leave this device."""

import asyncio
from collections.abc import Coroutine

import pytest

from voice_node import private
from voice_node.model.speech import EndReason, Speech, SpeechAudio, SpeechEnded, SpeechStarted
from voice_node.model.turn import NumberHeard, Outcome, SpeechChanged
from voice_node.private import PrivateHearing


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(private, "PAUSE_S", 0.01)


class Ear:
    """Hears what the sound says."""

    def __init__(self) -> None:
        self.orders: list[str] = []

    def start(self) -> None:
        self.orders.append("start")

    async def hear(self, pcm: bytes, rate_hz: int) -> str:
        self.orders.append(f"hear at {rate_hz}")
        return pcm.decode()

    async def close(self) -> None:
        self.orders.append("close")


class Room:
    """A road with a private ear beside it."""

    def __init__(self, ear: Ear | None) -> None:
        self.told: list[Outcome] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.hearing = PrivateHearing(ear, self.told.append, self.start)

    def start(self, work: Coroutine[None, None, None], _name: str) -> None:
        self.tasks.append(asyncio.create_task(work))

    async def says(self, *pieces: Speech) -> list[bool]:
        taken = [self.hearing.take(piece, 16000) for piece in pieces]
        await asyncio.gather(*self.tasks)
        return taken


def ended(turn_id: str, *, is_kept: bool = True) -> SpeechEnded:
    return SpeechEnded(turn_id, 0, 500, 400, 20.0, is_kept, EndReason.SILENCE)


def segment(turn_id: str) -> tuple[Speech, ...]:
    return SpeechStarted(turn_id, 0), SpeechAudio(turn_id, b"47"), SpeechAudio(turn_id, b"11"), ended(turn_id)


async def test_nothing_is_taken_before_it_is_wanted_or_after() -> None:
    ear = Ear()
    room = Room(ear)
    assert await room.says(*segment("t1")) == [False] * 4
    room.hearing.want(True)
    room.hearing.want(False)
    assert await room.says(*segment("t2")) == [False] * 4
    assert room.told == []
    assert ear.orders == ["start", "close"]


async def test_a_wanted_segment_is_heard_here_whole() -> None:
    ear = Ear()
    room = Room(ear)
    room.hearing.want(True)
    assert await room.says(*segment("t1")) == [True] * 4
    assert room.told == [
        SpeechChanged("t1", is_open=True),
        SpeechChanged("t1", is_open=False, is_kept=False),
        NumberHeard("t1", "4711"),
    ]
    assert "4711" not in repr(room.told)
    assert ear.orders == ["start", "hear at 16000"]


async def test_a_segment_ends_where_it_began() -> None:
    room = Room(Ear())
    started, first, second, end = segment("t1")
    assert await room.says(started, first) == [False, False]
    room.hearing.want(True)
    assert await room.says(second, end) == [False, False], "the service has the rest of it"
    started, first, second, end = segment("t2")
    assert await room.says(started, first) == [True, True]
    room.hearing.want(False)
    assert await room.says(second, end) == [True, True], "no part of a code is for the service"
    assert room.told[-1] == NumberHeard("t2", "4711")


async def test_a_code_with_pauses_is_heard_as_one() -> None:
    ear = Ear()
    room = Room(ear)
    room.hearing.want(True)
    for piece in (*segment("t1"), SpeechStarted("t2", 900), SpeechAudio("t2", b"08"), ended("t2")):
        assert room.hearing.take(piece, 16000)
    assert not [outcome for outcome in room.told if isinstance(outcome, NumberHeard)]
    await asyncio.gather(*room.tasks)
    assert room.told[-1] == NumberHeard("t2", "471108")
    assert ear.orders == ["start", "hear at 16000"]


async def test_what_a_mute_cuts_off_is_no_part_of_the_next_code() -> None:
    ear = Ear()
    room = Room(ear)
    room.hearing.want(True)
    await room.says(*segment("t1")[:2])
    room.hearing.take(ended("t1"), 0)
    await room.says(*segment("t2"))
    assert room.told[-1] == NumberHeard("t2", "4711")


async def test_noise_is_not_recognised() -> None:
    ear = Ear()
    room = Room(ear)
    room.hearing.want(True)
    assert await room.says(SpeechStarted("t1", 0), ended("t1", is_kept=False)) == [True, True]
    assert ear.orders == ["start"]


async def test_without_an_ear_nothing_is_kept() -> None:
    room = Room(None)
    room.hearing.want(True)
    assert await room.says(*segment("t1")) == [False] * 4
