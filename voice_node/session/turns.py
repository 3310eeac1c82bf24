"""Which turn owns which item, response and call.

Rules

1. A turn is spoken (a segment), typed (`request/ask`) or announced (`request/say`). Turns are kept in the order in
   which they began.
2. Ids of items, responses and calls belong to a connection and die with it; a turn may outlive one.
3. A spoken turn keeps its own recording until the service shows that it acts on it: a reply or a call. A turn that
   loses its connection before that is sent again, whole, on the next one: its words are not lost, and nothing is done
   twice. One that was acted on is lost, unless its answer was complete.
4. Committed items come in the order of the commits, so the first turn that waits for its item gets it. Everything else
   goes by id. An item that is not known yet belongs to the first spoken turn without one: transcription models that
   write along name the item before it is committed. Items of turns that ended stay known, so that a late transcript
   is never taken for the next turn's.
5. A turn is finished when its segment ended, no response for it is wanted or active, no call is open, the service does
   nothing for it by itself, and its transcript is settled or late.
6. A call is made once, whoever announces it how often. Of the calls of one response the first 16 are made: what the
   router does not refuse of them is less. The others are nobody's (`unwanted`), so the turn ends without them.
7. Where the room demands a confidence, the calls of a spoken turn are withheld until its transcript came. One that is
   not sure enough ends the turn, and so does one that failed or is late; of a service that tells no confidence every
   transcript is believed.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto

from voice_node.model.control import AskText, SayText
from voice_node.model.moment import Moment
from voice_node.model.speech import EndReason, Speech, SpeechAudio, SpeechEnded, SpeechStarted
from voice_node.model.turn import ApprovalWanted, ResponseStatus, ToolCall
from voice_node.session.service_calls import ServiceCalls

TRANSCRIPT_PATIENCE_S = 10.0
"""How long a finished turn waits for its transcript; services answer within seconds of the commit."""
MOST_CALLS = 16
"""Of one response."""


class Kind(Enum):
    """Where a turn came from."""

    SPOKEN = auto()
    TYPED = auto()
    ANNOUNCED = auto()


class Phase(Enum):
    """How far a turn is on this connection."""

    HELD = auto()
    """Nothing of it was sent on this connection."""
    SENDING = auto()
    """Its audio is on the way, its end is not."""
    COMMITTED = auto()
    """All of it was sent; the service works on it."""


@dataclass(slots=True)
class Turn:
    """One turn, from its first sound to its last word."""

    turn_id: str
    kind: Kind
    started_at: datetime
    touched_at: float
    """When the service or the room last moved it; seconds of the steady clock."""
    text: str = ""
    """What was typed, or is to be said."""
    instructions: str | None = None
    words: str | None = None
    """The transcript of what was spoken, once it is final."""
    phase: Phase = Phase.HELD
    audio: bytearray = field(default_factory=bytearray)
    """The recording, until the service acts on it."""
    is_ended: bool = False
    ended_at: datetime | None = None
    speech_end_s: float = 0.0
    duration_ms: int = 0
    item_id: str | None = None
    partial: str = ""
    is_transcript_due: bool = False
    is_rest: bool = False
    """What came of its segment after the service had ended a turn in the middle of it; perhaps only silence."""
    open_calls: set[str] = field(default_factory=set)
    withheld: list[ToolCall | ApprovalWanted] = field(default_factory=list)
    """Open calls that home automation hears of only when the transcript is sure enough."""
    calls_to_answer: int = 0
    """Calls of the last response whose outputs were posted or are open: after the last one the model is asked again."""
    service: ServiceCalls = field(default_factory=ServiceCalls)
    """What the service does for it by itself."""
    is_acted_on: bool = False
    is_stopped: bool = False
    """Somebody said stop: its reply is not wanted any more."""
    has_replied: bool = False
    status: ResponseStatus | None = None
    detail: str = ""
    conversation_id: str | None = None
    timings_ms: dict[str, int] = field(default_factory=dict)

    @classmethod
    def typed(cls, kind: Kind, turn_id: str, now: Moment, text: str, instructions: str | None = None) -> "Turn":
        """One that is whole from the beginning."""
        turn = cls(turn_id, kind, now.wall, now.at, text, instructions)
        turn.end_segment(now)
        return turn

    def end_segment(self, now: Moment) -> None:
        """Nothing more is said in it."""
        self.is_ended = True
        self.ended_at = now.wall
        self.speech_end_s = self.touched_at = now.at

    def again(self) -> tuple[Speech | AskText | SayText, ...]:
        """The inputs that begin this turn at another session: what is known of its words, else its sound so far."""
        if self.kind is Kind.ANNOUNCED:
            return (SayText(self.turn_id, self.text),)
        if self.kind is Kind.TYPED:
            return (AskText(self.turn_id, self.text, self.instructions),)
        if self.words is not None:
            return (AskText(self.turn_id, self.words),)
        begun = SpeechStarted(self.turn_id, 0), SpeechAudio(self.turn_id, bytes(self.audio))
        if not self.is_ended:
            return begun
        return *begun, SpeechEnded(self.turn_id, 0, self.duration_ms, 0, 0.0, True, EndReason.SILENCE)

    @property
    def is_waiting(self) -> bool:
        """It is somebody else's move: home automation's, a person's or the service's own."""
        return bool(self.open_calls) or self.service.is_waiting

    @property
    def is_owed(self) -> bool:
        """Calls were made for it, and the model has not been asked since."""
        return bool(self.calls_to_answer) or self.service.is_answer_due

    def mark(self, name: str, at: float) -> None:
        """Note when something first happened, in milliseconds after the end of speech."""
        self.timings_ms.setdefault(name, max(0, round((at - self.speech_end_s) * 1000)))


class Turns:
    """The turns under way, in order, and what belongs to each."""

    def __init__(self) -> None:
        self._turns: dict[str, Turn] = {}
        self._items: dict[str, Turn] = {}
        self._responses: dict[str, Turn] = {}
        self._calls: dict[str, Turn] = {}
        self._past_items: deque[str] = deque(maxlen=64)
        self._past_calls: deque[str] = deque(maxlen=512)
        """Of turns that are over, and those that were refused."""

    def __iter__(self) -> Iterator[Turn]:
        return iter(tuple(self._turns.values()))

    def __len__(self) -> int:
        return len(self._turns)

    def beyond(self, size: int) -> Iterator[Turn]:
        """The oldest turns, as many as have to go so that the others hold no more than so many bytes of sound."""
        held = sum(len(turn.audio) for turn in self)
        for turn in self:
            if held > size and turn.audio:
                held -= len(turn.audio)
                yield turn

    @property
    def is_anybody_speaking(self) -> bool:
        """Somebody in the room has begun and not ended."""
        return any(turn.kind is Kind.SPOKEN and not turn.is_ended for turn in self._turns.values())

    @property
    def requests(self) -> int:
        """How many turns nobody spoke."""
        return sum(turn.kind is not Kind.SPOKEN for turn in self._turns.values())

    def forget_sound(self) -> list[Turn]:
        """Nothing that was heard may be sent (again); the turns of which nothing was sent yet."""
        spoken = [turn for turn in self._turns.values() if turn.kind is Kind.SPOKEN]
        for turn in spoken:
            turn.audio.clear()
            turn.is_acted_on = True
        return [turn for turn in spoken if turn.phase is Phase.HELD]

    def begin(self, turn: Turn) -> None:
        """A turn begins."""
        self._turns[turn.turn_id] = turn

    def end(self, turn: Turn) -> None:
        """Forget a turn with everything that is its own."""
        self._turns.pop(turn.turn_id, None)
        if turn.item_id:
            self._past_items.append(turn.item_id)
        self._past_calls += [call_id for call_id, owner in self._calls.items() if owner is turn]
        for table in (self._items, self._responses, self._calls):
            for key in [key for key, owner in table.items() if owner is turn]:
                del table[key]

    def get(self, turn_id: str | None) -> Turn | None:
        """The turn of this id, while it is under way."""
        return None if turn_id is None else self._turns.get(turn_id)

    def committed(self, item_id: str) -> Turn | None:
        """The service made an item of the oldest commit that has none."""
        if item_id in self._past_items:
            return None
        return self._items.get(item_id) or self._bind(item_id, Phase.COMMITTED)

    def of_item(self, item_id: str) -> Turn | None:
        """The turn that owns this item of the user."""
        if item_id in self._past_items:
            return None
        return self._items.get(item_id) or self._bind(item_id, Phase.COMMITTED) or self._bind(item_id, Phase.SENDING)

    def add_response(self, response_id: str, turn: Turn) -> None:
        """This response answers this turn."""
        self._responses[response_id] = turn

    def drop_response(self, response_id: str) -> None:
        """This response answers no turn after all."""
        self._responses.pop(response_id, None)

    def of_response(self, response_id: str) -> Turn | None:
        """The turn that this response answers."""
        return self._responses.get(response_id)

    def add_call(self, call_id: str, turn: Turn) -> bool:
        """The service made a call; False where it was announced before, or is one too many."""
        if self._knows_call(call_id) or turn.calls_to_answer >= MOST_CALLS:
            return False
        self._calls[call_id] = turn
        turn.open_calls.add(call_id)
        turn.calls_to_answer += 1
        turn.is_acted_on = True
        turn.audio.clear()
        return True

    def refuse_call(self, call_id: str) -> bool:
        """The service made a call that nobody waits for; False where it was announced before."""
        if self._knows_call(call_id):
            return False
        self._past_calls.append(call_id)
        return True

    def add_request(self, request_id: str, turn: Turn) -> bool:
        """The service asks for leave; False where it did before, or once too often."""
        if self._knows_call(request_id) or not turn.service.ask(request_id):
            return False
        self._calls[request_id] = turn
        turn.is_acted_on = True
        turn.audio.clear()
        return True

    def of_request(self, request_id: str) -> Turn | None:
        """The turn that a request for leave belongs to, while it is open."""
        turn = self._calls.get(request_id)
        return turn if turn is not None and request_id in turn.service.open_requests else None

    def of_service_call(self, call_id: str) -> Turn | None:
        """The turn for which the service makes this call, or may be about to."""
        waiting = [turn for turn in self if turn.service.is_waiting]
        return next((turn for turn in waiting if call_id in turn.service.running), waiting[0] if waiting else None)

    def of_call(self, call_id: str) -> Turn | None:
        """The turn that a call belongs to, while the call is open."""
        turn = self._calls.get(call_id)
        return turn if turn is not None and call_id in turn.open_calls else None

    def withdraw(self, turn: Turn) -> None:
        """Nobody will hear of the calls that are withheld."""
        for call in turn.withheld:
            turn.open_calls.discard(call.call_id)
            turn.service.open_requests.pop(call.call_id, None)
        turn.withheld.clear()

    def disconnect(self) -> None:
        """All ids of the connection are void; turns go back to where they were before it."""
        self._items.clear()
        self._responses.clear()
        self._calls.clear()
        self._past_items.clear()
        self._past_calls.clear()
        for turn in self._turns.values():
            turn.phase = Phase.HELD
            turn.item_id = None
            turn.partial = ""
            turn.open_calls.clear()
            turn.withheld.clear()
            turn.calls_to_answer = 0
            turn.service.clear()

    def _knows_call(self, call_id: str) -> bool:
        return call_id in self._calls or call_id in self._past_calls

    def _bind(self, item_id: str, phase: Phase) -> Turn | None:
        for turn in self._turns.values():
            if turn.kind is Kind.SPOKEN and turn.item_id is None and turn.phase is phase:
                turn.item_id = item_id
                self._items[item_id] = turn
                return turn
        return None
