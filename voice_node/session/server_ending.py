"""Turns that the service ends by its own detector: server VAD and semantic VAD.

Rules

1. The service hears time only as sound. When the gate has closed, silence goes on in real time until the service
   commits; what passed before the gate closed is made up for at once, and so is the pause between turns that were held.
2. Nothing is committed by hand. A commit ends the turn that the service named before, else the oldest that is being
   sent, whether its segment is over or not.
3. What is said after that in the same segment is a turn of its own: `<turn>.2`.
4. A turn that the service does not end within its own silence and a margin is lost, and what it holds is cleared,
   unless somebody speaks: the service has one buffer.
5. A turn that began before the last commit may have gone into that one, and what is left of a segment may be nothing
   but its last silence. If the service names no item for such a turn it is over sooner, and at the latest when the next
   segment begins, whose item it would take. Nobody is told of a rest of silence.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from voice_node.model.audio import BYTES_PER_SAMPLE
from voice_node.model.turn import LostReason
from voice_node.session.formats import InputEncoder
from voice_node.session.turns import Phase, Turn
from voice_node.settings.session import SemanticVad, ServerVad

LEAD_MS = 400
"""The part of the gate's hang-over that it withholds: 700 ms less the 300 that it sends."""
MARGIN_S = 4.0
DOUBTFUL_MARGIN_S = 2.0
LONGEST_SEMANTIC_WAIT_S = 8.0
"""By OpenAI's reference, with eagerness `low`."""
MOST_AT_ONCE_S = 1.0
SEPARATION_S = 0.3
"""Beyond the service's own silence, between turns that were held."""


@dataclass(slots=True)
class _Wait:
    """A turn whose segment is over waits for the service's end."""

    since: float
    sent_until: float
    """Up to when silence was sent, on the steady clock."""
    is_doubtful: bool


class ServerEnding:
    """Keeps the stream alive until the service has heard the end."""

    def __init__(self, settings: ServerVad | SemanticVad, encoder: InputEncoder) -> None:
        self._encoder = encoder
        self.creates_responses = settings.create_response
        match settings:
            case ServerVad(silence_duration_ms=silence_ms):
                self._silence_s = silence_ms / 1000
            case SemanticVad():
                self._silence_s = LONGEST_SEMANTIC_WAIT_S
        self._waits: dict[str, _Wait] = {}
        """By turn."""
        self._parts: dict[str, str | None] = {}
        """By open segment: the turn that gets its sound; None where the next sound begins another."""
        self._part_numbers: dict[str, int] = {}
        """By open segment."""

    def began(self, segment: str) -> None:
        """The gate opened."""
        self._parts[segment] = segment
        self._part_numbers[segment] = 1

    def turn_of(self, segment: str) -> str | None:
        """The turn that gets the segment's sound; None: the next one has to begin."""
        return self._parts.get(segment, segment)

    def next_part(self, segment: str) -> str:
        """The id of the segment's next turn."""
        self._part_numbers[segment] = self._part_numbers.get(segment, 1) + 1
        turn_id = f"{segment}.{self._part_numbers[segment]}"
        self._parts[segment] = turn_id
        return turn_id

    def ended(self, segment: str) -> str | None:
        """The gate closed: the turn that gets its end, None where the service's came before."""
        self._part_numbers.pop(segment, None)
        return self._parts.pop(segment, segment)

    def wait(self, turn: Turn, now: float) -> None:
        """All sound of this turn was sent: silence follows."""
        self._waits[turn.turn_id] = _Wait(now, now - LEAD_MS / 1000, turn.is_rest)

    def committed(self, turn: Turn) -> None:
        """The service ended this turn."""
        self.forget(turn)
        for segment, turn_id in self._parts.items():
            if turn_id == turn.turn_id:
                self._parts[segment] = None
        for wait in self._waits.values():
            wait.is_doubtful = True

    def forget(self, turn: Turn) -> None:
        """No more silence for this turn."""
        self._waits.pop(turn.turn_id, None)

    def silence(self, turns: Iterable[Turn], now: float) -> bytes:
        """What of the silence since the end of the last segment has not been sent; none while somebody speaks."""
        sending = [turn for turn in turns if turn.phase is Phase.SENDING]
        wait = self._waits.get(sending[-1].turn_id) if sending else None
        if wait is None:
            return b""
        since, wait.sent_until = wait.sent_until, now
        return self._zeros(min(now - since, MOST_AT_ONCE_S))

    def separation(self) -> bytes:
        """Enough silence for the service to end a turn."""
        return self._zeros(self._silence_s + SEPARATION_S)

    def is_unheard(self, turn: Turn) -> bool:
        """The turn is over here, and may never begin there."""
        wait = self._waits.get(turn.turn_id)
        return wait is not None and wait.is_doubtful and turn.item_id is None

    def is_overdue(self, turn: Turn, now: float) -> bool:
        """The service should have ended this turn by now."""
        wait = self._waits.get(turn.turn_id)
        margin_s = DOUBTFUL_MARGIN_S if self.is_unheard(turn) else MARGIN_S
        return wait is not None and now - wait.since > self._silence_s + margin_s

    def why(self, turn: Turn) -> tuple[LostReason, str] | None:
        """What to say of a turn that the service did not end; None: nothing."""
        if not self.is_unheard(turn):
            return LostReason.TIMEOUT, "the service never ended it"
        return None if turn.is_rest else (LostReason.EMPTY, "the service heard no turn of its own in it")

    def disconnected(self) -> None:
        """What is sent again is sent from its beginning."""
        self._waits.clear()

    def _zeros(self, seconds: float) -> bytes:
        return self._encoder.encode(bytes(int(seconds * self._encoder.rate_hz) * BYTES_PER_SAMPLE))
