"""Two sessions for one room: its service, and the local engine while the service cannot answer.

Rules

1. A turn belongs to the service, unless the service is away. What the service's session returns (it cannot take it,
   refuses it, is slow with it, or lost its link, and nothing was done for it) begins again at the local engine, under
   its own id; the rest of an open segment follows. So no turn acts twice, and none is lost on the way.
2. The service is away as soon as a turn came back, a turn begins while its link is lost, its link stayed lost for
   `AWAY_AFTER_S`, or the day's budget is spent. Home automation is told once; the room too, in one sentence after the
   first answer, unless it was told within `SAID_FOR_S`.
3. The service's own connection goes on trying. It gets the next turn when its session is up, nobody waits for the local
   engine, and that has not just asked something. A service that was slow or refused a turn has `REST_S` first.
4. What belongs to no turn goes to both: each knows its own calls.
5. The local engine begins with an outage, and ends when the service has been back for `KEEP_S` and its session sleeps.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Coroutine
from enum import Enum, auto
from typing import Protocol, assert_never

from voice_node.model.control import (
    AnswerApproval,
    AnswerCall,
    AskText,
    EndTurn,
    ResetConversation,
    SayText,
    SetMuted,
    SetSpent,
    StopReply,
)
from voice_node.model.moment import Moment
from voice_node.model.speech import SpeechAudio, SpeechEnded, SpeechOver, SpeechStarted
from voice_node.model.turn import LinkChanged, Outcome, ProviderChanged, Transcript, TurnFinished, TurnLost
from voice_node.session.protocol import SPENT, Input
from voice_node.session.step import Returned

TICK_S = 0.25
AWAY_AFTER_S = 5.0
"""A link that is lost while nobody speaks is usually back sooner."""
REST_S = 60.0
ANSWER_S = 15.0
"""How long the local engine is answered after it asked something."""
SAID_FOR_S = 600.0
KEEP_S = 120.0
"""A service that was away may soon be away again."""

_AWAY = {
    "en": "The service is away. I can still do simple things.",
    "de": "Der Dienst ist nicht erreichbar. Einfache Dinge kann ich noch.",
    "fr": "Le service est absent. Je peux encore faire des choses simples.",
    "es": "El servicio no está disponible. Aún puedo hacer cosas sencillas.",
    "nl": "De dienst is weg. Eenvoudige dingen kan ik nog.",
}
_SPENT = {
    "en": "Today's budget is spent. I can still do simple things.",
    "de": "Das Budget für heute ist verbraucht. Einfache Dinge kann ich noch.",
    "fr": "Le budget du jour est épuisé. Je peux encore faire des choses simples.",
    "es": "El presupuesto de hoy está agotado. Aún puedo hacer cosas sencillas.",
    "nl": "Het budget van vandaag is op. Eenvoudige dingen kan ik nog.",
}


class Side(Protocol):
    """A session: `session.connection.Connection`."""

    def put(self, value: Input) -> None: ...
    async def serve(self) -> None: ...
    @property
    def is_quiet(self) -> bool: ...
    @property
    def reconnects(self) -> int: ...


class _Link(Enum):
    """The service's."""

    UP = auto()
    ASLEEP = auto()
    """Nobody needs it."""
    LOST = auto()


class Failover:
    """The room's session. `service` and `local` are given before `run`: they tell their outcomes to this."""

    service: Side
    local: Side

    def __init__(
        self,
        provider: str,
        language: str,
        tell: Callable[[Outcome], None],
        clock: Callable[[], Moment],
        next_turn_id: Callable[[], str],
        open_local: Callable[[], Coroutine[None, None, None]],
        close_local: Callable[[], Coroutine[None, None, None]],
    ) -> None:
        """`provider` is the service's name; `open_local` begins the local server if it does not run."""
        self._provider = provider
        self._language = language.split("-")[0].lower()
        self._tell = tell
        self._clock = clock
        self._next_turn_id = next_turn_id
        self._open_local = open_local
        self._close_local = close_local
        self._link = _Link.ASLEEP
        self._lost_at = 0.0
        self._lost_why = ""
        self._is_away = False
        self._is_spent = False
        self._rests_until = -math.inf
        self._asks_until = -math.inf
        self._segment_id = ""
        self._segment_is_local = False
        """Who hears what is being said."""
        self._notice: str | None = None
        """What the room is to be told."""
        self._has_answered = False
        """The local engine, since the service went away."""
        self._told_until = -math.inf
        self._is_ending = False
        self._is_local_open = False
        self._is_local_linked = False
        self._keep_until = -math.inf
        self._group: asyncio.TaskGroup | None = None
        self._helping: asyncio.Task[None] | None = None

    @property
    def reconnects(self) -> int:
        """Of the service, after the first connection."""
        return self.service.reconnects

    async def run(self, inputs: AsyncIterator[Input]) -> None:
        """Serve until nobody will be heard any more and the last turn is over."""
        async with asyncio.TaskGroup() as self._group:
            serving = self._group.create_task(self.service.serve(), name="session.service")
            feeder = self._group.create_task(self._feed(inputs), name="session.feed")
            while not (self._is_ending and self.service.is_quiet and self.local.is_quiet):
                await asyncio.sleep(TICK_S)
                self._look()
            for task in (serving, feeder, self._helping):
                if task is not None:
                    task.cancel()

    def tell_service(self, outcome: Outcome) -> None:
        """From the service: trouble with its link is no trouble of the room."""
        if isinstance(outcome, LinkChanged):
            if outcome.is_trouble:
                if self._link is not _Link.LOST:
                    self._lost_at = self._clock().at
                self._link, self._lost_why = _Link.LOST, outcome.detail
                return
            self._link = _Link.UP if outcome.is_up else _Link.ASLEEP
        self._tell(outcome)

    def tell_local(self, outcome: Outcome) -> None:
        """From the local engine, whose link is its own affair."""
        match outcome:
            case LinkChanged(is_up):
                self._is_local_linked = is_up
                return
            case Transcript(role="assistant", is_final=True, text=text) if text.rstrip().endswith("?"):
                self._asks_until = self._clock().at + ANSWER_S
            case TurnFinished() | TurnLost():
                self._has_answered = True
        self._tell(outcome)

    def take_back(self, returned: Returned) -> None:
        """The service does not serve this turn."""
        if self._link is _Link.UP:
            self._rests_until = self._clock().at + REST_S
        elif not self._is_spent:  # it did not come up in time
            self._link = _Link.LOST
        self._leave(SPENT if self._is_spent else returned.why)
        self._help()
        for value in returned.inputs:
            self.local.put(value)
        if returned.turn_id == self._segment_id and isinstance(returned.inputs[-1], SpeechAudio):
            self._segment_is_local = True

    async def _feed(self, inputs: AsyncIterator[Input]) -> None:
        async for value in inputs:
            self._put(value)
        self._is_ending = True

    def _put(self, value: Input) -> None:
        match value:
            case SpeechStarted(turn_id):
                side = self._begin()
                self._segment_id, self._segment_is_local = turn_id, side is self.local
                side.put(value)
            case SpeechAudio() | SpeechEnded():
                (self.local if self._segment_is_local else self.service).put(value)
            case AskText() | SayText():
                self._begin().put(value)
            case SetSpent(is_spent):
                self._is_spent = is_spent
                self.service.put(value)
                if is_spent:
                    self._leave(SPENT)
            case AnswerCall() | AnswerApproval() | StopReply() | EndTurn() | ResetConversation() | SetMuted():
                self.service.put(value)
                self.local.put(value)
            case SpeechOver():
                self._is_ending = True
            case _:
                assert_never(value)

    def _begin(self) -> Side:
        """Who gets the turn that begins."""
        if self._link is _Link.LOST:
            self._leave(self._lost_why)
        if not self._is_away:
            return self.service
        self._asks_until = -math.inf
        self._help()
        return self.local

    def _leave(self, why: str) -> None:
        """The service is away from now on."""
        if self._is_away:
            return
        self._is_away, self._has_answered = True, False
        self._tell(ProviderChanged("local", why or "the service does not answer"))
        self._is_local_open = True
        self._start(self._open_local(), "session.local.open")
        if self._clock().at >= self._told_until:
            notices = _SPENT if self._is_spent else _AWAY
            self._notice = notices.get(self._language, notices["en"])

    def _look(self) -> None:
        """What time has brought."""
        now = self._clock().at
        if self._link is _Link.LOST and now - self._lost_at > AWAY_AFTER_S:
            self._leave(self._lost_why)
        if self._is_away:
            is_time = self._has_answered and self.local.is_quiet and now >= self._asks_until and not self._is_ending
            if self._notice is not None and is_time:
                self.local.put(SayText(self._next_turn_id(), self._notice))
                self._notice, self._told_until = None, math.inf
            elif self._may_return(now):
                self._return(now)
        elif self._is_local_open and not self._is_local_linked and now >= self._keep_until:
            self._is_local_open = False
            self._start(self._close_local(), "session.local.close")

    def _may_return(self, now: float) -> bool:
        is_there = self._link is not _Link.LOST and not self._is_spent
        return is_there and self.local.is_quiet and now >= max(self._rests_until, self._asks_until)

    def _return(self, now: float) -> None:
        self._is_away, self._notice = False, None
        self._keep_until = now + KEEP_S
        if self._told_until == math.inf:
            self._told_until = now + SAID_FOR_S
        self._tell(ProviderChanged(self._provider))

    def _help(self) -> None:
        """Somebody needs the local engine's session."""
        if self._helping is None:
            assert self._group is not None
            self._helping = self._group.create_task(self.local.serve(), name="session.local")

    def _start(self, work: Coroutine[None, None, None], name: str) -> None:
        assert self._group is not None
        self._group.create_task(work, name=name)
