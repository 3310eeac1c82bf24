"""Waiting for a condition that nobody signals: another process's doing, or a thread's."""

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], bool], deadline_s: float = 30) -> None:
    """Return when it holds; TimeoutError after the deadline."""
    async with asyncio.timeout(deadline_s):
        while not condition():  # noqa: ASYNC110 - nobody is there to set an event
            await asyncio.sleep(0.02)
