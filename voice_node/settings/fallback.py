"""Who answers a room while its service cannot: `fallback`."""

from collections.abc import Callable, Iterator

from voice_node.settings.extras import is_installed
from voice_node.settings.problem import Problem
from voice_node.settings.schema import RoomSettings

NEEDED = "hassil"
"""Without it the local engine understands no sentence."""
INTENTS = "home_assistant_intents"
"""Without it a tool's `intents` are no sentences."""


def has_fallback(settings: RoomSettings, is_there: Callable[[str], bool] = is_installed) -> bool:
    """Whether the local engine stands behind the room's service."""
    return _is_wanted(settings) and _why_useless(settings, is_there) is None and is_there(NEEDED)


def find_no_fallback(settings: RoomSettings, is_there: Callable[[str], bool] = is_installed) -> Iterator[Problem]:
    """Where a fallback is set and nobody will answer: worth a warning."""
    if not _is_wanted(settings):
        return
    useless = _why_useless(settings, is_there)
    if useless is not None:
        if "provider" in settings.fallback.model_fields_set:
            yield Problem(("fallback", "provider"), f"local does nothing here: {useless}")
    elif not is_there(NEEDED):
        text = "local finds no extra `local`: nobody answers while the service is away: pip install 'voice-node[local]'"
        yield Problem(("fallback", "provider"), text)


def _is_wanted(settings: RoomSettings) -> bool:
    return settings.fallback.provider == "local" and settings.session.provider != "local"


def _why_useless(settings: RoomSettings, is_there: Callable[[str], bool]) -> str | None:
    if settings.session.type != "realtime":
        return "a session that only writes down is not answered"
    offered = [tool for tool in settings.tools if tool.works_offline]
    if not any(tool.sentences or (tool.intents and is_there(INTENTS)) for tool in offered):
        return "no tool that may be called offline has `sentences`, so nothing would be understood"
    return None
