"""What the model remembers between turns, and what that may cost.

Rules

1. The last `keep_turns` turns are remembered: their words here, their items at the service.
2. An older turn's items are deleted at the service: the whole conversation is billed again with every response.
3. A new connection begins empty; the words are put into it as text before anything else is said.
4. After `idle_reset_s` without a turn everything is forgotten, here and there.
5. A turn that was lost has no words worth keeping, but its items are deleted in their turn. Announcements were never
   part of the conversation. A reply that was cut off is not repeated as if it had been heard.
6. Nobody waits for any of this: an event of it that the service refuses is known by its id, and ignored.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from voice_node.session.events import CreateText, DeleteItem
from voice_node.settings.session import Conversation as ConversationSettings

HOUSEKEEPING = "keep_"
"""How the ids of these events begin."""
LONGEST_WORDS = 2000
"""Characters of one side of a turn that are kept: what is put back costs tokens as well."""


@dataclass(frozen=True, slots=True)
class Words:
    """What one side said in a turn."""

    role: Literal["user", "assistant"]
    text: str
    item_id: str


@dataclass(slots=True)
class Remembered:
    """One turn as the model knows it."""

    words: list[Words] = field(default_factory=list)
    """The user's first: their transcript may come after the reply."""
    items: list[str] = field(default_factory=list)


class Memory:
    """The conversation so far."""

    def __init__(self, settings: ConversationSettings, new_event_id: Callable[[], str]) -> None:
        self._new_event_id = new_event_id
        self._keep_turns = settings.keep_turns
        self._idle_reset_s = settings.idle_reset_s
        self._open: dict[str, Remembered] = {}
        self._kept: deque[Remembered] = deque()
        self._last_at = 0.0

    def is_stale(self, now: float) -> bool:
        """Nobody has gone on with the conversation for so long that it is over."""
        return bool(self._kept) and now - self._last_at >= self._idle_reset_s

    def heard(self, turn_id: str, role: Literal["user", "assistant"], text: str, item_id: str = "") -> None:
        """Words of a turn under way."""
        if text:
            words = self._turn(turn_id).words
            words.insert(0 if role == "user" else len(words), Words(role, text[:LONGEST_WORDS], item_id))

    def cut(self, item_id: str) -> None:
        """Not all of this item was heard."""
        for turn in (*self._kept, *self._open.values()):
            turn.words = [words for words in turn.words if words.item_id != item_id]

    def item(self, turn_id: str, item_id: str) -> None:
        """An item that the service keeps for a turn under way."""
        items = self._turn(turn_id).items
        if item_id and item_id not in items and len(items) < 64:
            items.append(item_id)

    def turn_over(self, turn_id: str, now: float, *, is_lost: bool) -> list[DeleteItem]:
        """Keep a turn that is over; what takes older ones out of the conversation."""
        turn = self._open.pop(turn_id, Remembered())
        if is_lost:
            turn.words.clear()
        if turn.words or turn.items:
            self._kept.append(turn)
            self._last_at = now
        too_old: list[str] = []
        while len(self._kept) > self._keep_turns:
            too_old += self._kept.popleft().items
        return [DeleteItem(self.new_id(), item_id) for item_id in too_old]

    def put_back(self, now: float) -> list[CreateText]:
        """What a new connection has to be told of the conversation; nothing where that is long ago."""
        if self.is_stale(now):
            self.forget()
        events = []
        for turn in self._kept:
            turn.items.clear()
            for words in turn.words:
                event_id = self.new_id()
                turn.items.append(f"item_{event_id}")
                events.append(CreateText(event_id, turn.items[-1], words.role, words.text))
        return events

    def new_id(self) -> str:
        """For an event whose refusal loses nothing."""
        return f"{HOUSEKEEPING}{self._new_event_id()}"

    def disconnected(self) -> None:
        """The service has forgotten every item."""
        for turn in (*self._kept, *self._open.values()):
            turn.items.clear()

    def forget(self) -> None:
        """Begin anew."""
        self._kept.clear()

    def _turn(self, turn_id: str) -> Remembered:
        while len(self._open) > 64:
            self._open.pop(next(iter(self._open)))
        return self._open.setdefault(turn_id, Remembered())
