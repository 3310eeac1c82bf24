"""Who answers a room while its service cannot: `fallback`."""

from collections.abc import Callable, Iterator

from voice_node.settings.extras import is_installed
from voice_node.settings.problem import Problem
from voice_node.settings.schema import RoomSettings

NEEDED = "hassil"
"""Without it the local engine understands no sentence."""


def has_fallback(settings: RoomSettings, is_there: Callable[[str], bool] = is_installed) -> bool:
    """Whether the local engine stands behind the room's service."""
    return _is_wanted(settings) and _why_useless(settings) is None and is_there(NEEDED)


def find_no_fallback(settings: RoomSettings, is_there: Callable[[str], bool] = is_installed) -> Iterator[Problem]:
    """Where a fallback is set and nobody will answer: worth a warning."""
    if not _is_wanted(settings):
        return
    useless = _why_useless(settings)
    if useless is not None:
        if "provider" in settings.fallback.model_fields_set:
            yield Problem(("fallback", "provider"), f"local does nothing here: {useless}")
    elif not is_there(NEEDED):
        text = "local finds no extra `local`: nobody answers while the service is away: pip install 'voice-node[local]'"
        yield Problem(("fallback", "provider"), text)


def _is_wanted(settings: RoomSettings) -> bool:
    return settings.fallback.provider == "local" and settings.session.provider != "local"


def _why_useless(settings: RoomSettings) -> str | None:
    if settings.session.type != "realtime":
        return "a session that only writes down is not answered"
    if not any(tool.sentences and tool.works_offline for tool in settings.tools):
        return "no tool that may be called offline has `sentences`, so nothing would be understood"
    return None
