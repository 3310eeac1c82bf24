"""What depends on another key of the room file.

Defaults, of which the file writes nothing; and in a lenient room what the service does in place of a field that it
does not take, where the node goes by it too. A dialect that shows only when the server speaks is left to the session.
"""

from typing import Any

from voice_node.settings.schema import RoomSettings
from voice_node.settings.session_limits import is_written, settled

_XAI_MODEL = "grok-voice-latest"


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
    return settings.model_copy(update={"session": session.model_copy(update=changes)})
