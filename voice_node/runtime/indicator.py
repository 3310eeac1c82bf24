"""The room's state, shown by a command of the owner's: a LED ring, a lamp, a display."""

import asyncio
import logging
from collections.abc import Sequence

from voice_node.runtime.child import end

_log = logging.getLogger(__name__)

COMMAND_S = 2.0
"""Longer, and it is ended: the next state waits for it."""


class Indicator:
    """Runs a command with the state as its last argument: one at a time, of states that come faster the last."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = tuple(command)
        self._wanted = ""
        self._running = asyncio.Lock()
        self._has_complained = False

    async def show(self, state: str) -> None:
        """Return when it was shown, or when a later state took its place."""
        self._wanted = state
        async with self._running:
            if state == self._wanted:
                await self._run(state)

    async def _run(self, state: str) -> None:
        quiet = asyncio.subprocess.DEVNULL
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command, state, stdin=quiet, stdout=quiet, stderr=quiet
            )
        except (OSError, ValueError) as error:
            self._complain(f"cannot be run: {getattr(error, 'strerror', None) or type(error).__name__}")
            return
        try:
            async with asyncio.timeout(COMMAND_S):
                code = await process.wait()
        except TimeoutError:
            self._complain(f"did not end within {COMMAND_S:.0f} s")
        else:
            if code:
                self._complain(f"ended with {code}")
            else:
                self._has_complained = False
        finally:
            await end(process)

    def _complain(self, problem: str) -> None:
        if not self._has_complained:
            self._has_complained = True
            _log.warning("indicator.command: %s %s", self._command[0], problem)
