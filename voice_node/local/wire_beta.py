"""The beta dialect, as a translation of GA's: other names of events, a flat session, other names of content.

Azure's client ends at the first type that it does not know: nothing is sent that the first beta had not. So the text of
speech comes whole, without deltas, and nothing is said of a time-out but what follows from it. That client needs the
`name` in `response.function_call_arguments.done`, which the published beta has not.
"""

from collections.abc import Mapping
from typing import Any

from voice_node.local.flat_session import (
    TEMPERATURE,
    in_flat_words,
    read_flat,
    read_flat_response,
    read_flat_transcription,
    write_flat,
    write_flat_response,
)
from voice_node.local.refusal import Refused
from voice_node.local.wire import Event

_RENAMED = {
    "conversation.item.added": "conversation.item.created",
    "response.output_text.delta": "response.text.delta",
    "response.output_text.done": "response.text.done",
    "response.output_audio.delta": "response.audio.delta",
    "response.output_audio.done": "response.audio.done",
    "response.output_audio_transcript.delta": "response.audio_transcript.delta",
    "response.output_audio_transcript.done": "response.audio_transcript.done",
}
_UNKNOWN = frozenset(
    {
        "conversation.item.done",
        "conversation.item.input_audio_transcription.delta",
        "input_audio_buffer.timeout_triggered",
    }
)
_CONTENT = {"output_text": "text", "output_audio": "audio"}
_IGNORED = frozenset({"client_secret", "id", "object", "expires_at"})
"""Of a session: what clients send back that they were told."""


class Beta:
    """One connection's: it remembers the temperature, which GA has no place for."""

    def __init__(self) -> None:
        self._temperature: float = TEMPERATURE
        self._asked: float | None = None
        """What an update asks for that is not obeyed yet."""

    def read(self, event: dict[str, Any]) -> dict[str, Any]:
        """The GA event that a client means. Raises Refused."""
        match event:
            case {"type": "session.update", "session": dict(flat)}:
                return {**event, "session": self._read_session(flat)}
            case {"type": "transcription_session.update", "session": dict(flat)}:
                wanted = {name: value for name, value in flat.items() if name not in _IGNORED}
                return {**event, "type": "session.update", "session": _read(read_flat_transcription, wanted)}
            case {"type": "response.create", "response": dict(flat)}:
                return {**event, "response": _read(read_flat_response, flat, "response.")}
            case _:
                return event

    def write(self, event: Event) -> Event | None:
        """What the client is told; None: nothing."""
        kind: str = event["type"]
        if kind == "session.updated" and self._asked is not None:
            self._temperature, self._asked = self._asked, None
        if kind in _UNKNOWN:
            return None
        told = {**event, "type": _RENAMED.get(kind, kind)}
        match told:
            case {"session": session}:
                told["session"] = write_flat(session, self._temperature)
                if session["type"] == "transcription" and kind == "session.updated":
                    # the published shape has a secret there, whether there is one or not
                    nothing = {"value": "", "expires_at": session.get("expires_at", 0)}
                    told["type"], told["session"]["client_secret"] = "transcription_session.updated", nothing
            case {"response": response}:
                told["response"] = write_flat_response(response, self._temperature)
                told["response"]["output"] = [_item(item) for item in response["output"]]
                told["response"]["usage"] = _usage(response["usage"])
            case {"item": item}:
                told["item"] = _item(item)
        return told

    def refused(self, refused: Refused) -> Refused:
        """A refusal of a GA event, in the client's words."""
        self._asked = None
        group = (refused.param or "").partition(".")[0]
        return in_flat_words(refused, f"{group}.")

    def _read_session(self, flat: Mapping[str, Any]) -> dict[str, Any]:
        wanted = {name: value for name, value in flat.items() if name not in _IGNORED}
        session = _read(read_flat, wanted)
        self._asked = wanted.get("temperature")
        return session


def _read(read: Any, flat: Mapping[str, Any], prefix: str = "session.") -> dict[str, Any]:
    """With errors that name the whole place."""
    try:
        value: dict[str, Any] = read(flat)
    except Refused as refused:
        param = prefix + (refused.param or "")
        message = refused.message.replace(f"'{refused.param}'", f"'{param}'")
        raise Refused(refused.code, message, param) from None
    return value


def _item(item: Mapping[str, Any]) -> dict[str, Any]:
    if "content" not in item:
        return dict(item)
    parts = [{**part, "type": _CONTENT.get(part["type"], part["type"])} for part in item["content"]]
    return {**item, "content": parts}


def _usage(usage: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if usage is None:
        return None
    heard = {name: usage["input_token_details"][name] for name in ("text_tokens", "audio_tokens", "cached_tokens")}
    return {**usage, "input_token_details": heard}
