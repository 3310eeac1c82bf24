"""The beta dialect: JSON text <-> events. OpenAI switched it off; compatible servers, such as speaches, speak it."""

from collections.abc import Mapping

from voice_node.session import events as ev
from voice_node.session import wire_common as wire

_READERS: Mapping[str, wire.Reader] = {
    **wire.COMMON,
    "response.audio.delta": wire.audio_delta,
    "response.audio.done": wire.audio_done,
    "response.audio_transcript.delta": wire.text_delta,
    "response.audio_transcript.done": wire.text_done("transcript"),
    "response.text.delta": wire.text_delta,
    "response.text.done": wire.text_done("text"),
}


def encode(event: ev.ClientEvent) -> str:
    """The JSON text of a client event."""
    if isinstance(event, ev.UpdateSession) and event.is_transcription:
        return wire.dump("transcription_session.update", event.event_id, session=event.session)
    return wire.encode_event(event, "text")


def decode(message: str | bytes) -> ev.ServerEvent:
    """The event in one WebSocket message; `Malformed` where there is none."""
    return wire.decode_event(message, _READERS)
