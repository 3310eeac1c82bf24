"""A router under test, with its clock."""

import itertools
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from voice_node.model.command import Command, ReplyTo
from voice_node.model.control import AnswerCall
from voice_node.model.moment import Moment
from voice_node.model.report import Happening, State
from voice_node.model.turn import (
    LinkChanged,
    LostReason,
    Outcome,
    ResponseStatus,
    SpeechChanged,
    ToolCall,
    TurnFinished,
    TurnLost,
)
from voice_node.router.action import Action
from voice_node.router.costs import Costs
from voice_node.router.pin import PinLock
from voice_node.router.router import Router
from voice_node.router.tuning import Tuning
from voice_node.settings.schema import BudgetSettings, RoomSettings

T = TypeVar("T")

START = datetime(2026, 1, 1, tzinfo=UTC)
TIMEOUT_S = 5.0
ROOM = RoomSettings.model_validate(
    {
        "room": "kitchen",
        "tools": [
            {
                "name": "light",
                "description": "Switches the light",
                "parameters": {"type": "object", "properties": {"on": {"type": "boolean"}}, "required": ["on"]},
                "timeout_s": TIMEOUT_S,
                "max_per_minute": 600,
            },
            {"name": "clock", "description": "Tells the time", "timeout_s": 10.0},
            {"name": "door", "description": "Opens the door", "confirm": "mqtt"},
            {"name": "garage", "description": "Opens the garage"},
        ],
    }
)
FACTS = {"version": "1.2.3"}
ASKED = ReplyTo("some/topic", b"1", "t-9")
TROUBLE = LinkChanged(is_up=False, detail="no network", is_trouble=True)


class Switchboard:
    """A router whose time passes when it is told to."""

    def __init__(
        self,
        *,
        is_muted: bool = False,
        tools: Sequence[Mapping[str, Any]] = (),
        pin: PinLock | None = None,
        hears_privately: bool = False,
        hears_when_spent: bool = False,
        remembered: Mapping[str, Any] | None = None,
        **sections: Any,
    ) -> None:
        """`tools` are added to the room's."""
        numbers = itertools.count(1)
        content = ROOM.model_dump() | sections
        content["tools"] = [*content["tools"], *tools]
        self.router = Router(
            Tuning(RoomSettings.model_validate(content), remembered or {}),
            lambda: f"typed-{next(numbers)}",
            FACTS,
            costs=Costs(BudgetSettings(), START.astimezone().date(), None),
            is_muted=is_muted,
            pin=pin,
            hears_privately=hears_privately,
            hears_when_spent=hears_when_spent,
        )
        self.at = 1000.0

    @property
    def now(self) -> Moment:
        return Moment(self.at, START + timedelta(seconds=self.at - 1000))

    def hears(self, outcome: Outcome) -> list[Action]:
        return self.router.outcome(outcome, self.now)

    def gets(self, command: Command) -> list[Action]:
        return self.router.command(command, self.now)

    def after(self, seconds: float) -> list[Action]:
        self.at += seconds
        return self.router.tick(self.now)


def of(kind: type[T], actions: list[Action]) -> list[T]:
    return [action for action in actions if isinstance(action, kind)]


def states(actions: list[Action]) -> list[str]:
    return [state.state.value for state in of(State, actions)]


def errors(actions: list[Action]) -> list[str]:
    return [str(event.fields["code"]) for event in of(Happening, actions) if event.event_type == "error"]


def answers(actions: list[Action]) -> list[str]:
    return [answer.call_id for answer in of(AnswerCall, actions)]


def call(call_id: str = "c1", turn_id: str = "t1", name: str = "light", arguments: str = '{"on":true}') -> ToolCall:
    return ToolCall(turn_id, call_id, name, arguments)


def opened(turn_id: str = "t1") -> SpeechChanged:
    return SpeechChanged(turn_id, is_open=True)


def closed(turn_id: str = "t1", *, is_kept: bool = True) -> SpeechChanged:
    return SpeechChanged(turn_id, False, 1500, 900, 12.345, is_kept)


def finished(turn_id: str = "t1") -> TurnFinished:
    return TurnFinished(turn_id, ResponseStatus.COMPLETED, timings_ms={"done": 900})


def lost(turn_id: str = "t1") -> TurnLost:
    return TurnLost(turn_id, LostReason.DISCONNECTED)
