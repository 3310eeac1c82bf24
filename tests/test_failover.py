"""Which of two sessions gets what; whole rooms are cut off in tests/system/test_failover.py."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TypeVar

import pytest

from tests.fakes.until import until
from voice_node import failover as module
from voice_node.failover import ANSWER_S, AWAY_AFTER_S, KEEP_S, REST_S, SAID_FOR_S, Failover
from voice_node.model.control import AnswerCall, AskText, SayText, SetMuted, SetSpent, StopReply
from voice_node.model.moment import Moment
from voice_node.model.speech import EndReason, SpeechAudio, SpeechEnded, SpeechOver, SpeechStarted
from voice_node.model.turn import (
    LinkChanged,
    LostReason,
    Outcome,
    ProviderChanged,
    ResponseStatus,
    Transcript,
    TurnFinished,
    TurnLost,
)
from voice_node.runtime.pipe import Pipe
from voice_node.session.protocol import IDLE, Input
from voice_node.session.step import Returned

T = TypeVar("T")
START = datetime(2026, 1, 1, tzinfo=UTC)
CUT = LinkChanged(is_up=False, detail="the connection broke", is_trouble=True)
UP = LinkChanged(is_up=True, session_id="sess_1")
ASLEEP = LinkChanged(is_up=False, detail=IDLE)
AWAY = ProviderChanged("local", "the connection broke")
BACK = ProviderChanged("openai")


class FakeSide:
    """A session that keeps what it is given; a turn is under way from its beginning until the test says otherwise."""

    def __init__(self) -> None:
        self.got: list[Input] = []
        self.is_quiet = True
        self.is_serving = False
        self.reconnects = 0

    def put(self, value: Input) -> None:
        self.got.append(value)
        if isinstance(value, SpeechStarted | AskText | SayText):
            self.is_quiet = False

    async def serve(self) -> None:
        self.is_serving = True
        try:
            await asyncio.Event().wait()
        finally:
            self.is_serving = False


class House:
    """A failover between two fakes, and what it tells."""

    def __init__(self, language: str = "en") -> None:
        self.at = 1000.0
        self.told: list[Outcome] = []
        self.opened = self.closed = 0
        self.inputs: Pipe[Input] = Pipe(100)
        self.failover = Failover(
            "openai",
            language,
            self.told.append,
            lambda: Moment(self.at, START),
            lambda: "own-1",
            self._open,
            self._close,
        )
        self.service, self.local = FakeSide(), FakeSide()
        self.failover.service, self.failover.local = self.service, self.local

    async def _open(self) -> None:
        self.opened += 1

    async def _close(self) -> None:
        self.closed += 1

    async def put(self, *values: Input) -> None:
        """As the pipeline does; returns when they are taken and the next look is over."""
        for value in values:
            self.inputs.offer(value)
        await self.looked()

    async def looked(self) -> None:
        await asyncio.sleep(3 * module.TICK_S)

    def service_ends(self, *outcomes: Outcome) -> None:
        self.service.is_quiet = True
        for outcome in outcomes:
            self.failover.tell_service(outcome)

    def local_ends(self, turn_id: str, words: str = "The light is on.") -> None:
        self.local.is_quiet = True
        self.failover.tell_local(Transcript(turn_id, "item", "assistant", words, True, START, START))
        self.failover.tell_local(finished(turn_id))

    def all(self, kind: type[T]) -> list[T]:
        return [outcome for outcome in self.told if isinstance(outcome, kind)]


@asynccontextmanager
async def house(language: str = "en") -> AsyncIterator[House]:
    """At work until the block ends."""
    one = House(language)
    task = asyncio.create_task(one.failover.run(one.inputs))
    try:
        await until(lambda: one.service.is_serving)
        yield one
        one.service.is_quiet = one.local.is_quiet = True
        one.inputs.offer(SpeechOver())
        await asyncio.wait_for(task, 10)
        assert not one.service.is_serving
        assert not one.local.is_serving
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TICK_S", 0.01)


def finished(turn_id: str) -> TurnFinished:
    return TurnFinished(turn_id, ResponseStatus.COMPLETED)


def begun(turn_id: str) -> tuple[SpeechStarted, SpeechAudio]:
    return SpeechStarted(turn_id, 0), SpeechAudio(turn_id, b"\1\0" * 100)


def ended(turn_id: str) -> SpeechEnded:
    return SpeechEnded(turn_id, 0, 1000, 500, 20.0, True, EndReason.SILENCE)


def returned(*inputs: SpeechStarted | SpeechAudio | SpeechEnded | AskText | SayText, why: str = "cut") -> Returned:
    return Returned(inputs[0].turn_id, why, inputs)


async def test_a_healthy_service_gets_everything_and_the_local_engine_does_not_begin() -> None:
    async with house() as room:
        said = (*begun("t1"), ended("t1"))
        await room.put(*said, AskText("t2", "what is the time"))
        assert room.service.got == [*said, AskText("t2", "what is the time")]
        assert room.local.got == []
        assert not room.local.is_serving
        room.service_ends(UP, finished("t1"))
        assert room.told == [UP, finished("t1")]


async def test_a_segment_that_comes_back_goes_on_at_the_local_engine() -> None:
    async with house() as room:
        await room.put(*begun("t1"))
        room.failover.tell_service(UP)
        room.service_ends(CUT)
        room.failover.take_back(returned(*begun("t1"), why="the connection broke"))
        await room.put(SpeechAudio("t1", b"\2\0"), ended("t1"))
        assert room.local.got == [*begun("t1"), SpeechAudio("t1", b"\2\0"), ended("t1")]
        assert room.service.got == list(begun("t1")), "nothing more of it for the service"
        assert room.local.is_serving
        assert room.told == [UP, AWAY]


async def test_a_segment_that_had_ended_comes_back_while_the_next_one_is_spoken() -> None:
    async with house() as room:
        room.failover.tell_service(UP)
        await room.put(*begun("t1"), ended("t1"), *begun("t2"))
        room.failover.take_back(returned(*begun("t1"), ended("t1"), why="the service is too slow"))
        await room.put(ended("t2"))
        assert room.local.got == [*begun("t1"), ended("t1")]
        assert room.service.got[-1] == ended("t2")


async def test_a_turn_that_begins_while_the_link_is_lost_is_local_from_its_first_sound() -> None:
    async with house() as room:
        room.service_ends(UP, CUT)
        await room.put(*begun("t1"), ended("t1"), AskText("t2", "lights on"), SayText("t3", "dinner"))
        assert room.service.got == []
        assert len(room.local.got) == 5
        assert room.all(ProviderChanged) == [AWAY]


async def test_a_link_that_is_soon_back_while_nobody_speaks_is_nobodys_business() -> None:
    async with house() as room:
        room.service_ends(UP, CUT)
        await room.looked()
        room.at += AWAY_AFTER_S - 1
        await room.looked()
        room.service_ends(UP)
        room.at += 60
        await room.looked()
        assert room.told == [UP, UP]
        room.service_ends(CUT, CUT)
        room.at += AWAY_AFTER_S + 1
        await room.looked()
        assert room.told == [UP, UP, AWAY]
        assert room.opened == 1, "it gets ready before anybody speaks"
        assert not room.local.is_serving


async def test_it_goes_back_without_a_word_when_the_session_is_up_and_nobody_waits() -> None:
    async with house() as room:
        room.service_ends(UP, CUT)
        await room.put(AskText("t1", "lights on"))
        room.service_ends(UP)
        await room.looked()
        assert room.all(ProviderChanged) == [AWAY], "somebody waits for the local engine"
        room.local_ends("t1")
        await until(lambda: SayText("own-1", "The service is away. I can still do simple things.") in room.local.got)
        room.local_ends("own-1")
        await until(lambda: room.all(ProviderChanged) == [AWAY, BACK])
        await room.put(AskText("t2", "lights off"))
        assert room.service.got == [AskText("t2", "lights off")]
        assert len(room.all(ProviderChanged)) == 2


async def test_the_room_is_told_once_and_not_again_soon() -> None:
    async with house("de-AT") as room:

        def notices() -> list[SayText]:
            return [value for value in room.local.got if isinstance(value, SayText)]

        async def outage() -> None:
            room.service_ends(UP)
            await until(lambda: room.all(ProviderChanged)[-1:] in ([], [BACK]))
            room.service_ends(CUT)
            for turn_id in ("t1", "t2"):
                await room.put(AskText(turn_id, "Licht an"))
                room.local_ends(turn_id)
                await room.looked()
                room.local.is_quiet = True

        await outage()
        assert [notice.text for notice in notices()] == [
            "Der Dienst ist nicht erreichbar. Einfache Dinge kann ich noch."
        ]
        await outage()
        assert len(notices()) == 1
        room.service_ends(UP)
        await until(lambda: room.all(ProviderChanged)[-1] == BACK)
        room.at += SAID_FOR_S + 1
        await outage()
        assert len(notices()) == 2


async def test_a_question_of_the_local_engine_is_answered_to_it() -> None:
    async with house() as room:
        room.service_ends(UP, CUT)
        await room.put(AskText("t1", "turn on the light"))
        room.service_ends(UP)
        room.local_ends("t1", "In which room?")
        await room.looked()
        await room.put(AskText("t2", "the kitchen"))
        assert room.local.got == [AskText("t1", "turn on the light"), AskText("t2", "the kitchen")]
        room.local_ends("t2", "Which light?")
        await room.looked()
        room.at += ANSWER_S  # nobody answers
        await until(lambda: isinstance(room.local.got[-1], SayText))
        room.local_ends("own-1")
        await until(lambda: room.all(ProviderChanged)[-1] == BACK)


async def test_a_service_that_is_slow_rests() -> None:
    async with house() as room:
        room.failover.tell_service(UP)
        await room.put(AskText("t1", "lights on"))
        room.failover.take_back(returned(AskText("t1", "lights on"), why="the service is too slow"))
        room.service_ends(CUT, UP)
        room.failover._notice = None
        room.local_ends("t1")
        await room.looked()
        assert room.all(ProviderChanged) == [ProviderChanged("local", "the service is too slow")]
        room.at += REST_S
        await until(lambda: room.all(ProviderChanged)[-1] == BACK)


async def test_a_service_that_did_not_come_up_in_time_is_away_until_it_does() -> None:
    async with house() as room:
        await room.put(AskText("t1", "lights on"))
        room.failover.take_back(returned(AskText("t1", "lights on"), why="the service is too slow"))
        room.failover._notice = None
        room.local_ends("t1")
        await room.looked()
        assert len(room.all(ProviderChanged)) == 1
        room.service_ends(UP)
        await until(lambda: room.all(ProviderChanged)[-1] == BACK)


async def test_a_spent_budget_leaves_the_local_engine_until_it_is_whole_again() -> None:
    async with house() as room:
        await room.put(SetSpent(is_spent=True))
        room.service_ends(ASLEEP)
        assert room.service.got == [SetSpent(is_spent=True)]
        assert room.all(ProviderChanged) == [ProviderChanged("local", "the day's budget is spent")]
        await room.put(*begun("t1"), ended("t1"))
        assert room.local.got == [*begun("t1"), ended("t1")]
        room.local_ends("t1")
        await until(lambda: isinstance(room.local.got[-1], SayText))
        assert room.local.got[-1] == SayText("own-1", "Today's budget is spent. I can still do simple things.")
        room.local_ends("own-1")
        await room.looked()
        assert len(room.all(ProviderChanged)) == 1
        await room.put(SetSpent(is_spent=False))
        await until(lambda: room.all(ProviderChanged)[-1] == BACK)


async def test_what_belongs_to_no_turn_goes_to_both() -> None:
    async with house() as room:
        values: list[Input] = [AnswerCall("call_1", "{}"), StopReply(), SetMuted(is_muted=True)]
        await room.put(*values)
        assert room.service.got == values
        assert room.local.got == values


async def test_the_local_engine_ends_when_it_is_asleep_and_was_not_needed_for_a_while() -> None:
    async with house() as room:
        room.service_ends(UP, CUT)
        await room.put(AskText("t1", "lights on"))
        room.failover.tell_local(UP)
        room.failover._notice = None
        room.local_ends("t1")
        room.at += KEEP_S
        await room.looked()
        assert room.closed == 0, "the service is still away"
        room.service_ends(UP)
        await until(lambda: room.told[-1] == BACK)
        await room.looked()
        assert room.closed == 0
        room.at += KEEP_S
        await room.looked()
        assert room.closed == 0, "its session is open"
        room.failover.tell_local(ASLEEP)
        await until(lambda: room.closed == 1)
        await room.looked()
        assert (room.opened, room.closed) == (1, 1)
        assert room.told[-1] == BACK, "its link is its own affair"
        room.service_ends(CUT)
        await room.put(AskText("t2", "lights on"))
        assert room.opened == 2


async def test_it_ends_only_when_both_are_quiet() -> None:
    one = House()
    task = asyncio.create_task(one.failover.run(one.inputs))
    await one.put(AskText("t1", "lights on"), SpeechOver())
    assert not task.done()
    one.failover.take_back(returned(AskText("t1", "lights on")))
    one.service.is_quiet = True
    await one.looked()
    assert not task.done()
    one.failover.tell_local(TurnLost("t1", LostReason.EMPTY))
    one.local.is_quiet = True
    await asyncio.wait_for(task, 10)
