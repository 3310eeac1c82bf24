"""Of the rooms that hear the same words, one answers. A pure state machine: every room runs one, over the same claims.

The rules:

1. A room that is about to answer claims. A claim has an id that comes once, and may give way to one room. Every room
   hears the claims of all, its own too, and a broker gives them to all in one order: so all come to the same end, and
   no two clocks are compared. A claim in this room's name that it never made counts like any, and never against it.
2. Who claims while nobody holds the turn holds it, for `WINDOW_S` after it was heard, and longer with each claim of its
   own. Who claims meanwhile has lost, and its claim changes nothing; but whom the holder's last claim gave way to takes
   the turn over. The same claim a second time is none.
3. A room has won when its own claim came back, holds the turn and gives way to nobody. Where it gives way, the room
   waits `GIVING_WAY_S` for the other and claims anew: while its first claim still counts, and again the order decides.
4. A claim that does not come back within `PATIENCE_S` is unheard: the room answers by itself, unless it heard that
   another holds the turn. Rather two answers than none.
5. A room that lost gives way to the winner, until that one has claimed nothing for `CONVERSATION_S` or it wins itself:
   who talks with a room goes on with it, whoever hears the next sentence first. A wake word gives way to nobody: who
   says it waits for a sign.
6. In the mode `voice` a room claims again every `REPEAT_S` while what it won goes on and while it speaks: who hears the
   middle of a sentence, or the reply, has lost too. With a wake word, the word alone is what several rooms hear.
7. When the others claim without a pause of `WINDOW_S` for longer than `LONGEST_S`, that is no person: what they claim
   counts for nothing until they pause. So no broken client keeps a room silent for ever.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from voice_node.model.control import HearClaim
from voice_node.model.turn import ClaimMade

WINDOW_S = 0.7
"""So much later than the first do other rooms hear a word at most, by another project's measure."""
GIVING_WAY_S = WINDOW_S - 0.1
PATIENCE_S = 0.3
"""A claim comes back after some ms; over a Wi-Fi that saves power, after two beacons of 100 ms."""
CONVERSATION_S = 20.0
"""The end of a sentence, a long reply, and the follow-up window behind it."""
REPEAT_S = 0.3
LONGEST_S = 120.0
MOST_SEEN = 64
"""Claims of which a second copy is known."""


class Verdict(Enum):
    """What became of the own claim."""

    PENDING = auto()
    WAITED = auto()
    """The room that it gave way to does not come: claim anew."""
    WON = auto()
    LOST = auto()
    UNHEARD = auto()
    """It did not come back, and nobody else holds the turn."""


@dataclass(slots=True)
class _Hold:
    room: str
    since: float
    gives_way_to: str | None


@dataclass(slots=True)
class _Own:
    claim_id: str
    made_at: float
    gives_way_to: str | None
    heard_at: float | None = None
    verdict: Verdict = Verdict.PENDING
    winner: str = ""


class Arbitration:
    """What one room makes of all claims; the rules stand at the top of the module. Times are seconds of its own clock.

    Args:
        room: this one.
        next_claim_id: gives ids that no other claim has.
        is_repeated: the mode is `voice`.
    """

    def __init__(self, room: str, next_claim_id: Callable[[], str], *, is_repeated: bool) -> None:
        self._room = room
        self._next_claim_id = next_claim_id
        self._is_repeated = is_repeated
        self._hold: _Hold | None = None
        self._own: _Own | None = None
        self._claimed_at: float | None = None
        self._partner: str | None = None
        """Whom the next claim gives way to."""
        self._partner_until = 0.0
        self._others_since = self._others_at = float("-inf")
        """The others claim since then without a pause, and did so last."""
        self._seen: deque[tuple[str, str]] = deque(maxlen=MOST_SEEN)

    @property
    def winner(self) -> str:
        """To whom the own claim was lost."""
        return "" if self._own is None else self._own.winner

    @property
    def due_at(self) -> float:
        """When `verdict` may change by time alone, while it is pending."""
        assert self._own is not None
        made_at, heard_at = self._own.made_at, self._own.heard_at
        return made_at + PATIENCE_S if heard_at is None else heard_at + GIVING_WAY_S

    def is_endless(self, now: float) -> bool:
        """The others claim without a pause, and count for nothing."""
        return now - self._others_at <= WINDOW_S and self._others_at - self._others_since > LONGEST_S

    def claim(self, now: float, *, gives_way: bool = True) -> ClaimMade:
        """Want the turn; an earlier wish is forgotten. `gives_way` is False for a wake word."""
        partner = self._partner if gives_way and now < self._partner_until else None
        self._own = _Own(self._next_claim_id(), now, partner)
        self._claimed_at = now
        return ClaimMade(self._own.claim_id, partner)

    def repeat(self, now: float) -> ClaimMade | None:
        """The claim that keeps what this room holds, where it is time for one."""
        if not self._is_repeated or (self._claimed_at is not None and now - self._claimed_at < REPEAT_S):
            return None
        self._claimed_at = now
        return ClaimMade(self._next_claim_id())

    def hear(self, claim: HearClaim, now: float) -> None:
        """A claim came from the broker."""
        if (claim.room, claim.claim_id) in self._seen:
            return
        self._seen.append((claim.room, claim.claim_id))
        if claim.room != self._room:
            self._follow_others(claim.room, now)
            if self.is_endless(now):
                return
        held = self._live_hold(now)
        if held is None or claim.room in (held.room, held.gives_way_to):
            self._hold = _Hold(claim.room, now, claim.gives_way_to)
        own = self._own
        if own is None or own.verdict is not Verdict.PENDING:
            return
        if (claim.room, claim.claim_id) == (self._room, own.claim_id):
            own.heard_at = now
        if own.heard_at is not None:
            self._judge(own, now)

    def verdict(self, now: float) -> Verdict:
        """What became of the last claim of `claim`, by now; once it is won, lost or unheard it stays so."""
        own = self._own
        assert own is not None
        if own.verdict is Verdict.PENDING and now >= self.due_at:
            if own.heard_at is not None:
                return Verdict.WAITED
            held = self._live_hold(now)
            if held is not None and held.room != self._room:
                self._lose(own, held.room, now)
            else:
                own.verdict = Verdict.UNHEARD
        return own.verdict

    def _judge(self, own: _Own, now: float) -> None:
        assert self._hold is not None
        if self._hold.room != self._room:
            self._lose(own, self._hold.room, now)
        elif own.gives_way_to is None:
            own.verdict = Verdict.WON
            self._partner = None

    def _lose(self, own: _Own, winner: str, now: float) -> None:
        own.verdict, own.winner = Verdict.LOST, winner
        self._partner, self._partner_until = winner, now + CONVERSATION_S

    def _live_hold(self, now: float) -> _Hold | None:
        return None if self._hold is None or now - self._hold.since > WINDOW_S else self._hold

    def _follow_others(self, room: str, now: float) -> None:
        if now - self._others_at > WINDOW_S:
            self._others_since = now
        self._others_at = now
        if room == self._partner and now < self._partner_until:
            self._partner_until = now + CONVERSATION_S
