"""What the two dialects have in common: the events that are sent, and all that is heard.

Source: OpenAI's Realtime reference and SDK 3.51.0. Unknown types are `Ignored`, what cannot be read is `Malformed`:
a server's mistake is a value, never an exception.
"""

import binascii
import contextlib
import json
import math
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar, assert_never

from voice_node.model.turn import ResponseStatus, TokenCount
from voice_node.session import events as ev
from voice_node.session import reading as read

T = TypeVar("T")
Reader = Callable[[Mapping[str, Any]], ev.ServerEvent]
LONGEST_CODE = 64
LONGEST_MESSAGE = 4096
MOST_OUTPUT = 192
"""Items of one response that are read; a tenth of that is much."""

_STATUS = {
    "completed": ResponseStatus.COMPLETED,
    "cancelled": ResponseStatus.CANCELLED,
    "failed": ResponseStatus.FAILED,
    "incomplete": ResponseStatus.INCOMPLETE,
}


def encode_event(event: ev.ClientEvent, assistant_text: str) -> str:
    """The JSON text of a client event; `assistant_text` is the dialect's word for an assistant's text."""
    match event:
        case ev.AppendAudio(pcm):  # 50 times a second: no JSON machinery, base64 needs no escaping
            return '{"type":"input_audio_buffer.append","audio":"' + b64encode(pcm).decode("ascii") + '"}'
        case ev.UpdateSession(event_id, session, _):
            return dump("session.update", event_id, session=session)
        case ev.CommitAudio(event_id):
            return dump("input_audio_buffer.commit", event_id)
        case ev.ClearAudio(event_id):
            return dump("input_audio_buffer.clear", event_id)
        case ev.CreateText(event_id, item_id, role, text):
            content = {"type": "input_text" if role == "user" else assistant_text, "text": text}
            item = {"id": item_id, "type": "message", "role": role, "content": [content]}
            return dump("conversation.item.create", event_id, item=item)
        case ev.CreateCallOutput(event_id, item_id, call_id, output):
            item = {"id": item_id, "type": "function_call_output", "call_id": call_id, "output": output}
            return dump("conversation.item.create", event_id, item=item)
        case ev.CreateApproval(event_id, item_id, request_id, is_approved, reason):
            item = {"id": item_id, "type": "mcp_approval_response", "approval_request_id": request_id}
            why = {} if reason is None else {"reason": reason}
            return dump("conversation.item.create", event_id, item=item | {"approve": is_approved} | why)
        case ev.TruncateItem(event_id, item_id, audio_end_ms):
            return dump(
                "conversation.item.truncate", event_id, item_id=item_id, content_index=0, audio_end_ms=audio_end_ms
            )
        case ev.DeleteItem(event_id, item_id):
            return dump("conversation.item.delete", event_id, item_id=item_id)
        case ev.CreateResponse(event_id, metadata, instructions):
            response: dict[str, Any] = {"metadata": dict(metadata)}
            if instructions is not None:
                response["instructions"] = instructions
            return dump("response.create", event_id, response=response)
        case ev.CreateAnnouncement(event_id, text, metadata):
            message = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
            response = {
                "conversation": "none",
                "metadata": dict(metadata),
                "input": [message],
                "instructions": "Speak the user's text aloud, word for word, in its own language. Add nothing.",
                "tools": [],
            }
            return dump("response.create", event_id, response=response)
        case ev.CancelResponse(event_id, response_id):
            named = {} if response_id is None else {"response_id": response_id}
            return dump("response.cancel", event_id, **named)
        case _:
            assert_never(event)


def decode(message: str | bytes) -> ev.ServerEvent:
    """The event in one WebSocket message of either dialect; `Malformed` where there is none."""
    try:
        source = json.loads(message)
    except RecursionError:
        return ev.Malformed("nested too deeply")
    except ValueError as error:  # JSON, UTF-8 and a number of too many digits
        return ev.Malformed(f"not JSON: {type(error).__name__}")
    if not isinstance(source, dict) or not isinstance(source.get("type"), str):
        return ev.Malformed("no object with a type")
    event_type: str = source["type"]
    reader = _READERS.get(event_type)
    if reader is None:
        return ev.Ignored(event_type[:64])
    try:
        return reader(source)
    except read.Unreadable as error:
        return ev.Malformed(f"{event_type}: {error}")


def dump(event_type: str, event_id: str, **fields: Any) -> str:
    """The JSON text of an event with these fields."""
    return json.dumps({"type": event_type, "event_id": event_id, **fields}, allow_nan=False)


def _session_created(source: Mapping[str, Any]) -> ev.ServerEvent:
    session = read.mapping(source, "session")
    expires_at = read.number_or(session, "expires_at", 0)
    return ev.SessionCreated(read.name_or(session, "id", ""), expires_at or None, session)


def _transcript_done(source: Mapping[str, Any]) -> ev.ServerEvent:
    usage = read.mapping_or_empty(source, "usage")
    codes = [_code(entry, "code") for entry in read.mappings(source, "languages")]
    return ev.TranscriptDone(
        item_id=read.name_or(source, "item_id", ""),
        text=read.text_or(source, "transcript", ""),
        language=next((code for code in codes if code), None),
        confidence=_confidence(read.mappings(source, "logprobs")),
        usage_input=_tokens(read.mapping_or_empty(usage, "input_token_details"), read.count(usage, "input_tokens")),
        usage_output=TokenCount(text=read.count(usage, "output_tokens")),
        usage_s=max(0.0, read.number_or(usage, "seconds", 0.0)),
    )


def _code(source: Mapping[str, Any], key: str) -> str:
    """One of the service's words for a kind of thing; it goes into names and counts, so it stays short."""
    return read.text_or(source, key, "")[:LONGEST_CODE]


def _confidence(logprobs: list[Mapping[str, Any]]) -> float | None:
    values = [read.number_or(entry, "logprob", 0.0) for entry in logprobs]
    if not values:
        return None
    return round(math.exp(min(0.0, sum(values) / len(values))), 3)


def _audio_delta(source: Mapping[str, Any]) -> ev.ServerEvent:
    """More audio of an item."""
    try:
        pcm = b64decode(read.text(source, "delta"), validate=True)
    except (binascii.Error, ValueError):
        raise read.Unreadable("delta is not base64") from None
    return ev.ReplyAudioDelta(read.name(source, "response_id"), read.name_or(source, "item_id", ""), pcm)


def _audio_done(source: Mapping[str, Any]) -> ev.ServerEvent:
    """The end of an item's audio."""
    return ev.ReplyAudioDone(read.name(source, "response_id"), read.name_or(source, "item_id", ""))


def _text_done(key: str) -> Callable[[Mapping[str, Any]], ev.ServerEvent]:
    """All words of an item, which stand at `key`."""
    return lambda source: ev.ReplyTextDone(
        read.name(source, "response_id"), read.name_or(source, "item_id", ""), read.text_or(source, key, "")
    )


def _text_delta(source: Mapping[str, Any]) -> ev.ServerEvent:
    """More words of an item."""
    return ev.ReplyTextDelta(
        read.name(source, "response_id"), read.name_or(source, "item_id", ""), read.text_or(source, "delta", "")
    )


def _item_done(source: Mapping[str, Any]) -> ev.ServerEvent:
    item = read.mapping(source, "item")
    call = _function_call(item)
    if call is None:
        return _of_service(item, read.name_or(source, "response_id", "")) or ev.Ignored("response.output_item.done")
    return ev.CallDone(read.name(source, "response_id"), call)


def _conversation_item_done(source: Mapping[str, Any]) -> ev.ServerEvent:
    return _of_service(read.mapping(source, "item"), "") or ev.Ignored("conversation.item.done")


def _of_service(item: Mapping[str, Any], response_id: str) -> ev.ServerEvent | None:
    """What an item says of the MCP tools that the service calls itself."""
    if item.get("type") == "mcp_call":
        return ev.ServiceActed(read.name(item, "id"), is_ok=not item.get("error"))
    request = _approval_request(item)
    return None if request is None else ev.ApprovalAsked(response_id, request)


def _approval_request(item: Mapping[str, Any]) -> ev.ApprovalRequest | None:
    if item.get("type") != "mcp_approval_request":
        return None
    arguments = "{}" if item.get("arguments") is None else read.text(item, "arguments") or "{}"
    return ev.ApprovalRequest(
        read.name(item, "id"), read.name(item, "server_label"), read.name(item, "name"), arguments
    )


def _service_acts(source: Mapping[str, Any]) -> ev.ServerEvent:
    return ev.ServiceActs(read.name_or(source, "item_id", ""), read.name_or(source, "response_id", ""))


def _function_call(item: Mapping[str, Any]) -> ev.FunctionCall | None:
    """A call. What of it cannot be read becomes what no tool takes, so that the model is told: it waits for that."""
    if item.get("type") != "function_call" or item.get("status", "completed") != "completed":
        return None  # cut off in the middle: its arguments may be half a JSON
    arguments = "{}" if item.get("arguments") is None else read.text_or(item, "arguments", "null") or "{}"
    return ev.FunctionCall(read.name(item, "call_id"), read.text_or(item, "name", "")[: read.LONGEST_ID], arguments)


def _each(reader: Callable[[Mapping[str, Any]], T | None], items: Iterable[Mapping[str, Any]]) -> Iterator[T]:
    """What can be read of these; an item that cannot be read must not hide that its response is over."""
    for item in items:
        with contextlib.suppress(read.Unreadable):
            if (value := reader(item)) is not None:
                yield value


def _response_done(source: Mapping[str, Any]) -> ev.ServerEvent:
    response = read.mapping(source, "response")
    status = _STATUS.get(read.text_or(response, "status", ""))
    details = read.mapping_or_empty(response, "status_details")
    error = read.mapping_or_empty(details, "error")
    detail = _code(error, "code") or _code(error, "type") or _code(details, "reason")
    if status is None:  # it is over all the same
        status, detail = ResponseStatus.FAILED, detail or "unknown_status"
    output = read.mappings(response, "output")[:MOST_OUTPUT]
    usage = read.mapping_or_empty(response, "usage")
    return ev.ResponseDone(
        response_id=read.name_or(response, "id", ""),
        status=status,
        detail=detail,
        metadata=read.texts(response, "metadata"),
        conversation_id=next(_each(lambda source: read.name_or(source, "conversation_id", ""), [response]), "") or None,
        calls=tuple(_each(_function_call, output)) if status is ResponseStatus.COMPLETED else (),
        approvals=tuple(_each(_approval_request, output)) if status is ResponseStatus.COMPLETED else (),
        item_ids=tuple(filter(None, _each(lambda item: read.name_or(item, "id", ""), output))),
        messages=tuple(_each(_message, (item for item in output if item.get("type") == "message"))),
        usage_input=_tokens(read.mapping_or_empty(usage, "input_token_details"), read.count(usage, "input_tokens")),
        usage_output=_tokens(read.mapping_or_empty(usage, "output_token_details"), read.count(usage, "output_tokens")),
    )


def _message(item: Mapping[str, Any]) -> ev.ReplyMessage:
    parts = [
        read.text_or(part, "transcript", "") or read.text_or(part, "text", "")
        for part in read.mappings(item, "content")
    ]
    return ev.ReplyMessage(read.name_or(item, "id", ""), "".join(parts))


def _tokens(details: Mapping[str, Any], total: int) -> TokenCount:
    """Tokens by class; a server that tells only the total is counted as text."""
    text, audio = read.count(details, "text_tokens"), read.count(details, "audio_tokens")
    if not text and not audio:
        text = total
    cached = read.mapping_or_empty(details, "cached_tokens_details")
    return TokenCount(
        text,
        audio,
        read.count(cached, "text_tokens"),
        read.count(cached, "audio_tokens"),
        read.count(details, "image_tokens"),
        read.count(cached, "image_tokens"),
    )


def _error(source: Mapping[str, Any]) -> ev.ServerEvent:
    error = read.mapping(source, "error")
    code = _code(error, "code") or _code(error, "type") or "unknown"
    message = read.text_or(error, "message", "")[:LONGEST_MESSAGE]
    return ev.ServerError(code, message, read.name_or(error, "event_id", "") or None)


_READERS: Mapping[str, Reader] = {
    "session.created": _session_created,
    "session.updated": lambda source: ev.SessionUpdated(read.mapping(source, "session")),
    # Beta alone, but it may be the first event of a server whose dialect is not known yet.
    "transcription_session.created": _session_created,
    "transcription_session.updated": lambda source: ev.SessionUpdated(read.mapping(source, "session")),
    "input_audio_buffer.committed": lambda source: ev.AudioCommitted(read.name_or(source, "item_id", "")),
    "conversation.item.input_audio_transcription.delta": lambda source: ev.TranscriptDelta(
        read.name_or(source, "item_id", ""), read.text_or(source, "delta", "")
    ),
    "conversation.item.input_audio_transcription.completed": _transcript_done,
    "conversation.item.input_audio_transcription.failed": lambda source: ev.TranscriptFailed(
        read.name_or(source, "item_id", ""), _code(read.mapping_or_empty(source, "error"), "code") or "unknown"
    ),
    "response.created": lambda source: ev.ResponseCreated(
        read.name(read.mapping(source, "response"), "id"), read.texts(read.mapping(source, "response"), "metadata")
    ),
    "response.output_item.done": _item_done,
    "response.done": _response_done,
    "error": _error,
    "input_audio_buffer.speech_started": lambda source: ev.ServerSpeechStarted(read.name_or(source, "item_id", "")),
    "input_audio_buffer.speech_stopped": lambda source: ev.ServerSpeechStopped(read.name_or(source, "item_id", "")),
    # What the service does itself. An approval is an item of the conversation, of the response, or both.
    "conversation.item.done": _conversation_item_done,
    "mcp_list_tools.failed": lambda _: ev.ToolsUnlisted(),
    "response.mcp_call_arguments.done": _service_acts,
    "response.mcp_call.in_progress": _service_acts,
    "response.mcp_call.completed": lambda source: ev.ServiceActed(read.name_or(source, "item_id", "")),
    "response.mcp_call.failed": lambda source: ev.ServiceActed(read.name_or(source, "item_id", ""), is_ok=False),
    # GA's names of what is spoken and written,
    "response.output_audio.delta": _audio_delta,
    "response.output_audio.done": _audio_done,
    "response.output_audio_transcript.delta": _text_delta,
    "response.output_audio_transcript.done": _text_done("transcript"),
    "response.output_text.delta": _text_delta,
    "response.output_text.done": _text_done("text"),
    # and beta's. xAI speaks GA with some of these, and the published beta schemas have GA's.
    "response.audio.delta": _audio_delta,
    "response.audio.done": _audio_done,
    "response.audio_transcript.delta": _text_delta,
    "response.audio_transcript.done": _text_done("transcript"),
    "response.text.delta": _text_delta,
    "response.text.done": _text_done("text"),
}
"""Of both dialects: no name means two things, and servers mix them."""
