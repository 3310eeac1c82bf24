"""Questions that a spoken yes answers: `confirm: voice`.

The model asks and the node decides. Nothing is published unless the model wants it twice and the person says yes in
between: a model cannot say the yes itself, and no result ever comes without a call that asks for it.

Rules

1. A call that must be confirmed is answered at once: nothing was done, ask the person, and make the same call again if
   they agree. So the model never waits, and its conversation never holds a call without an output.
2. The question is out when the words of the reply come, or its turn ends. A turn that is lost asked nothing.
3. The next spoken turn of this room decides, by its transcript alone. Only a clear yes agrees; all else declines, and
   so does a turn without words. It must begin within the follow-up time after the room fell silent.
4. The yes is good for one call with the same name and arguments, in the turn of the yes. With that turn it ends.
5. A model may be quicker than the transcript: its second call then waits for it (`WAIT`), for 12 s at most.
6. Turns that somebody typed never answer a question: they void it. So does a reset: the model has forgotten it.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto

from voice_node.model.turn import Transcript
from voice_node.router.consent import is_clear_yes

SHORTEST_WINDOW_S = 8.0
SPEECH_S = 45.0
"""From the beginning of an answer to its transcript."""
LONGEST_S = 120.0
MOST_QUESTIONS = 16


class Verdict(Enum):
    """What a call gets that needs a yes."""

    ASK = auto()
    WAIT = auto()
    AGREED = auto()
    DECLINED = auto()


@dataclass(slots=True)
class _Question:
    turn_id: str
    """In which it is asked."""
    expires_at: float
    latest_at: float
    asked_at: datetime | None = None
    answering: set[str] = field(default_factory=set)
    """Turns that began after it."""
    decided_in: str | None = None
    is_agreed: bool = False


class Questions:
    """The open questions of a room, by the identity of the call."""

    def __init__(self, language: str, follow_up_ms: int) -> None:
        self._language = language
        self._open: dict[str, _Question] = {}
        self.follow_up(follow_up_ms)

    def follow_up(self, duration_ms: int) -> None:
        """How long a person may take to begin with the answer."""
        self._window_s = max(SHORTEST_WINDOW_S, duration_ms / 1000)

    def verdict(self, identity: str, turn_id: str, now: float) -> Verdict:
        """Whether this call may pass; a yes is used up by that."""
        self._forget_expired(now)
        question = self._open.get(identity)
        if question is None or question.turn_id == turn_id:
            return Verdict.ASK
        if question.decided_in is None:
            return Verdict.ASK if question.asked_at is None else Verdict.WAIT
        if question.decided_in != turn_id:
            return Verdict.ASK
        if not question.is_agreed:
            return Verdict.DECLINED
        del self._open[identity]
        return Verdict.AGREED

    def ask(self, identity: str, turn_id: str, now: float) -> None:
        """A call was answered with the question."""
        self._open.pop(identity, None)
        self._open[identity] = _Question(turn_id, now + LONGEST_S, now + LONGEST_S)
        while len(self._open) > MOST_QUESTIONS:
            self._open.pop(next(iter(self._open)))

    def put(self, turn_id: str, now: float, wall: datetime) -> None:
        """The question of this turn is out."""
        for question in self._open.values():
            if question.turn_id == turn_id and question.asked_at is None:
                question.asked_at = wall
                question.expires_at = min(question.latest_at, now + self._window_s)

    def fell_silent(self, now: float) -> None:
        """The speaker is silent: only now the whole question was heard."""
        self._extend(self._window_s, now)

    def speech(self, turn_id: str, now: float) -> None:
        """Somebody begins to speak."""
        self._extend(SPEECH_S, now)
        for question in self._open.values():
            if question.asked_at is not None:
                question.answering.add(turn_id)

    def heard(self, words: Transcript, now: float) -> None:
        """A person's final words."""
        self._forget_expired(now)
        is_yes = is_clear_yes(words.text, words.language or self._language)
        for question in self._open.values():
            is_answer = question.asked_at is not None and words.started_at >= question.asked_at
            if question.decided_in is None and is_answer and words.turn_id != question.turn_id:
                question.decided_in, question.is_agreed = words.turn_id, is_yes

    def turn_over(self, turn_id: str, now: float, wall: datetime, *, is_lost: bool) -> list[str]:
        """A turn ended. Returns the identities of calls that were agreed to and not made."""
        unused = []
        for identity, question in list(self._open.items()):
            if question.turn_id == turn_id and is_lost and question.asked_at is None:
                del self._open[identity]
            elif question.decided_in == turn_id:
                del self._open[identity]
                unused += [identity] if question.is_agreed else []
            elif question.decided_in is None and turn_id in question.answering:
                del self._open[identity]
        self.put(turn_id, now, wall)
        return unused

    def void(self) -> None:
        """Nobody's yes counts any more."""
        self._open.clear()

    def _extend(self, seconds: float, now: float) -> None:
        self._forget_expired(now)
        for question in self._open.values():
            if question.asked_at is not None and question.decided_in is None:
                question.expires_at = min(question.latest_at, max(question.expires_at, now + seconds))

    def _forget_expired(self, now: float) -> None:
        self._open = {key: question for key, question in self._open.items() if question.expires_at > now}
