"""Tool calls that wait for home automation.

Rules

1. A call is open from its publish to its first answer, its deadline, or the end of its turn, whichever is first.
2. Each call gets exactly one output for the model, unless its turn is over: then nobody waits for one.
3. What comes after that is told apart (`second`, `late`, `abandoned`, `unknown`) and otherwise ignored.
4. The ids of the last calls stay known, so that none is published twice.
"""

from collections import OrderedDict
from dataclasses import dataclass
from enum import StrEnum

REMEMBERED = 256


class Ending(StrEnum):
    """Why an answer is not wanted."""

    SECOND = "second"
    """The call was answered before."""
    LATE = "late"
    """The deadline had passed."""
    ABANDONED = "abandoned"
    """The turn is over, or the call could not be published."""
    UNKNOWN = "unknown"
    """No such call."""


@dataclass(frozen=True, slots=True)
class OpenCall:
    """A call that was published."""

    call_id: str
    turn_id: str
    name: str
    issued_at: float
    deadline_at: float
    """Seconds of the steady clock."""
    expected: str | None = None
    """The device's topic that answers it as well."""


class Calls:
    """The open calls of a room."""

    def __init__(self) -> None:
        self._open: dict[str, OpenCall] = {}
        self._ended: OrderedDict[str, Ending] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def add(self, call: OpenCall) -> None:
        """A call was published."""
        self._open[call.call_id] = call

    def is_open(self, call_id: str) -> bool:
        """A call of this id waits for its answer."""
        return call_id in self._open

    def knows(self, call_id: str) -> bool:
        """A call of this id is open, or was among the last."""
        return call_id in self._open or call_id in self._ended

    def answer(self, call_id: str, name: str) -> OpenCall | Ending:
        """The call that this answer closes, or why the answer is not wanted."""
        call = self._open.get(call_id)
        if call is None or call.name != name:
            return self._ended.get(call_id, Ending.UNKNOWN)
        self._close(call, Ending.SECOND)
        return call

    def answer_by_device(self, topic: str) -> list[OpenCall]:
        """The calls that a message on this topic closes."""
        calls = [call for call in self._open.values() if call.expected == topic]
        for call in calls:
            self._close(call, Ending.SECOND)
        return calls

    def answer_by_broker(self, call_id: str) -> OpenCall | None:
        """The call of this id, which the broker's acknowledgement closes."""
        call = self._open.get(call_id)
        if call is not None:
            self._close(call, Ending.SECOND)
        return call

    def refuse(self, call_id: str) -> None:
        """A call was answered without being published, and never will be."""
        self._end(call_id, Ending.ABANDONED)

    def expired(self, now: float) -> list[OpenCall]:
        """The calls whose deadline passed; they are closed."""
        calls = [call for call in self._open.values() if call.deadline_at <= now]
        for call in calls:
            self._close(call, Ending.LATE)
        return calls

    def abandon(self, call_id: str) -> OpenCall | None:
        """Close a call that could not be published."""
        call = self._open.get(call_id)
        if call is not None:
            self._close(call, Ending.ABANDONED)
        return call

    def abandon_turn(self, turn_id: str) -> list[OpenCall]:
        """Close the calls of a turn that is over."""
        calls = [call for call in self._open.values() if call.turn_id == turn_id]
        for call in calls:
            self._close(call, Ending.ABANDONED)
        return calls

    def abandon_all(self) -> list[OpenCall]:
        """Close what is open."""
        return [call for call_id in list(self._open) if (call := self.abandon(call_id)) is not None]

    @property
    def next_deadline(self) -> float | None:
        """When the first open call expires."""
        return min((call.deadline_at for call in self._open.values()), default=None)

    def _close(self, call: OpenCall, ending: Ending) -> None:
        del self._open[call.call_id]
        self._end(call.call_id, ending)

    def _end(self, call_id: str, ending: Ending) -> None:
        self._ended[call_id] = ending
        while len(self._ended) > REMEMBERED:
            self._ended.popitem(last=False)
