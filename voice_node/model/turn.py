"""Session -> router: what became of a turn."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Transcript:
    """Words, heard or spoken. Exactly one final for each item."""

    turn_id: str
    item_id: str
    role: Literal["user", "assistant"]
    text: str
    is_final: bool
    started_at: datetime
    ended_at: datetime
    language: str | None = None
    confidence: float | None = None
    """0..1, the mean probability of the transcript's tokens, where the service tells them."""
    provider: str | None = None
    """Who heard or said it."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model asks home automation for something. Once per `call_id`."""

    turn_id: str
    call_id: str
    name: str
    arguments: str
    """JSON text as the model wrote it: unchecked."""


@dataclass(frozen=True, slots=True)
class ApprovalWanted:
    """The service asks whether it may call a tool of an MCP server itself. Once per `call_id`."""

    turn_id: str
    call_id: str
    """Of the request; the service gives the call itself another."""
    server: str
    """The server's label in `session.tools`, as the service says."""
    name: str
    """The server's own for the tool."""
    arguments: str
    """JSON text as the model wrote it: unchecked."""


class LostReason(StrEnum):
    """Why a turn came to nothing."""

    DISCONNECTED = "disconnected"
    STALE = "stale"
    EMPTY = "empty"
    """The service heard nothing in it."""
    REFUSED = "refused"
    """The service answered with an error."""
    MUTED = "muted"
    """The microphone was muted before it was sent: what was heard before a mute never leaves after it."""
    TIMEOUT = "timeout"
    """The service never finished it."""
    SPENT = "spent"
    """The day's budget is spent."""
    BUSY = "busy"
    """More is asked for in writing than can be answered in time."""


@dataclass(frozen=True, slots=True)
class TurnLost:
    """A turn that will have no answer."""

    turn_id: str
    reason: LostReason
    detail: str = ""
    """For people; no secret, no spoken word."""


@dataclass(frozen=True, slots=True)
class TokenCount:
    """Tokens of one direction by class; cached tokens are a subset of those of their class."""

    text: int = 0
    audio: int = 0
    cached_text: int = 0
    cached_audio: int = 0
    image: int = 0
    cached_image: int = 0


@dataclass(frozen=True, slots=True)
class Usage:
    """What one response or one transcription cost, as the service counts it."""

    turn_id: str | None
    model: str
    input: TokenCount = field(default_factory=TokenCount)
    output: TokenCount = field(default_factory=TokenCount)
    transcription_s: float = 0.0
    usd: float = 0.0
    """By the price table; 0 where the service costs nothing."""


class ResponseStatus(StrEnum):
    """How the model's part of a turn ended."""

    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"
    INCOMPLETE = "incomplete"
    NONE = "none"
    """The model was not asked: transcription only."""


@dataclass(frozen=True, slots=True)
class TurnFinished:
    """The last response of a turn is done and no tool call of it is open."""

    turn_id: str
    status: ResponseStatus
    detail: str = ""
    """Why, where the status is not `completed`; the service's code, such as `insufficient_quota`."""
    timings_ms: dict[str, int] = field(default_factory=dict)
    """From the end of speech to `commit`, `transcript`, `tool_call`, `first_sound`, `done`; absent: it never came."""
    conversation_id: str | None = None
    """The service's own, of the last response; None: it told none, or answered outside of the conversation."""


@dataclass(frozen=True, slots=True)
class ReplyStarted:
    """The model begins to answer."""

    turn_id: str


@dataclass(frozen=True, slots=True)
class ReplyAudio:
    """A piece of the spoken reply; goes to the speaker, never to the router."""

    turn_id: str
    item_id: str
    response_id: str
    pcm: bytes
    """Mono s16le at 24 kHz."""


@dataclass(frozen=True, slots=True)
class ReplyAudioEnded:
    """No more audio comes for this item."""

    turn_id: str
    item_id: str


@dataclass(frozen=True, slots=True)
class LinkChanged:
    """The session came up or went away."""

    is_up: bool
    detail: str = ""
    """For people: why it went, what it is."""
    is_trouble: bool = False
    """It went although it was wanted."""
    session_id: str = ""
    dialect: str = ""
    open_ms: int = 0
    """How long it took from the wish to the session that can be spoken to."""


@dataclass(frozen=True, slots=True)
class ProviderChanged:
    """From now on somebody else answers."""

    provider: str
    why: str = ""
    """For people: why the room's own service does not; empty: it does again."""


@dataclass(frozen=True, slots=True)
class ServiceTrouble:
    """The service or the server's events were wrong in a way that a person should know; the session goes on."""

    code: str
    detail: str
    turn_id: str | None = None


@dataclass(frozen=True, slots=True)
class SpeechChanged:
    """The gate opened or closed."""

    turn_id: str
    is_open: bool
    duration_ms: int = 0
    voiced_ms: int = 0
    snr_db: float = 0.0
    is_kept: bool = True


@dataclass(frozen=True, slots=True)
class AttentionChanged:
    """A window began or ended in which the node attends, in a room that does not always."""

    is_open: bool
    wake_word: str | None = None
    """It opened the window."""


@dataclass(frozen=True, slots=True)
class ClaimMade:
    """This room is about to answer, or goes on: rooms that heard the same words are to know before it does."""

    claim_id: str
    gives_way_to: str | None = None
    """The room that may have the turn instead, where it wants it."""


@dataclass(frozen=True, slots=True)
class TurnYielded:
    """Another room answers what was heard here too: nothing of it was sent."""

    to: str
    """Its id."""
    turn_id: str | None = None
    """None: it was a wake word."""


@dataclass(frozen=True, slots=True)
class NumberHeard:
    """What the recogniser of this device made of a private segment. It was sent nowhere."""

    turn_id: str
    digits: str = field(repr=False)
    """Empty: no number was understood."""


@dataclass(frozen=True, slots=True)
class StopTaken:
    """The session has a stop that the router ordered: calls that it told before are of turns that are stopped."""


@dataclass(frozen=True, slots=True)
class CaptureChanged:
    """The sound source opened, was lost or was opened again."""

    is_open: bool
    device: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class PlaybackChanged:
    """The speaker began to sound, or fell silent (its tail included)."""

    is_speaking: bool


@dataclass(frozen=True, slots=True)
class MuteChanged:
    """The microphone device is closed because of a mute, or may be open again."""

    is_muted: bool


@dataclass(frozen=True, slots=True)
class SoundCounted:
    """A minute has passed: so much sound was captured in it, and so the process is."""

    captured_s: float
    health: Mapping[str, Any] = field(default_factory=dict)


Outcome = (
    Transcript
    | ToolCall
    | ApprovalWanted
    | TurnFinished
    | TurnLost
    | ReplyStarted
    | Usage
    | LinkChanged
    | ProviderChanged
    | ServiceTrouble
    | SpeechChanged
    | AttentionChanged
    | ClaimMade
    | TurnYielded
    | NumberHeard
    | StopTaken
    | CaptureChanged
    | PlaybackChanged
    | MuteChanged
    | SoundCounted
)
"""Closed: match it with `assert_never`."""
