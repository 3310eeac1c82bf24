"""Segments on their way to the session: they wait for the other rooms, and no longer than that takes."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.fakes.stages import Player
from tests.fakes.until import until
from voice_node.contest import ENDLESS, UNHEARD, Contest
from voice_node.gate import arbitration
from voice_node.gate.arbitration import LONGEST_S, Arbitration
from voice_node.model.command import BrokerChanged
from voice_node.model.control import HearClaim
from voice_node.model.moment import Moment
from voice_node.model.speech import EndReason, Speech, SpeechAudio, SpeechEnded, SpeechStarted
from voice_node.model.turn import ClaimMade, ServiceTrouble, TurnYielded
from voice_node.pipes import Pipes

STARTED, SOUND = SpeechStarted("t1", 0), SpeechAudio("t1", b"ab")
ENDED = SpeechEnded("t1", 0, 900, 900, 20.0, True, EndReason.SILENCE)
DROPPED = SpeechEnded("t1", 0, 100, 60, 20.0, False, EndReason.SILENCE)


class Kitchen:
    """A room's contest, and what it told."""

    def __init__(self, *, has_broker: bool = True, is_arbitrated: bool = True) -> None:
        self.pipes = Pipes()
        self.pipes.order(BrokerChanged(is_connected=has_broker))
        self.player = Player([])
        self.late = 0.0
        """Added to its clock."""
        numbers = itertools.count(1)
        rules = Arbitration("kitchen", lambda: f"k{next(numbers)}", is_repeated=True) if is_arbitrated else None
        self.contest = Contest(rules, self.pipes, self.now)

    def now(self) -> Moment:
        at = asyncio.get_running_loop().time() + self.late
        return Moment(at, None)  # type: ignore[arg-type]  # nobody asks for the date

    @property
    def told(self) -> list[object]:
        return [one for one in self.pipes.inbox._items if not isinstance(one, BrokerChanged)]

    async def say(self, *values: Speech, is_certain: bool = False) -> list[Speech]:
        return [one for value in values for one in await self.contest.passes(value, is_certain=is_certain)]

    @asynccontextmanager
    async def saying(self, *values: Speech) -> AsyncIterator[asyncio.Task[list[Speech]]]:
        """It is said, and waits."""
        before = len(self.told)
        task = asyncio.create_task(self.say(*values))
        await self.has_told(before + 1)
        assert isinstance(self.told[before], ClaimMade)
        assert not task.done()
        yield task

    def keep(self, *, is_speaking: bool) -> None:
        self.player.is_speaking = is_speaking
        self.contest.keep(self.player)

    async def has_told(self, number: int) -> None:
        await until(lambda: len(self.told) >= number)

    def hear(self, room: str, claim_id: str) -> None:
        self.contest.hear(HearClaim(room, claim_id))


async def test_who_shares_with_nobody_waits_for_nobody() -> None:
    kitchen = Kitchen(is_arbitrated=False)
    assert await kitchen.say(STARTED, SOUND, ENDED) == [STARTED, SOUND, ENDED]
    kitchen.keep(is_speaking=True)
    kitchen.hear("bedroom", "b1")
    assert await kitchen.contest.wins()
    assert kitchen.told == []


async def test_while_the_broker_is_away_the_room_answers_by_itself_at_once() -> None:
    kitchen = Kitchen(has_broker=False)
    assert await kitchen.say(STARTED, SOUND, ENDED) == [STARTED, SOUND, ENDED]
    kitchen.keep(is_speaking=True)
    assert kitchen.told == []


async def test_nothing_of_a_segment_goes_on_before_it_is_won_and_nothing_of_it_is_lost() -> None:
    kitchen = Kitchen()
    async with kitchen.saying(STARTED, SOUND, SOUND, ENDED) as task:
        kitchen.hear("kitchen", "k1")
        assert await task == [STARTED, SOUND, SOUND, ENDED]
    assert kitchen.told == [ClaimMade("k1")]


async def test_nothing_of_what_another_room_answers_goes_on_and_the_next_does() -> None:
    kitchen = Kitchen()
    kitchen.hear("bedroom", "b1")
    async with kitchen.saying(STARTED, SOUND, SOUND, ENDED) as task:
        kitchen.hear("kitchen", "k1")
        assert await task == []
    assert kitchen.told == [ClaimMade("k1"), TurnYielded("bedroom", "t1")]
    kitchen.late = 60.0
    async with kitchen.saying(STARTED, SOUND, ENDED) as task:
        kitchen.hear("kitchen", "k2")
        assert await task == [STARTED, SOUND, ENDED]


async def test_who_lost_waits_for_the_winner_before_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arbitration, "GIVING_WAY_S", 0.05)
    kitchen = Kitchen()
    kitchen.hear("bedroom", "b1")
    async with kitchen.saying(STARTED, SOUND, ENDED) as task:
        kitchen.hear("kitchen", "k1")
        assert await task == []
    kitchen.late = 5.0
    async with kitchen.saying(STARTED, SOUND, ENDED) as task:
        kitchen.hear("kitchen", "k2")
        await kitchen.has_told(4)
        assert kitchen.told[2:] == [ClaimMade("k2", "bedroom"), ClaimMade("k3")]
        kitchen.hear("kitchen", "k3")
        assert await task == [STARTED, SOUND, ENDED]


async def test_a_sound_too_short_is_claimed_by_nobody() -> None:
    kitchen = Kitchen()
    assert await kitchen.say(STARTED, DROPPED) == []
    assert kitchen.told == []


async def test_a_wake_word_is_claimed_too() -> None:
    kitchen = Kitchen()
    for first, is_won in (("kitchen", True), ("bedroom", False)):
        kitchen.late += 60.0
        before = len(kitchen.told)
        task = asyncio.create_task(kitchen.contest.wins())
        await kitchen.has_told(before + 1)
        (claim,) = kitchen.told[before:]
        assert isinstance(claim, ClaimMade)
        kitchen.hear(first, claim.claim_id)
        kitchen.hear("kitchen", claim.claim_id)
        assert await task is is_won
    assert kitchen.told == [ClaimMade("k1"), ClaimMade("k2"), TurnYielded("bedroom", None)]


async def test_a_claim_that_does_not_come_back_is_told_once_until_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arbitration, "PATIENCE_S", 0.02)
    kitchen = Kitchen()
    for _ in range(2):
        assert await kitchen.say(STARTED, SOUND, ENDED) == [STARTED, SOUND, ENDED]
    assert kitchen.told == [ClaimMade("k1"), ServiceTrouble("arbitration", UNHEARD), ClaimMade("k2")]
    monkeypatch.undo()
    async with kitchen.saying(STARTED, SOUND) as task:
        kitchen.hear("kitchen", "k3")
        await task
    monkeypatch.setattr(arbitration, "PATIENCE_S", 0.02)
    await kitchen.say(ENDED, STARTED, SOUND)
    assert kitchen.told[4:] == [ClaimMade("k4"), ServiceTrouble("arbitration", UNHEARD)]


async def test_claims_without_a_pause_are_told() -> None:
    kitchen = Kitchen()
    for number in range(int(LONGEST_S * 2) + 2):
        kitchen.hear("bedroom", f"b{number}")
        kitchen.late += 0.5
    async with kitchen.saying(STARTED, SOUND) as task:
        kitchen.hear("kitchen", "k1")
        assert await task == [STARTED, SOUND]
    assert kitchen.told == [ClaimMade("k1"), ServiceTrouble("arbitration", ENDLESS)]


async def test_claims_that_paused_long_ago_are_no_trouble_any_more() -> None:
    kitchen = Kitchen()
    for number in range(int(LONGEST_S * 2) + 2):
        kitchen.hear("bedroom", f"b{number}")
        kitchen.late += 0.5
    kitchen.late += 3600
    async with kitchen.saying(STARTED, SOUND) as task:
        kitchen.hear("kitchen", "k1")
        assert await task == [STARTED, SOUND]
    assert kitchen.told == [ClaimMade("k1")]


async def test_a_mute_ends_the_waiting_and_what_waited_is_gone() -> None:
    kitchen = Kitchen()
    async with kitchen.saying(STARTED, SOUND, SOUND, ENDED) as task:
        kitchen.contest.give_up()
        assert await task == []
    assert kitchen.told == [ClaimMade("k1")], "nobody has won"


async def test_what_is_certain_is_claimed_and_waits_for_nobody() -> None:
    kitchen = Kitchen()
    kitchen.hear("bedroom", "b1")
    async with kitchen.saying(STARTED, SOUND, ENDED) as task:
        kitchen.hear("kitchen", "k1")
        assert await task == [], "and now gives way"
    assert await kitchen.say(STARTED, SOUND, ENDED, is_certain=True) == [STARTED, SOUND, ENDED]
    assert kitchen.told[2:] == [ClaimMade("k2", None)]


async def test_a_turn_that_was_won_and_the_own_voice_are_claimed_again() -> None:
    kitchen = Kitchen()
    kitchen.keep(is_speaking=False)
    assert kitchen.told == []
    async with kitchen.saying(STARTED, SOUND) as task:
        kitchen.hear("kitchen", "k1")
        await task
    for _ in range(3):
        kitchen.late += 0.2
        kitchen.keep(is_speaking=False)
    assert kitchen.told == [ClaimMade("k1"), ClaimMade("k2")], "after 0.4 s"
    await kitchen.say(ENDED)
    kitchen.late += 1.0
    kitchen.keep(is_speaking=False)
    assert len(kitchen.told) == 2
    kitchen.keep(is_speaking=True)
    assert kitchen.told[2:] == [ClaimMade("k3")]
