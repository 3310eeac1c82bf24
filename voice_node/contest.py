"""What is heard passes here on its way to the session: where several rooms heard it, one lets it through.

A segment waits from its first sound that would be sent until it is known who answers; the source behind it keeps what
comes meanwhile. So who loses has told nothing and sent nothing. While the broker is away nobody is asked.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import assert_never

from voice_node.gate.arbitration import Arbitration, Verdict
from voice_node.model.control import HearClaim
from voice_node.model.moment import Moment
from voice_node.model.speech import Speech, SpeechAudio, SpeechEnded, SpeechStarted
from voice_node.model.turn import ServiceTrouble, TurnYielded
from voice_node.pipes import Pipes
from voice_node.stages import Player

UNHEARD = (
    "no claim of this room comes back, so it answers whoever else does: do the broker's access rules let it read and "
    "write the topic of the claims?"
)
ENDLESS = "other rooms claim without a pause: what they claim counts for nothing until they stop"


class Contest:
    """One room's part in it.

    Args:
        arbitration: None: everything passes.
    """

    def __init__(self, arbitration: Arbitration | None, pipes: Pipes, clock: Callable[[], Moment]) -> None:
        self._arbitration = arbitration
        self._pipes = pipes
        self._clock = clock
        self._started: SpeechStarted | None = None
        """Of a segment that has not been claimed."""
        self._is_lost = False
        """The open segment is another's."""
        self._is_won = False
        self._is_given_up = False
        self._news = asyncio.Event()
        self._told = ""
        """The trouble that was told last, while it lasts."""

    def hear(self, claim: HearClaim) -> None:
        """A room claims."""
        if self._arbitration is not None:
            self._arbitration.hear(claim, self._clock().at)
            self._news.set()

    def give_up(self) -> None:
        """Whoever waits here has lost, and nobody is told: the room hears no more."""
        self._is_given_up = True
        self._news.set()

    def keep(self, player: Player) -> None:
        """With each frame: others are told that what this room won goes on, or that it speaks itself."""
        if self._arbitration is None or not self._pipes.has_broker or not (self._is_won or player.is_speaking):
            return
        claim = self._arbitration.repeat(self._clock().at)
        if claim is not None:
            self._pipes.tell(claim)

    async def passes(self, value: Speech, *, is_certain: bool = False) -> Sequence[Speech]:
        """What of a segment may go on now; returns late where others may have heard it too.

        Args:
            is_certain: it goes on whoever else heard it; the others are told.
        """
        if self._arbitration is None:
            return (value,)
        match value:
            case SpeechStarted():
                self._started, self._is_won, self._is_lost = value, False, False
                return ()
            case SpeechAudio(turn_id):
                started, self._started = self._started, None
                if started is None:
                    return () if self._is_lost else (value,)
                self._is_won = await self.wins(turn_id, is_certain=is_certain)
                self._is_lost = not self._is_won
                return (started, value) if self._is_won else ()
            case SpeechEnded():
                is_silent = self._started is not None or self._is_lost
                self._started, self._is_won, self._is_lost = None, False, False
                return () if is_silent else (value,)
            case _:
                assert_never(value)

    async def wins(self, turn_id: str | None = None, *, is_certain: bool = False) -> bool:
        """Claim what was heard, a wake word where there is no turn yet; True: this room answers."""
        if self._arbitration is None or not self._pipes.has_broker:
            return True
        self._is_given_up = False
        self._pipes.tell(self._arbitration.claim(self._clock().at, gives_way=not is_certain and turn_id is not None))
        if is_certain:
            return True
        verdict = await self._verdict(self._arbitration)
        match verdict:
            case Verdict.LOST:
                self._pipes.tell(TurnYielded(self._arbitration.winner, turn_id))
            case Verdict.UNHEARD:
                self._tell_trouble(UNHEARD)
            case Verdict.WON:
                self._tell_trouble(ENDLESS if self._arbitration.is_endless(self._clock().at) else "")
            case _:
                pass  # given up
        return verdict in (Verdict.WON, Verdict.UNHEARD)

    async def _verdict(self, arbitration: Arbitration) -> Verdict:
        """What the waiting came to; pending where it was given up."""
        while not self._is_given_up:
            now = self._clock().at
            match arbitration.verdict(now):
                case Verdict.PENDING:
                    self._news.clear()
                    with suppress(TimeoutError):
                        async with asyncio.timeout(arbitration.due_at - now):
                            await self._news.wait()
                case Verdict.WAITED:
                    self._pipes.tell(arbitration.claim(now, gives_way=False))
                case verdict:
                    return verdict
        return Verdict.PENDING

    def _tell_trouble(self, text: str) -> None:
        if text and text != self._told:
            self._pipes.tell(ServiceTrouble("arbitration", text))
        self._told = text
