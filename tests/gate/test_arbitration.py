"""Rooms that hear the same words: who answers, whatever comes in which order."""

import heapq
import itertools
import math
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_node.gate.arbitration import (
    CONVERSATION_S,
    GIVING_WAY_S,
    LONGEST_S,
    PATIENCE_S,
    REPEAT_S,
    WINDOW_S,
    Arbitration,
    Verdict,
)
from voice_node.model.control import HearClaim
from voice_node.model.turn import ClaimMade


def room(name: str = "kitchen", *, is_repeated: bool = True) -> Arbitration:
    numbers = itertools.count(1)
    return Arbitration(name, lambda: f"{name}-{next(numbers)}", is_repeated=is_repeated)


def of(name: str, claim: ClaimMade) -> HearClaim:
    return HearClaim(name, claim.claim_id, claim.gives_way_to)


def from_bedroom(number: int, gives_way_to: str | None = None) -> HearClaim:
    return HearClaim("bedroom", f"b{number}", gives_way_to)


def lose(kitchen: Arbitration, now: float, number: int = 1) -> None:
    """The bedroom was first."""
    kitchen.hear(from_bedroom(number), now)
    kitchen.hear(of("kitchen", kitchen.claim(now)), now)
    assert kitchen.verdict(now) is Verdict.LOST


def test_alone_it_wins_when_its_claim_is_back() -> None:
    kitchen = room()
    claim = kitchen.claim(10.0)
    assert claim == ClaimMade("kitchen-1", None)
    assert kitchen.verdict(10.01) is Verdict.PENDING
    kitchen.hear(of("kitchen", claim), 10.01)
    assert kitchen.verdict(10.01) is Verdict.WON


def test_who_claimed_first_wins_and_the_other_knows_who() -> None:
    kitchen, bedroom = room(), room("bedroom")
    first, second = kitchen.claim(0.0), bedroom.claim(0.0)
    for one in (kitchen, bedroom):
        one.hear(of("kitchen", first), 0.01)
        one.hear(of("bedroom", second), 0.01)
    assert kitchen.verdict(0.01) is Verdict.WON
    assert bedroom.verdict(0.01) is Verdict.LOST
    assert bedroom.winner == "kitchen"


def test_after_the_window_the_turn_is_free_and_a_lost_claim_does_not_prolong_it() -> None:
    kitchen = room()
    kitchen.hear(from_bedroom(1), 0.0)
    kitchen.hear(HearClaim("hall", "h1"), 0.6)
    claim = kitchen.claim(WINDOW_S + 0.01)
    kitchen.hear(of("kitchen", claim), WINDOW_S + 0.02)
    assert kitchen.verdict(WINDOW_S + 0.02) is Verdict.WON


def test_what_goes_on_is_claimed_again_and_again() -> None:
    kitchen, bedroom = room(), room("bedroom")
    claim = kitchen.claim(0.0)
    for one in (kitchen, bedroom):
        one.hear(of("kitchen", claim), 0.0)
    assert kitchen.repeat(REPEAT_S / 2) is None
    now = 0.0
    for _ in range(10):
        now += REPEAT_S + 0.001
        again = kitchen.repeat(now)
        assert again is not None
        assert again.claim_id != claim.claim_id
        bedroom.hear(of("kitchen", again), now)
    late = bedroom.claim(now + 0.5)
    bedroom.hear(of("bedroom", late), now + 0.5)
    assert bedroom.verdict(now + 0.5) is Verdict.LOST


def test_with_a_wake_word_nothing_is_repeated() -> None:
    kitchen = room(is_repeated=False)
    kitchen.claim(0.0)
    assert kitchen.repeat(10.0) is None


def test_a_room_that_speaks_first_of_all_claims_at_once() -> None:
    assert room().repeat(0.0) == ClaimMade("kitchen-1")


def test_a_claim_that_does_not_come_back_keeps_nobody_silent() -> None:
    kitchen = room()
    kitchen.claim(5.0)
    assert kitchen.due_at == 5.0 + PATIENCE_S
    assert kitchen.verdict(5.0 + PATIENCE_S - 0.01) is Verdict.PENDING
    assert kitchen.verdict(5.0 + PATIENCE_S) is Verdict.UNHEARD


def test_a_room_that_hears_another_answer_and_not_itself_leaves_it_to_that() -> None:
    kitchen = room()
    kitchen.claim(5.0)
    kitchen.hear(from_bedroom(1), 5.01)
    assert kitchen.verdict(5.01) is Verdict.PENDING
    assert kitchen.verdict(5.0 + PATIENCE_S) is Verdict.LOST
    assert kitchen.winner == "bedroom"


def test_a_claim_that_comes_back_late_changes_nothing() -> None:
    kitchen = room()
    claim = kitchen.claim(0.0)
    assert kitchen.verdict(1.0) is Verdict.UNHEARD
    kitchen.hear(from_bedroom(1), 1.1)
    kitchen.hear(of("kitchen", claim), 1.2)
    assert kitchen.verdict(1.2) is Verdict.UNHEARD


def test_an_older_claim_of_its_own_decides_nothing() -> None:
    kitchen = room()
    old = kitchen.claim(0.0)
    new = kitchen.claim(0.1)
    kitchen.hear(of("kitchen", old), 0.11)
    assert kitchen.verdict(0.11) is Verdict.PENDING
    kitchen.hear(of("kitchen", new), 0.12)
    assert kitchen.verdict(0.12) is Verdict.WON


# Conversations


def test_who_lost_waits_for_the_winner_and_loses_again_when_that_comes_second() -> None:
    kitchen, bedroom = room(), room("bedroom")
    lose(kitchen, 0.0)
    sooner = kitchen.claim(5.0)
    assert sooner.gives_way_to == "bedroom"
    later = bedroom.claim(5.3)
    for one in (kitchen, bedroom):
        one.hear(of("kitchen", sooner), 5.01)
    assert kitchen.verdict(5.01) is Verdict.PENDING
    assert kitchen.due_at == 5.01 + GIVING_WAY_S
    for one in (kitchen, bedroom):
        one.hear(of("bedroom", later), 5.31)
    assert kitchen.verdict(5.31) is Verdict.LOST
    assert bedroom.verdict(5.31) is Verdict.WON


def test_who_waited_in_vain_claims_anew_wins_and_waits_no_more() -> None:
    kitchen, now = room(), 5.0 + GIVING_WAY_S
    lose(kitchen, 0.0)
    kitchen.hear(of("kitchen", kitchen.claim(5.0)), 5.0)
    assert kitchen.verdict(now) is Verdict.WAITED
    anew = kitchen.claim(now, gives_way=False)
    assert kitchen.verdict(now) is Verdict.PENDING
    kitchen.hear(of("kitchen", anew), now)
    assert kitchen.verdict(now) is Verdict.WON
    assert kitchen.claim(9.0).gives_way_to is None


@pytest.mark.parametrize("is_first", [True, False])
def test_who_comes_while_the_other_claims_anew_has_the_turn_by_the_order_alone(is_first: bool) -> None:
    kitchen, bedroom, now = room(), room("bedroom"), 5.0 + GIVING_WAY_S
    lose(kitchen, 0.0)
    first = of("kitchen", kitchen.claim(5.0))
    for one in (kitchen, bedroom):
        one.hear(first, 5.0)
    assert kitchen.verdict(now) is Verdict.WAITED
    anew, late = of("kitchen", kitchen.claim(now, gives_way=False)), of("bedroom", bedroom.claim(now))
    for claim in (late, anew) if is_first else (anew, late):
        for one in (kitchen, bedroom):
            one.hear(claim, now + 0.01)
    assert (bedroom.verdict(now + 0.01) is Verdict.WON) is is_first
    assert (kitchen.verdict(now + 0.01) is Verdict.WON) is not is_first


def test_a_third_room_does_not_take_what_waits_for_another() -> None:
    kitchen = room()
    lose(kitchen, 0.0)
    kitchen.hear(of("kitchen", kitchen.claim(5.0)), 5.0)
    kitchen.hear(HearClaim("hall", "h1"), 5.1)
    assert kitchen.verdict(5.1) is Verdict.PENDING
    assert kitchen.verdict(5.0 + GIVING_WAY_S) is Verdict.WAITED


def test_a_conversation_is_forgotten_after_a_while_and_lasts_as_long_as_it_is_heard_of() -> None:
    kitchen = room()
    lose(kitchen, 0.0)
    kitchen.hear(from_bedroom(2), CONVERSATION_S - 1)
    assert kitchen.claim(2 * CONVERSATION_S - 2).gives_way_to == "bedroom"
    assert kitchen.claim(2 * CONVERSATION_S).gives_way_to is None
    kitchen.hear(from_bedroom(3), 2 * CONVERSATION_S)
    assert kitchen.claim(2 * CONVERSATION_S).gives_way_to is None, "it is over"


def test_a_wake_word_gives_way_to_nobody() -> None:
    kitchen = room(is_repeated=False)
    lose(kitchen, 0.0)
    word = kitchen.claim(5.0, gives_way=False)
    kitchen.hear(of("kitchen", word), 5.0)
    assert kitchen.verdict(5.0) is Verdict.WON


# What should not be there


def test_a_second_copy_of_a_claim_is_none() -> None:
    kitchen = room()
    kitchen.hear(from_bedroom(1), 0.0)
    kitchen.hear(from_bedroom(1), 10.0)
    kitchen.hear(of("kitchen", kitchen.claim(10.0)), 10.0)
    assert kitchen.verdict(10.0) is Verdict.WON


def test_a_claim_in_its_name_that_it_never_made_does_not_count_against_it() -> None:
    kitchen = room()
    kitchen.hear(HearClaim("kitchen", "forged-1"), 0.0)
    claim = kitchen.claim(0.1)
    kitchen.hear(HearClaim("kitchen", "forged-2"), 0.1)
    assert kitchen.verdict(0.1) is Verdict.PENDING
    kitchen.hear(of("kitchen", claim), 0.2)
    assert kitchen.verdict(0.2) is Verdict.WON


def test_a_flood_of_claims_keeps_nobody_silent_for_ever() -> None:
    kitchen = room()
    numbers = itertools.count(100)

    def flood(begin: float, end: float) -> None:
        for step in range(int((end - begin) / 0.5) + 1):  # in whatever names
            kitchen.hear(HearClaim(f"room{next(numbers)}", "a"), begin + step * 0.5)

    flood(0.0, LONGEST_S)
    assert not kitchen.is_endless(LONGEST_S)
    lose(kitchen, LONGEST_S)
    flood(LONGEST_S + 0.5, LONGEST_S + 5)
    assert kitchen.is_endless(LONGEST_S + 5)
    claim = kitchen.claim(LONGEST_S + 5, gives_way=False)
    kitchen.hear(HearClaim("room1", "last"), LONGEST_S + 5)
    kitchen.hear(of("kitchen", claim), LONGEST_S + 5)
    assert kitchen.verdict(LONGEST_S + 5) is Verdict.WON
    assert not kitchen.is_endless(LONGEST_S + 10), "they paused"
    lose(kitchen, LONGEST_S + 10, number=2)
    assert not kitchen.is_endless(LONGEST_S + 10)


def test_what_is_kept_of_claims_is_bounded() -> None:
    kitchen = room()
    for number in range(1000):
        kitchen.hear(from_bedroom(number), 0.0)
    assert len(kitchen._seen) == 64


# Any interleaving


@dataclass
class Home:
    """Rooms at one broker: it gives all claims to all in one order, later to some than to others, and some twice."""

    names: list[str]
    delays: "st.DataObject"
    rooms: dict[str, Arbitration] = field(init=False)
    now: float = 0.0

    def __post_init__(self) -> None:
        self.rooms = {name: room(name) for name in self.names}

    def delay(self, most: float = 0.05) -> float:
        return self.delays.draw(st.floats(0.001, most))

    def utterance(self, heard_at: dict[str, float], lasts: float) -> list[str]:
        """Each of these rooms hears it so late; it lasts so long after the last has. Returns who answers."""
        begin, order = self.now, itertools.count()
        end = begin + max(heard_at.values()) + lasts
        events: list[tuple[float, int, str, object]] = []
        for name, late in heard_at.items():
            heapq.heappush(events, (begin + late, next(order), "claims", name))
        free_at = dict.fromkeys(self.names, 0.0)
        verdicts: dict[str, Verdict] = {}
        while events:
            now, _, what, who = heapq.heappop(events)
            match what, who:
                case "claims", str(name):
                    claim = of(name, self.rooms[name].claim(now))
                    heapq.heappush(events, (now + self.delay(), next(order), "is at the broker", claim))
                    heapq.heappush(events, (self.rooms[name].due_at, next(order), "looks", name))
                case "is at the broker", HearClaim() as claim:
                    for name in self.names:
                        for _ in range(self.delays.draw(st.sampled_from([1, 1, 1, 2]))):
                            free_at[name] = max(free_at[name] + 1e-6, now + self.delay())
                            heapq.heappush(events, (free_at[name], next(order), "hears", (name, claim)))
                case "hears", (str(name), HearClaim() as claim):
                    self.rooms[name].hear(claim, now)
                    if now >= begin + heard_at.get(name, math.inf):  # it has claimed
                        heapq.heappush(events, (now, next(order), "looks", name))
                case "looks", str(name) if name not in verdicts:
                    match self.rooms[name].verdict(now):
                        case Verdict.PENDING:
                            heapq.heappush(events, (self.rooms[name].due_at, next(order), "looks", name))
                        case Verdict.WAITED:
                            claim = of(name, self.rooms[name].claim(now, gives_way=False))
                            heapq.heappush(events, (now + self.delay(), next(order), "is at the broker", claim))
                            heapq.heappush(events, (self.rooms[name].due_at, next(order), "looks", name))
                        case verdict:
                            verdicts[name] = verdict
                            heapq.heappush(events, (now, next(order), "goes on", name))
                case "goes on", str(name) if verdicts[name] is Verdict.WON and now < end:
                    again = self.rooms[name].repeat(now)
                    if again is not None:
                        at_broker = now + self.delay()
                        heapq.heappush(events, (at_broker, next(order), "is at the broker", of(name, again)))
                    heapq.heappush(events, (now + 0.06, next(order), "goes on", name))
        assert verdicts.keys() == heard_at.keys()
        assert set(verdicts.values()) <= {Verdict.WON, Verdict.LOST}
        self.now = end
        return [name for name, verdict in verdicts.items() if verdict is Verdict.WON]


@pytest.mark.slow
@given(st.data())
def test_of_the_rooms_that_hear_an_utterance_exactly_one_answers(data: "st.DataObject") -> None:
    """However much later than the first the others hear it, while it goes on."""
    names = ["attic", "bath", "cellar", "den"][: data.draw(st.integers(1, 4))]
    home = Home(names, data)
    for _ in range(data.draw(st.integers(1, 4))):
        hearing = data.draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
        latest = data.draw(st.sampled_from([0.1, WINDOW_S, 3.0]))
        heard_at = {name: data.draw(st.floats(0.0, latest)) for name in hearing}
        assert len(home.utterance(heard_at, data.draw(st.floats(0.5, 2.0)))) == 1
        home.now += data.draw(st.floats(2.0, CONVERSATION_S * 1.5))


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["hear", "claim", "repeat", "verdict"]),
            st.floats(0.0, 2.0),
            st.sampled_from(["kitchen", "bedroom", "hall"]),
            st.integers(0, 5),
            st.none() | st.sampled_from(["kitchen", "bedroom"]),
        ),
        max_size=60,
    )
)
def test_whatever_comes_a_claim_is_decided_in_time(steps: list[tuple[str, float, str, int, str | None]]) -> None:
    kitchen, now = room(), 0.0
    claimed_at: float | None = None
    for what, later, name, number, way in steps:
        now += later
        match what:
            case "hear":
                kitchen.hear(HearClaim(name, f"{name}-{number}", way), now)
            case "claim":
                kitchen.claim(now)
                claimed_at = now
            case "repeat":
                kitchen.repeat(now)
            case _:
                if claimed_at is not None and kitchen.verdict(now) is Verdict.PENDING:
                    assert now < kitchen.due_at <= claimed_at + PATIENCE_S + GIVING_WAY_S + 2.0
    if claimed_at is not None:
        assert kitchen.verdict(now + PATIENCE_S + GIVING_WAY_S) is not Verdict.PENDING


def test_a_verdict_needs_a_claim() -> None:
    with pytest.raises(AssertionError):
        room().verdict(0.0)
