"""pocketsphinx hears English alone; in other languages the offline engine takes what is typed."""

from collections.abc import Iterator

from voice_node.settings.problem import Problem
from voice_node.settings.schema import RoomSettings


def find_unheard_language(settings: RoomSettings) -> Iterator[Problem]:
    """The language of a room that the offline engine will not hear: worth a warning."""
    language = settings.language
    if language.split("-")[0].lower() == "en" or settings.local.recogniser != "pocketsphinx":
        return
    text = f"{language}: the offline engine (%s) hears English only: %s"
    if settings.session.provider == "local":
        yield Problem(("language",), text % ("session.provider: local", "other languages need a Realtime service"))
    elif settings.fallback.provider == "local" and "provider" in settings.fallback.model_fields_set:
        yield Problem(("language",), text % ("fallback.provider: local", "without the service nobody understands"))
