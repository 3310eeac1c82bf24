"""The Realtime events that the node sends and acts on, the same for every dialect. `wire_*` knows their JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from voice_node.model.turn import ResponseStatus, TokenCount

# --- client -> server ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class UpdateSession:
    """Configure the session; `session` is built by `setup` for the dialect in use."""

    event_id: str
    session: Mapping[str, Any]
    is_transcription: bool = False
    """No model speaks."""


@dataclass(frozen=True, slots=True)
class AppendAudio:
    """More of what is being said. Never acknowledged by the server."""

    pcm: bytes
    """In the session's input format."""


@dataclass(frozen=True, slots=True)
class CommitAudio:
    """What was appended is one user message."""

    event_id: str


@dataclass(frozen=True, slots=True)
class ClearAudio:
    """Forget what was appended since the last commit."""

    event_id: str


@dataclass(frozen=True, slots=True)
class CreateText:
    """A message of text in the conversation."""

    event_id: str
    item_id: str
    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True)
class CreateCallOutput:
    """The one output of a function call."""

    event_id: str
    item_id: str
    call_id: str
    output: str


@dataclass(frozen=True, slots=True)
class CreateApproval:
    """The one answer to the service's question whether it may call a tool of an MCP server."""

    event_id: str
    item_id: str
    request_id: str
    is_approved: bool
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class TruncateItem:
    """Cut an assistant's audio message to what was really heard."""

    event_id: str
    item_id: str
    audio_end_ms: int


@dataclass(frozen=True, slots=True)
class DeleteItem:
    """Take a message out of the conversation."""

    event_id: str
    item_id: str


@dataclass(frozen=True, slots=True)
class CreateResponse:
    """Ask the model to answer the conversation."""

    event_id: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    instructions: str | None = None


@dataclass(frozen=True, slots=True)
class CreateAnnouncement:
    """Ask the model to speak `text`, outside of the conversation."""

    event_id: str
    text: str
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CancelResponse:
    """Stop the response under way."""

    event_id: str
    response_id: str | None = None


ClientEvent = (
    UpdateSession
    | AppendAudio
    | CommitAudio
    | ClearAudio
    | CreateText
    | CreateCallOutput
    | CreateApproval
    | TruncateItem
    | DeleteItem
    | CreateResponse
    | CreateAnnouncement
    | CancelResponse
)
"""Closed: match it with `assert_never`."""

# --- server -> client ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SessionCreated:
    """The server's first word: the session as it stands before it is configured."""

    session_id: str
    expires_at: float | None
    session: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SessionUpdated:
    """The configuration that is in force now."""

    session: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AudioCommitted:
    """The appended audio became this user message."""

    item_id: str


@dataclass(frozen=True, slots=True)
class ServerSpeechStarted:
    """The server's own detector heard speech begin, in what will be this item."""

    item_id: str


@dataclass(frozen=True, slots=True)
class ServerSpeechStopped:
    """The server's own detector heard speech end; a commit follows."""

    item_id: str


@dataclass(frozen=True, slots=True)
class ServiceActs:
    """The service itself is about to call a tool of an MCP server, or calls it."""

    call_id: str = ""
    response_id: str = ""
    """Empty where it is not told."""


@dataclass(frozen=True, slots=True)
class ServiceActed:
    """Such a call is over."""

    call_id: str
    is_ok: bool = True


@dataclass(frozen=True, slots=True)
class ToolsUnlisted:
    """The service could not read which tools an MCP server has."""


@dataclass(frozen=True, slots=True)
class TranscriptDelta:
    """More of what was heard."""

    item_id: str
    delta: str


@dataclass(frozen=True, slots=True)
class TranscriptDone:
    """What was heard, whole."""

    item_id: str
    text: str
    language: str | None = None
    confidence: float | None = None
    usage_input: TokenCount = field(default_factory=TokenCount)
    usage_output: TokenCount = field(default_factory=TokenCount)
    usage_s: float = 0.0


@dataclass(frozen=True, slots=True)
class TranscriptFailed:
    """The server could not write down what it heard."""

    item_id: str
    code: str


@dataclass(frozen=True, slots=True)
class ResponseCreated:
    """The model begins."""

    response_id: str
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A finished call of a function."""

    call_id: str
    name: str
    arguments: str
    """JSON text, unchecked."""


@dataclass(frozen=True, slots=True)
class CallDone:
    """One call of a response is complete; announced again in the response's `ResponseDone`."""

    response_id: str
    call: FunctionCall


@dataclass(frozen=True, slots=True)
class ApprovalRequest:
    """The service asks whether it may call a tool of an MCP server."""

    request_id: str
    server: str
    """Its label."""
    name: str
    arguments: str
    """JSON text, unchecked."""


@dataclass(frozen=True, slots=True)
class ApprovalAsked:
    """A request for the conversation; servers announce it up to three times."""

    response_id: str
    """Empty where it is not told."""
    request: ApprovalRequest


@dataclass(frozen=True, slots=True)
class ReplyAudioDelta:
    """More of the spoken reply."""

    response_id: str
    item_id: str
    pcm: bytes
    """In the session's output format."""


@dataclass(frozen=True, slots=True)
class ReplyAudioDone:
    """This item's audio is complete."""

    response_id: str
    item_id: str


@dataclass(frozen=True, slots=True)
class ReplyTextDelta:
    """More of the reply's words, written or spoken."""

    response_id: str
    item_id: str
    delta: str


@dataclass(frozen=True, slots=True)
class ReplyTextDone:
    """The reply's words in one item, whole."""

    response_id: str
    item_id: str
    text: str


@dataclass(frozen=True, slots=True)
class ReplyMessage:
    """A message among the output of a finished response."""

    item_id: str
    text: str


@dataclass(frozen=True, slots=True)
class ResponseDone:
    """The model ended; failures are told here, not by `ServerError`."""

    response_id: str
    status: ResponseStatus
    detail: str = ""
    """Why, where the status is not `completed`: the service's code or reason."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    calls: tuple[FunctionCall, ...] = ()
    messages: tuple[ReplyMessage, ...] = ()
    usage_input: TokenCount = field(default_factory=TokenCount)
    usage_output: TokenCount = field(default_factory=TokenCount)
    item_ids: tuple[str, ...] = ()
    """Of all items that it left in the conversation."""
    conversation_id: str | None = None
    """None: outside of the conversation, or not told."""
    approvals: tuple[ApprovalRequest, ...] = ()


@dataclass(frozen=True, slots=True)
class ServerError:
    """Something that the client sent, or the server itself, was wrong; most leave the session open."""

    code: str
    """The `code`, or the `type` where there is none."""
    message: str
    event_id: str | None = None
    """Of the client event that it answers."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """An event that the node does not act on."""

    type: str


@dataclass(frozen=True, slots=True)
class Malformed:
    """What could not be read as an event; it is counted and ignored."""

    detail: str
    """Names the type and the field, never a value."""


ServerEvent = (
    SessionCreated
    | SessionUpdated
    | AudioCommitted
    | ServerSpeechStarted
    | ServerSpeechStopped
    | ServiceActs
    | ServiceActed
    | ToolsUnlisted
    | ApprovalAsked
    | TranscriptDelta
    | TranscriptDone
    | TranscriptFailed
    | ResponseCreated
    | CallDone
    | ReplyAudioDelta
    | ReplyAudioDone
    | ReplyTextDelta
    | ReplyTextDone
    | ResponseDone
    | ServerError
    | Ignored
    | Malformed
)
"""Closed: match it with `assert_never`."""
