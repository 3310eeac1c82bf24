"""The names of the Realtime API's server events (GA), and ids. Nowhere else in this folder are events built."""

import base64
import secrets
from collections.abc import Mapping
from typing import Any

from voice_node.local.refusal import Refused

Event = dict[str, Any]
"""One server event, ready for JSON."""


def new_id(prefix: str) -> str:
    """An id such as `item_8f...`."""
    return f"{prefix}_{secrets.token_hex(10)}"


def _event(kind: str, **fields: Any) -> Event:
    return {"type": kind, "event_id": new_id("event"), **fields}


def error(refused: Refused, event_id: str | None) -> Event:
    """`event_id` is the client's, of the event that was wrong."""
    detail = {
        "type": "invalid_request_error",
        "code": refused.code,
        "message": refused.message,
        "param": refused.param,
        "event_id": event_id,
    }
    return _event("error", error=detail)


def session_expired(minutes: float) -> Event:
    """The last event of a session that was open for as long as one may be."""
    message = f"Your session hit the maximum duration of {minutes:g} minutes."
    return error(Refused("session_expired", message), None)


def http_error(refused: Refused) -> dict[str, Any]:
    """The body of an answer by HTTP."""
    kind = "server_error" if refused.status >= 500 else "invalid_request_error"
    return {"error": {"message": refused.message, "type": kind, "param": refused.param, "code": refused.code}}


def session_created(session: Mapping[str, Any]) -> Event:
    return _event("session.created", session=session)


def session_updated(session: Mapping[str, Any]) -> Event:
    return _event("session.updated", session=session)


def speech_started(item_id: str, audio_start_ms: int) -> Event:
    return _event("input_audio_buffer.speech_started", item_id=item_id, audio_start_ms=audio_start_ms)


def speech_stopped(item_id: str, audio_end_ms: int) -> Event:
    return _event("input_audio_buffer.speech_stopped", item_id=item_id, audio_end_ms=audio_end_ms)


def timeout_triggered(item_id: str, audio_start_ms: int, audio_end_ms: int) -> Event:
    return _event(
        "input_audio_buffer.timeout_triggered",
        item_id=item_id,
        audio_start_ms=audio_start_ms,
        audio_end_ms=audio_end_ms,
    )


def buffer_committed(item_id: str, previous_item_id: str | None) -> Event:
    return _event("input_audio_buffer.committed", item_id=item_id, previous_item_id=previous_item_id)


def buffer_cleared() -> Event:
    return _event("input_audio_buffer.cleared")


def item_added(item: Mapping[str, Any], previous_item_id: str | None) -> Event:
    return _event("conversation.item.added", item=item, previous_item_id=previous_item_id)


def item_done(item: Mapping[str, Any], previous_item_id: str | None) -> Event:
    return _event("conversation.item.done", item=item, previous_item_id=previous_item_id)


def item_retrieved(item: Mapping[str, Any]) -> Event:
    return _event("conversation.item.retrieved", item=item)


def item_deleted(item_id: str) -> Event:
    return _event("conversation.item.deleted", item_id=item_id)


def item_truncated(item_id: str, content_index: int, audio_end_ms: int) -> Event:
    return _event(
        "conversation.item.truncated", item_id=item_id, content_index=content_index, audio_end_ms=audio_end_ms
    )


def transcription_delta(item_id: str, content_index: int, delta: str) -> Event:
    return _event(
        "conversation.item.input_audio_transcription.delta", item_id=item_id, content_index=content_index, delta=delta
    )


def transcription_completed(item_id: str, content_index: int, transcript: str, seconds: float) -> Event:
    return _event(
        "conversation.item.input_audio_transcription.completed",
        item_id=item_id,
        content_index=content_index,
        transcript=transcript,
        usage={"type": "duration", "seconds": round(seconds, 3)},
    )


def transcription_failed(item_id: str, content_index: int, code: str, message: str) -> Event:
    return _event(
        "conversation.item.input_audio_transcription.failed",
        item_id=item_id,
        content_index=content_index,
        error={"type": "server_error", "code": code, "message": message, "param": None},
    )


def rate_limits_updated(limit: int, remaining: int, reset_s: float) -> Event:
    """Of responses: in `reset_s` all are there again."""
    requests = {"name": "requests", "limit": limit, "remaining": remaining, "reset_seconds": round(reset_s, 3)}
    return _event("rate_limits.updated", rate_limits=[requests])


def response_created(response: Mapping[str, Any]) -> Event:
    return _event("response.created", response=response)


def response_done(response: Mapping[str, Any]) -> Event:
    return _event("response.done", response=response)


def output_item_added(response_id: str, output_index: int, item: Mapping[str, Any]) -> Event:
    return _event("response.output_item.added", response_id=response_id, output_index=output_index, item=item)


def output_item_done(response_id: str, output_index: int, item: Mapping[str, Any]) -> Event:
    return _event("response.output_item.done", response_id=response_id, output_index=output_index, item=item)


def no_usage() -> dict[str, Any]:
    """What a response costs here."""
    nothing = {"text_tokens": 0, "audio_tokens": 0, "image_tokens": 0}
    return {
        "total_tokens": 0,
        "input_tokens": 0,
        "output_tokens": 0,
        "input_token_details": {**nothing, "cached_tokens": 0, "cached_tokens_details": dict(nothing)},
        "output_token_details": {"text_tokens": 0, "audio_tokens": 0},
    }


class Part:
    """The events of one content part, or of one call's arguments: all carry the same place."""

    def __init__(self, response_id: str, item_id: str, output_index: int) -> None:
        self._item = {"response_id": response_id, "item_id": item_id, "output_index": output_index}
        self._place = {**self._item, "content_index": 0}

    def added(self, kind: str) -> Event:
        """`kind` is `audio` or `text`."""
        return _event("response.content_part.added", **self._place, part=_part(kind, ""))

    def done(self, kind: str, text: str) -> Event:
        return _event("response.content_part.done", **self._place, part=_part(kind, text))

    def text_delta(self, text: str) -> Event:
        return _event("response.output_text.delta", **self._place, delta=text)

    def text_done(self, text: str) -> Event:
        return _event("response.output_text.done", **self._place, text=text)

    def transcript_delta(self, text: str) -> Event:
        return _event("response.output_audio_transcript.delta", **self._place, delta=text)

    def transcript_done(self, text: str) -> Event:
        return _event("response.output_audio_transcript.done", **self._place, transcript=text)

    def audio_delta(self, pcm: bytes) -> Event:
        return _event("response.output_audio.delta", **self._place, delta=base64.b64encode(pcm).decode())

    def audio_done(self) -> Event:
        return _event("response.output_audio.done", **self._place)

    def arguments_delta(self, call_id: str, arguments: str) -> Event:
        return _event("response.function_call_arguments.delta", **self._item, call_id=call_id, delta=arguments)

    def arguments_done(self, call_id: str, name: str, arguments: str) -> Event:
        return _event(
            "response.function_call_arguments.done", **self._item, call_id=call_id, name=name, arguments=arguments
        )


def _part(kind: str, text: str) -> dict[str, str]:
    return {"type": "audio", "transcript": text} if kind == "audio" else {"type": "text", "text": text}
