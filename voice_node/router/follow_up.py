"""When a room with a wake word or a button attends without one: after a reply, for a while.

A reply to somebody who spoke is followed up, and so is a question of the node's own. An announcement, and the answer to
what was typed, is not, unless it was asked for: nobody may be in the room. Nor is a reply that `request/stop` ended:
who presses a button for silence has not begun to talk. (Who stops it by a wake word has a window by that.)
"""

from collections import OrderedDict

from voice_node.model.control import OpenGate
from voice_node.router.action import Action

MOST_TURNS = 64


class FollowUp:
    """Knows whose reply sounds.

    Args:
        is_always: the room attends at all times.
    """

    def __init__(self, duration_ms: int, *, is_always: bool) -> None:
        self.duration_ms = duration_ms
        self._is_always = is_always
        self._wishes: OrderedDict[str, bool] = OrderedDict()
        """Of turns that were begun in writing: whether the node is to listen after them."""
        self._turn_id: str | None = None
        """The last that is answered, until it was followed up."""

    def typed(self, turn_id: str, *, is_followed: bool) -> None:
        """A turn was begun in writing."""
        self._wishes[turn_id] = is_followed
        while len(self._wishes) > MOST_TURNS:
            self._wishes.popitem(last=False)

    def reply_started(self, turn_id: str) -> None:
        """The node answers."""
        self._turn_id = turn_id

    def stopped(self) -> None:
        """Somebody wanted silence."""
        self._turn_id = None

    def reply_over(self) -> list[Action]:
        """Nothing more of the answer comes or sounds."""
        turn_id, self._turn_id = self._turn_id, None
        if turn_id is None or self._is_always or not self.duration_ms or not self._wishes.get(turn_id, True):
            return []
        return [OpenGate(self.duration_ms)]
