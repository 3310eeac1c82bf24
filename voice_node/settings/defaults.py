"""What depends on another key of the room file.

Defaults, of which the file writes nothing; and in a lenient room what the service does in place of a field that it
does not take, where the node goes by it too. A dialect that shows only when the server speaks is left to the session.
"""

from typing import Any

from voice_node.settings.schema import RoomSettings
from voice_node.settings.session_limits import is_written, settled

_XAI_MODEL = "grok-voice-latest"

ONLY_IF_ADDRESSED = (
    "You hear everything that is said in the room. Answer, and call tools, only when the words are meant for you. "
    "When people talk to each other, on the telephone, or a television talks, say nothing at all."
)
"""Added to the instructions of a room with `activation.only_if_addressed`."""


def with_dependent_defaults(settings: RoomSettings) -> RoomSettings:
    """The settings with the room's language transcribed, a model that the provider has, and what is settled by it."""
    session = settled(settings.session)
    changes: dict[str, Any] = {}
    heard = session.transcription
    if heard is not None and not is_written(session, ("transcription", "language")):
        language = settings.language.partition("-")[0].lower()
        changes["transcription"] = heard.model_copy(update={"language": language})
    if session.provider == "xai" and not is_written(session, ("model",)):
        changes["model"] = _XAI_MODEL
    if settings.activation.only_if_addressed and settings.activation.mode == "voice":
        changes["instructions"] = "\n".join(filter(None, [session.instructions, ONLY_IF_ADDRESSED]))
    return settings.model_copy(update={"session": session.model_copy(update=changes)})
