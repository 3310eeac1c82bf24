"""Router -> stages: what the node does because home automation, a timer or a rule says so."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from voice_node.model.command import ReplyTo


@dataclass(frozen=True, slots=True)
class AnswerCall:
    """Give the model the one output of a tool call."""

    call_id: str
    output: str
    """JSON text."""


@dataclass(frozen=True, slots=True)
class AnswerApproval:
    """Say whether the service may make this call itself."""

    call_id: str
    """Of the request."""
    is_approved: bool
    reason: str | None = None
    """For the model: why not."""


@dataclass(frozen=True, slots=True)
class CallServer:
    """Call a tool of an MCP server; the answer comes as a `ToolResult` or a `ToolUnreachable`."""

    call_id: str
    name: str
    """As the model knows the tool."""
    server: str
    remote_name: str
    """As its server knows it."""
    arguments: Mapping[str, Any]
    timeout_s: float


@dataclass(frozen=True, slots=True)
class StopReply:
    """Silence the speaker and cancel the response.

    The session is told what was really heard: `played_ms` of the item that was sounding, None where none was.
    """

    item_id: str | None = None
    played_ms: int = 0
    is_barge_in: bool = False
    """Somebody speaks over a reply: one that has not begun to reply is still wanted, and goes on."""


@dataclass(frozen=True, slots=True)
class EndTurn:
    """The model goes round in circles: ask it nothing more for this turn. Other turns go on."""

    turn_id: str


@dataclass(frozen=True, slots=True)
class SayText:
    """Speak this in the node's own voice."""

    turn_id: str
    text: str
    volume: int | None = None


@dataclass(frozen=True, slots=True)
class AskText:
    """Put this to the model as a turn of its own."""

    turn_id: str
    text: str
    instructions: str | None = None


@dataclass(frozen=True, slots=True)
class SetMuted:
    """Close the microphone device, or open it again."""

    is_muted: bool


@dataclass(frozen=True, slots=True)
class SetVolume:
    """0..100."""

    volume: int


@dataclass(frozen=True, slots=True)
class TuneGate:
    """From the next segment on, speech must stand this far above the noise, and ends after this much silence."""

    min_snr_db: float
    hang_over_ms: int


@dataclass(frozen=True, slots=True)
class HearPrivately:
    """Segments that begin from now on are for the recogniser of this device alone; or for the service again."""

    is_private: bool


@dataclass(frozen=True, slots=True)
class OpenGate:
    """Let what is said next through without a wake word, for so long."""

    timeout_ms: int


@dataclass(frozen=True, slots=True)
class ListenFor:
    """From now on these wake words open the gate, and a window lasts so long."""

    wake_words: tuple[str, ...]
    window_ms: int


@dataclass(frozen=True, slots=True)
class HearClaim:
    """A room claims what was just heard."""

    room: str
    claim_id: str
    gives_way_to: str | None = None


class Chime(StrEnum):
    """A short sound."""

    WAKE = "wake"
    """A wake word was heard."""
    LISTENING = "listening"
    """Somebody asked the node to listen."""
    DONE = "done"
    """What was said was heard to its end."""
    ERROR = "error"
    """It came to nothing."""


@dataclass(frozen=True, slots=True)
class SoundChime:
    """Let this be heard beside whatever sounds."""

    chime: Chime


@dataclass(frozen=True, slots=True)
class ResetConversation:
    """Start the next turn without memory of the earlier ones."""


@dataclass(frozen=True, slots=True)
class ReloadSettings:
    """Read the room file again; the outcome is answered to `reply_to`."""

    reply_to: ReplyTo


@dataclass(frozen=True, slots=True)
class Examine:
    """Look at everything that the room needs; the answer to `reply_to` has what was found beside `data`."""

    data: Mapping[str, Any]
    reply_to: ReplyTo


@dataclass(frozen=True, slots=True)
class SetSpent:
    """The day's budget is spent: close the session and let no sound out; or it is whole again."""

    is_spent: bool


@dataclass(frozen=True, slots=True)
class Remember:
    """Keep this over restarts."""

    key: str
    value: bool | float | str | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Audit:
    """Write down what became of a tool call."""

    entry: Mapping[str, Any]
    """JSON; `at` is written beside it."""


Control = (
    AnswerCall
    | AnswerApproval
    | CallServer
    | StopReply
    | EndTurn
    | SayText
    | AskText
    | SetMuted
    | SetVolume
    | TuneGate
    | HearPrivately
    | OpenGate
    | ListenFor
    | HearClaim
    | SoundChime
    | ResetConversation
    | ReloadSettings
    | Examine
    | SetSpent
    | Remember
    | Audit
)
"""Closed: match it with `assert_never`."""
