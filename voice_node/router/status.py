"""What the node is doing, in one word, and since when.

The strongest holds: muted, over budget, speaking, listening, thinking, offline, idle.
"""

from datetime import datetime

from voice_node.model.report import NodeState, State


class Status:
    """The parts from which the node's state is made."""

    def __init__(self) -> None:
        self.is_muted = False
        self.is_over_budget = False
        self.is_speaking = False
        self.is_offline = False
        self.listening_to: str | None = None
        """The turn whose segment is open."""
        self.thinking_about: list[str] = []
        """The turns that wait for the service or for home automation, oldest first."""
        self._told: State | None = None

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
        turn_id = self.thinking_about[0] if self.thinking_about else None
        if self.is_muted:
            return NodeState.MUTED, None
        if self.is_over_budget:
            return NodeState.OVER_BUDGET, None
        if self.is_speaking:
            return NodeState.SPEAKING, turn_id
        if self.listening_to is not None:
            return NodeState.LISTENING, self.listening_to
        if self.is_offline:
            return NodeState.OFFLINE, None
        if turn_id is not None:
            return NodeState.THINKING, turn_id
        return NodeState.IDLE, None
