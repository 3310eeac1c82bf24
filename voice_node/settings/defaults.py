"""Defaults that depend on another key of the room file. What the file writes, null too, stays as it is."""

from typing import Any

from voice_node.settings.schema import RoomSettings
from voice_node.settings.session_limits import is_written

_XAI_MODEL = "grok-voice-latest"


def with_dependent_defaults(settings: RoomSettings) -> RoomSettings:
    """The settings with the room's language transcribed, and with a model that the provider has."""
    session = settings.session
    changes: dict[str, Any] = {}
    heard = session.transcription
    if heard is not None and not is_written(session, ("transcription", "language")):
        language = settings.language.partition("-")[0].lower()
        changes["transcription"] = heard.model_copy(update={"language": language})
    if session.provider == "xai" and not is_written(session, ("model",)):
        changes["model"] = _XAI_MODEL
    return settings.model_copy(update={"session": session.model_copy(update=changes)}) if changes else settings
