"""The GA dialect: JSON text <-> events. What only GA says stands here, the rest in `wire_common`."""

from collections.abc import Mapping

from voice_node.session import events as ev
from voice_node.session import wire_common as wire

_READERS: Mapping[str, wire.Reader] = {
    **wire.COMMON,
    "response.output_audio.delta": wire.audio_delta,
    "response.output_audio.done": wire.audio_done,
    "response.output_audio_transcript.delta": wire.text_delta,
    "response.output_audio_transcript.done": wire.text_done("transcript"),
    "response.output_text.delta": wire.text_delta,
    "response.output_text.done": wire.text_done("text"),
    # xAI speaks GA with the beta names of written replies.
    "response.text.delta": wire.text_delta,
    "response.text.done": wire.text_done("text"),
}


def encode(event: ev.ClientEvent) -> str:
    """The JSON text of a client event."""
    return wire.encode_event(event, "output_text")


def decode(message: str | bytes) -> ev.ServerEvent:
    """The event in one WebSocket message; `Malformed` where there is none."""
    return wire.decode_event(message, _READERS)
