"""Broker -> router: what home automation asks of the node, decoded and checked."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ReplyTo:
    """Where the response to a request goes, besides `response/<command>`."""

    topic: str | None = None
    """The request's MQTT 5 response topic."""
    correlation: bytes | None = None
    transaction: str | None = None
    """Echoed in the response's JSON, for brokers of MQTT 3.1.1."""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """Home automation, or the server of a tool, answers a call: either an output or an error."""

    name: str
    call_id: str
    output: Any = None
    """Any JSON value."""
    error: str | None = None


@dataclass(frozen=True, slots=True)
class ToolUnreachable:
    """A call did not reach its server of tools."""

    call_id: str
    why: str
    """For people."""


@dataclass(frozen=True, slots=True)
class Listen:
    """Open a turn without a wake word."""

    timeout_ms: int | None = None
    reply_to: ReplyTo = field(default_factory=ReplyTo)


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop the reply that is being spoken and cancel the response."""

    reply_to: ReplyTo = field(default_factory=ReplyTo)


@dataclass(frozen=True, slots=True)
class Say:
    """Speak an announcement."""

    text: str
    listen_after: bool = False
    volume: int | None = None
    reply_to: ReplyTo = field(default_factory=ReplyTo)


@dataclass(frozen=True, slots=True)
class Ask:
    """Put a text turn to the model as if it had been spoken."""

    text: str
    instructions: str | None = None
    reply_to: ReplyTo = field(default_factory=ReplyTo)


@dataclass(frozen=True, slots=True)
class Decide:
    """A person approves or denies a tool call that waits for it."""

    call_id: str
    is_approved: bool
    reply_to: ReplyTo = field(default_factory=ReplyTo)


@dataclass(frozen=True, slots=True)
class Reset:
    """Forget the conversation."""

    reply_to: ReplyTo = field(default_factory=ReplyTo)


@dataclass(frozen=True, slots=True)
class Reload:
    """Read the room's YAML again."""

    reply_to: ReplyTo = field(default_factory=ReplyTo)


@dataclass(frozen=True, slots=True)
class Diagnose:
    """Answer with the redacted report."""

    reply_to: ReplyTo = field(default_factory=ReplyTo)


@dataclass(frozen=True, slots=True)
class SetMute:
    """Close or open the microphone device."""

    is_muted: bool


@dataclass(frozen=True, slots=True)
class MuteSwitched:
    """The switch on the device was closed or opened; it overrides what came over MQTT."""

    is_muted: bool


@dataclass(frozen=True, slots=True)
class SetSetting:
    """Tune one of the few settings that a dashboard offers; range-checked when decoded."""

    name: str
    """`volume`, `wake_word`, `gate_snr_db`, `hang_over_ms`, `follow_up_ms` or `budget_usd`."""
    value: float | int | str


@dataclass(frozen=True, slots=True)
class DeviceReport:
    """A device says something on a topic that a tool expects."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class RoomClaims:
    """A room is about to answer what it heard; this one's own claims come back too."""

    room: str
    claim_id: str
    gives_way_to: str | None = None


@dataclass(frozen=True, slots=True)
class HomeAssistantStatus:
    """Home Assistant's birth or will."""

    is_online: bool


@dataclass(frozen=True, slots=True)
class BadInput:
    """A message that could not be read; it changes nothing."""

    place: str
    """The topic below the room's branch, cut to 128 characters."""
    detail: str
    """What is wrong and what would be right; never the payload itself."""
    command: str | None = None
    """The request's name, where the topic was `request/<command>`: then it is answered there."""
    reply_to: ReplyTo = field(default_factory=ReplyTo)


@dataclass(frozen=True, slots=True)
class BrokerRefused:
    """The broker does not take a message of the node's, or refuses a subscription; everything else goes on."""

    place: str
    """The topic below the room's branch, cut to 128 characters."""
    detail: str
    """What came of it and why; never the payload."""


@dataclass(frozen=True, slots=True)
class OutboxTrouble:
    """What waits for the broker cannot be kept on disk, such as one that is full; everything else goes on."""

    detail: str
    """What is wrong and what comes of it."""


@dataclass(frozen=True, slots=True)
class BrokerChanged:
    """The broker came or went."""

    is_connected: bool
    detail: str = ""
    is_refused: bool = False
    """True: the broker refuses this login or certificate, so trying again cannot help."""


Request = Listen | Stop | Say | Ask | Decide | Reset | Reload | Diagnose
"""Commands that are answered on `response/<command>`."""

Command = (
    Request
    | ToolResult
    | ToolUnreachable
    | DeviceReport
    | SetMute
    | MuteSwitched
    | SetSetting
    | RoomClaims
    | HomeAssistantStatus
    | BadInput
    | BrokerRefused
    | OutboxTrouble
    | BrokerChanged
)
"""Closed: match it with `assert_never`."""
