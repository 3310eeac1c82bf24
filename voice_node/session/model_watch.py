"""While a room runs, its service is asked for its models: soon after the start, and once a day from then on.

Rules

1. It is asked by a process of its own that ends with the answer: HTTP would cost the room several MB for years. That
   process gets the key by a pipe, and of the environment only what HTTP and Python need.
2. What is found is told once: again after a restart, or when it was gone in between.
3. No answer is no trouble: services of one's own need not have the list. It is asked for again after ten minutes, then
   after six times as long, and so on until it is a day.
"""

import asyncio
import json
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from voice_node.runtime.child import end
from voice_node.session.models import named_models
from voice_node.settings.session import AuthUrl, SessionSettings

log = logging.getLogger(__name__)

COMMAND = (sys.executable, "-m", "voice_node.session.model_question")
SETTLE_S = 3.0
"""After the start, which needs the processor itself."""
DAY_S = 86_400.0
AGAIN_S = 600.0
LONGEST_S = 40.0
"""The service has 10 s, and a Pi needs some to load what asks it."""
_NEEDED = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR")
_NEEDED_KINDS = ("PYTHON", "LC_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Nothing was found out."""

    detail: str
    """Why, for people; no secret."""


class ModelWatch:
    """Outlives nodes: a reload tells nothing twice."""

    def __init__(self, command: Sequence[str] = COMMAND, *, settle_s: float = SETTLE_S, day_s: float = DAY_S) -> None:
        self._command = tuple(command)
        self._settle_s = settle_s
        self._day_s = day_s
        self._told: frozenset[str] = frozenset()

    async def run(self, settings: SessionSettings, key: str | None, tell: Callable[[str], Awaitable[None]]) -> None:
        """Ask until cancelled; `tell` gets each finding, a line for people. Returns where there is nothing to ask."""
        if not any(named_models(settings)) or isinstance(settings.auth, AuthUrl):
            return
        await asyncio.sleep(self._settle_s)
        again_s = AGAIN_S
        while True:
            match await ask(settings, key, self._command):
                case Unanswered(detail):
                    log.info("the service does not say which models it has: %s", detail)
                    await asyncio.sleep(min(again_s, self._day_s))
                    again_s *= 6
                case found:
                    await self._tell_news(found, tell)
                    again_s = AGAIN_S
                    await asyncio.sleep(self._day_s)

    async def _tell_news(self, found: Sequence[str], tell: Callable[[str], Awaitable[None]]) -> None:
        self._told &= frozenset(found)
        for text in found:
            if text not in self._told:
                log.warning("%s", text)
                await tell(text)
                self._told |= {text}


async def ask(
    settings: SessionSettings, key: str | None, command: Sequence[str] = COMMAND, longest_s: float = LONGEST_S
) -> list[str] | Unanswered:
    """What a person should know of the room's models, by a process that runs `command`."""
    question = json.dumps({"session": settings.model_dump(mode="json", exclude_unset=True), "key": key})
    pipe, nowhere = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=pipe, stdout=pipe, stderr=nowhere, env=needed(os.environ)
        )
    except OSError as error:
        return Unanswered(f"it cannot be asked: {error.strerror}")
    try:
        async with asyncio.timeout(longest_s):
            printed, _ = await process.communicate(question.encode())
    except TimeoutError:
        return Unanswered(f"it was not asked within {longest_s:.0f} s")
    finally:
        await end(process)
    return _read(printed)


def needed(environ: Mapping[str, str]) -> dict[str, str]:
    """What of this environment the process gets: nothing that could be a secret of the room."""
    return {name: value for name, value in environ.items() if name in _NEEDED or name.upper().startswith(_NEEDED_KINDS)}


def _read(printed: bytes) -> list[str] | Unanswered:
    try:
        found = json.loads(printed)
    except ValueError:
        found = None
    if isinstance(found, dict) and isinstance(found.get("troubles"), list):
        return [str(text) for text in found["troubles"]]
    why = found.get("unlisted") if isinstance(found, dict) else None
    return Unanswered(str(why or "the process that asks it failed"))
