"""What the node is doing, in one word, and since when.

The strongest holds: muted, over budget, speaking, listening, offline, thinking, idle.
"""

from datetime import datetime

from voice_node.model.report import NodeState, State

MOST_TURNS = 64
"""Turns that are thought about; of more, the oldest is forgotten: it will not be heard of again."""


class Status:
    """The parts from which the node's state is made."""

    def __init__(self) -> None:
        self.is_muted = False
        self.is_over_budget = False
        self.is_speaking = False
        self.is_offline = False
        self.listening_to: str | None = None
        """The turn whose segment is open."""
        self.is_attending = False
        """A wake word, a button or a reply lets the node wait for speech."""
        self._thinking_about: list[str] = []
        """The turns that wait for the service or for home automation, oldest first."""
        self._told: State | None = None

    @property
    def told(self) -> State | None:
        """What was reported last."""
        return self._told

    @property
    def is_quiet(self) -> bool:
        """Nobody speaks, and no turn waits."""
        return not self.is_speaking and self.listening_to is None and not self._thinking_about

    def begin_thinking(self, turn_id: str) -> None:
        """A turn waits for the service or for home automation."""
        self.end_thinking(turn_id)
        self._thinking_about.append(turn_id)
        del self._thinking_about[:-MOST_TURNS]

    def end_thinking(self, turn_id: str) -> None:
        """A turn is over."""
        if turn_id in self._thinking_about:
            self._thinking_about.remove(turn_id)

    def report(self, now: datetime) -> State | None:
        """The state where it changed since the last time, else None."""
        state, turn_id = self._state()
        told = self._told
        if told is not None and told.state is state and told.turn_id == turn_id:
            return None
        since = told.since if told is not None and told.state is state else now
        self._told = State(state, since, turn_id)
        return self._told

    def _state(self) -> tuple[NodeState, str | None]:
        turn_id = self._thinking_about[0] if self._thinking_about else None
        if self.is_muted:
            return NodeState.MUTED, None
        if self.is_over_budget:
            return NodeState.OVER_BUDGET, None
        if self.is_speaking:
            return NodeState.SPEAKING, turn_id
        if self.listening_to is not None:
            return NodeState.LISTENING, self.listening_to
        if self.is_attending:
            return NodeState.LISTENING, None
        if self.is_offline:
            return NodeState.OFFLINE, None
        if turn_id is not None:
            return NodeState.THINKING, turn_id
        return NodeState.IDLE, None
