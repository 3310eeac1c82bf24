"""Turns that the service ends by its own detector: server VAD and semantic VAD.

Rules

1. The service hears time only as sound. When the gate has closed, silence goes on in real time until the service
   commits; what passed before the gate closed is made up for at once.
2. Nothing is committed by hand. A commit ends the oldest turn that is being sent, whether its segment is over or not.
3. What is said after that in the same segment is a turn of its own: `<turn>.2`.
4. A turn that the service does not end within its own silence and a margin is lost, and what it holds is cleared.
"""

from voice_node.model.audio import BYTES_PER_SAMPLE
from voice_node.session.formats import InputEncoder
from voice_node.session.turns import Turn
from voice_node.settings.session import SemanticVad, ServerVad

LEAD_MS = 400
"""The part of the gate's hang-over that it withholds: 700 ms less the 300 that it sends."""
MARGIN_S = 4.0
LONGEST_SEMANTIC_WAIT_S = 8.0
"""By OpenAI's reference, with eagerness `low`."""
MOST_AT_ONCE_S = 1.0


class ServerEnding:
    """Keeps the stream alive until the service has heard the end."""

    def __init__(self, settings: ServerVad | SemanticVad, encoder: InputEncoder) -> None:
        self._encoder = encoder
        self.creates_responses = settings.create_response
        match settings:
            case ServerVad(silence_duration_ms=silence_ms):
                self._patience_s = silence_ms / 1000 + MARGIN_S
            case SemanticVad():
                self._patience_s = LONGEST_SEMANTIC_WAIT_S + MARGIN_S
        self._sent_until: dict[str, float] = {}
        """By turn: up to when silence was sent, on the steady clock."""
        self._parts: dict[str, str | None] = {}
        """By open segment: the turn that gets its sound; None where the next sound begins another."""
        self._part_numbers: dict[str, int] = {}

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

    def ended(self, segment: str, now: float) -> str | None:
        """The gate closed: the turn that waits for the service's end, None where that came before."""
        self._part_numbers.pop(segment, None)
        turn_id = self._parts.pop(segment, segment)
        if turn_id is not None:
            self._sent_until[turn_id] = now - LEAD_MS / 1000
        return turn_id

    def committed(self, turn: Turn) -> None:
        """The service ended this turn."""
        self.forget(turn)
        for segment, turn_id in self._parts.items():
            if turn_id == turn.turn_id:
                self._parts[segment] = None

    def forget(self, turn: Turn) -> None:
        """No more silence for this turn."""
        self._sent_until.pop(turn.turn_id, None)

    def silence(self, turn: Turn, now: float) -> bytes:
        """What of the silence since the end of the segment has not been sent."""
        since = self._sent_until.get(turn.turn_id)
        if since is None:
            return b""
        self._sent_until[turn.turn_id] = now
        samples = int(min(now - since, MOST_AT_ONCE_S) * self._encoder.rate_hz)
        return self._encoder.encode(bytes(samples * BYTES_PER_SAMPLE))

    def is_overdue(self, turn: Turn, now: float) -> bool:
        """The service should have ended this turn by now."""
        return turn.is_ended and now - turn.speech_end_s > self._patience_s

    def disconnected(self) -> None:
        """What is sent again is sent from its beginning."""
        self._sent_until.clear()
