"""Router -> broker: what home automation is told. `mqtt/messages` gives each its topic and its JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from voice_node.model.command import ReplyTo
from voice_node.model.turn import Transcript


class NodeState(StrEnum):
    """What the node is doing, in one word."""

    IDLE = "idle"
    LISTENING = "listening"
    THINKING = "thinking"
    SPEAKING = "speaking"
    MUTED = "muted"
    OFFLINE = "offline"
    """The broker can be reached, the session cannot."""
    OVER_BUDGET = "over_budget"


class EventType(StrEnum):
    """The happenings on `event`."""

    WAKE = "wake"
    SEGMENT = "segment"
    TRANSCRIPT = "transcript"
    RESPONSE = "response"
    TOOL_CALL = "tool_call"
    TOOL_RESULT = "tool_result"
    TURN_FINISHED = "turn_finished"
    ERROR = "error"
    BUDGET = "budget"
    YIELDED = "yielded"


@dataclass(frozen=True, slots=True)
class State:
    """Retained on `state`."""

    state: NodeState
    since: datetime
    turn_id: str | None = None


@dataclass(frozen=True, slots=True)
class Info:
    """Retained on `info`: what this node is. No secrets."""

    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Usages:
    """Retained on `usage`: today's totals."""

    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Health:
    """Retained on `health`."""

    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class GateOpen:
    """`ON` or `OFF` on `speech`."""

    is_open: bool


@dataclass(frozen=True, slots=True)
class Happening:
    """One JSON on `event`; `fields` are merged beside `event_type`, `room` and `turn_id`."""

    event_type: EventType
    fields: Mapping[str, Any] = field(default_factory=dict)
    turn_id: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """On the topic that all rooms share: this room is about to answer. Lost where the broker is away."""

    claim_id: str
    gives_way_to: str | None = None


@dataclass(frozen=True, slots=True)
class CallReport:
    """`tool/<name>/call`: never retained, never queued, never sent twice."""

    call_id: str
    turn_id: str
    name: str
    arguments: Mapping[str, Any]
    issued_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class DeviceOrder:
    """A tool call that goes straight to a device's topic: never retained, never queued, never sent twice."""

    call_id: str
    name: str
    """Of the tool."""
    topic: str
    payload: bytes
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Response:
    """`response/<command>`, and the request's own response topic."""

    command: str
    error: str | None = None
    """None: the status is `ok`."""
    data: Mapping[str, Any] = field(default_factory=dict)
    reply_to: ReplyTo = field(default_factory=ReplyTo)


@dataclass(frozen=True, slots=True)
class SettingState:
    """Retained on `<setting>/state`: `mute` (`ON`/`OFF`), `volume` and the tunable settings."""

    name: str
    value: float | int | str


@dataclass(frozen=True, slots=True)
class LastWords:
    """What a role said last, on a topic of its own; `mqtt.retain_last` alone makes the broker keep spoken words."""

    role: Literal["user", "assistant"]
    transcript: Transcript | None
    """None: nothing, so that the broker forgets what it kept."""
    is_retained: bool = False
    """The broker keeps it."""


@dataclass(frozen=True, slots=True)
class Discovery:
    """Retained for Home Assistant: the room as a device."""

    content: Mapping[str, Any] | None
    """None: there is no such device any more."""


Report = (
    Transcript
    | State
    | Info
    | Usages
    | Health
    | GateOpen
    | Happening
    | Claim
    | CallReport
    | DeviceOrder
    | Response
    | SettingState
    | LastWords
    | Discovery
)
"""Closed: match it with `assert_never`."""
