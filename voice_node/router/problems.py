"""What is wrong: each told to home automation, and counted."""

from voice_node.model.report import EventType, Happening
from voice_node.router.action import Action

MOST_PROBLEMS = 64
"""Kinds that are counted apart: a service may invent codes without end."""


class Problems:
    """The problems of a room since its start."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self.last: str | None = None
        """The code of the latest."""

    @property
    def counts(self) -> dict[str, int]:
        """How often each came."""
        return dict(self._counts)

    def tell(self, code: str, detail: str, turn_id: str | None = None) -> list[Action]:
        """Count one and report it; `detail` is for people and repeats nothing that was said."""
        self.last = code
        counted = code if code in self._counts or len(self._counts) < MOST_PROBLEMS else "others"
        self._counts[counted] = self._counts.get(counted, 0) + 1
        return [Happening(EventType.ERROR, {"code": code, "detail": detail}, turn_id)]
