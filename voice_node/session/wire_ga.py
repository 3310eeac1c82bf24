"""The GA dialect: client events as JSON text. What is heard is read by `wire_common`."""

from voice_node.session import events as ev
from voice_node.session import wire_common as wire


def encode(event: ev.ClientEvent) -> str:
    """The JSON text of a client event."""
    return wire.encode_event(event, "output_text")
