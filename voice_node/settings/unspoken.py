"""Tools that the local engine never calls, because nothing that is said means them."""

from collections.abc import Callable, Iterator

from voice_node.settings.extras import is_installed
from voice_node.settings.fallback import has_fallback
from voice_node.settings.schema import RoomSettings


def unspoken_tools(settings: RoomSettings, is_there: Callable[[str], bool] = is_installed) -> Iterator[str]:
    """What to warn of, one line each; a tool that the engine may not call, or that has `intents`, is none of them."""
    offered = [tool for tool in settings.tools if tool.works_offline]
    silent = [tool.name for tool in offered if not tool.sentences and not tool.intents]
    if settings.session.provider == "local":
        for name in silent:
            yield f"tools[{name}]: has no `sentences`: the local engine understands nothing else, and never calls it"
        if len(silent) == len(offered):
            yield "tools: no tool has a sentence: the local engine understands nothing"
    elif silent and has_fallback(settings, is_there):
        names = ", ".join(silent)
        text = f"without `sentences`, not there while the service is away (`offline: false` if so meant): {names}"
        yield f"fallback: {text}"
