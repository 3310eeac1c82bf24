"""The beta dialect: client events as JSON text. OpenAI switched it off; servers such as speaches speak it.

What is heard is read by `wire_common`.
"""

from voice_node.session import events as ev
from voice_node.session import wire_common as wire


def encode(event: ev.ClientEvent) -> str:
    """The JSON text of a client event."""
    if isinstance(event, ev.UpdateSession) and event.is_transcription:
        return wire.dump("transcription_session.update", event.event_id, session=event.session)
    return wire.encode_event(event, "text")
