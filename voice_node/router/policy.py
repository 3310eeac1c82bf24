"""May this call be carried out? Pure rules; the first that says no decides.

1. A tool whose name looks like a lock, a door, a garage, a gate, an alarm or an oven is never called, unless the room
   file writes `confirm` for it, whichever.
2. Outside the tool's `hours` it is not called. They are the room's local time, begin with their first minute and end
   with their last; `22:00-06:00` goes over midnight.
3. A turn may make 8 calls, and 2 of them with the same name and arguments. What it wants beyond is refused; a model
   that goes on all the same is stopped after 8 refusals, because each one costs a response.
4. A tool is called at most `max_per_minute` times within any 60 s; what the service itself calls of one MCP server
   counts together. Calls that wait for a person count; refused ones do not, nor those that are answered with a
   question: the call after the yes does.

What passes these goes out, or waits for a person where the tool has a `confirm`: see `confirmation`.
"""

from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time
from typing import Any

from voice_node.model.moment import Moment
from voice_node.router.identity import identity
from voice_node.settings.mcp import ServiceTool
from voice_node.settings.tools import Tool

MOST_CALLS = 8
MOST_IDENTICAL = 2
MOST_REFUSALS = 8
MOST_TURNS = 64
MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class Refused:
    """The call is not carried out."""

    code: str
    why: str
    """For the model."""


@dataclass(slots=True)
class _Turn:
    identities: list[str] = field(default_factory=list)
    refusals: int = 0


class Rules:
    """Counts the calls of turns and of minutes."""

    def __init__(self) -> None:
        self._turns: OrderedDict[str, _Turn] = OrderedDict()
        self._minutes: dict[str, deque[float]] = {}

    def refusal(self, tool: Tool, arguments: Mapping[str, Any], turn_id: str, now: Moment) -> Refused | None:
        """Why this call may not be carried out; None, and it counts."""
        turn, this = self._turn(turn_id), identity(tool.name, arguments)
        minute = self._minutes.setdefault(_counted(tool), deque())
        while minute and minute[0] <= now.at - MINUTE_S:
            minute.popleft()
        if tool.policy == "deny":
            return Refused("denied", "refused: this home does not allow it; tell the person that it is not set up")
        if tool.hours is not None and not is_within(tool.hours, now.wall.astimezone()):
            return Refused("outside_hours", f"refused: allowed only {tool.hours}")
        if len(turn.identities) >= MOST_CALLS:
            return Refused(
                "too_many_calls", f"refused: more than {MOST_CALLS} calls in one turn; answer the person now"
            )
        if turn.identities.count(this) >= MOST_IDENTICAL:
            return Refused("same_call", "refused: the same call was made before in this turn; answer the person now")
        if len(minute) >= tool.max_per_minute:
            return Refused("too_often", f"refused: at most {tool.max_per_minute} calls of this tool in a minute")
        turn.identities.append(this)
        minute.append(now.at)
        return None

    def asked(self, tool: Tool) -> None:
        """The call that was let pass last, of this tool, became a question for a person."""
        self._minutes[_counted(tool)].pop()

    def refused(self, turn_id: str) -> bool:
        """A call of this turn was refused; True where the turn must be stopped."""
        turn = self._turn(turn_id)
        turn.refusals += 1
        return turn.refusals > MOST_REFUSALS

    def _turn(self, turn_id: str) -> _Turn:
        turn = self._turns.setdefault(turn_id, _Turn())
        while len(self._turns) > MOST_TURNS:
            self._turns.popitem(last=False)
        return turn


def _counted(tool: Tool) -> str:
    """Names of a service's own tools are the service's to choose: those of one server count together."""
    return f"session.tools {tool.server}" if isinstance(tool, ServiceTool) else tool.name


def is_within(hours: str, local: datetime) -> bool:
    """Whether a local time lies in a span such as `07:00-22:00`, its last minute included."""
    begin, end = (time.fromisoformat(text) for text in hours.split("-"))
    minute = local.time().replace(second=0, microsecond=0)
    return begin <= minute <= end if begin < end else minute >= begin or minute <= end
