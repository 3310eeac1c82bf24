"""The code that opens: how it is compared, and how often one may be wrong.

Rules

1. A code is compared in constant time, whole: what was heard is right or it is a wrong try.
2. The third wrong try locks for 15 minutes every tool that asks for the code: the room has one. A right code makes the
   count begin anew, and so does the end of a lock.
3. Tries and locks are kept over restarts. A clock that was set back cannot make a lock last longer than 15 minutes.
"""

import hmac
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from voice_node.model.control import Remember
from voice_node.router.action import Action

MOST_TRIES = 3
LOCKED_FOR = timedelta(minutes=15)
MEMORY = "pin"
"""The key of what is kept over restarts."""

Matches = Callable[[str], bool]
"""Whether these digits are the code; the code itself stays inside."""


def matcher(code: str) -> Matches:
    """Compares with this code in a time that does not depend on how much of it is right."""
    return lambda digits: hmac.compare_digest(digits.encode(), code.encode())


class PinLock:
    """Counts wrong tries."""

    def __init__(self, matches: Matches | None, remembered: Mapping[str, Any]) -> None:
        """`remembered` is what `Remember` kept; anything that is no such thing is no memory."""
        self._matches = matches
        wrong = remembered.get("wrong")
        self._wrong = wrong if isinstance(wrong, int) and 0 <= wrong <= MOST_TRIES else 0
        self._until = _time(remembered.get("locked_until"))

    def is_locked(self, now: datetime) -> bool:
        """No code is taken now."""
        if self._until is None:
            return False
        self._until = min(self._until, now + LOCKED_FOR)
        if now >= self._until:
            self._until, self._wrong = None, 0
        return self._until is not None

    def is_right(self, digits: str, now: datetime) -> bool:
        """Take a try, unless it is locked."""
        if self.is_locked(now):
            return False
        if self._matches is not None and self._matches(digits):
            self._wrong = 0
            return True
        self._wrong += 1
        if self._wrong >= MOST_TRIES:
            self._until = now + LOCKED_FOR
        return False

    def remember(self) -> list[Action]:
        """What must be kept after a try."""
        until = None if self._until is None else self._until.isoformat()
        return [Remember(MEMORY, {"wrong": self._wrong, "locked_until": until})]


def _time(stored: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(stored)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo is not None else None
