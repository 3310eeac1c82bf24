"""Ending child processes."""

import asyncio
import os
import signal
from contextlib import suppress


async def end(process: asyncio.subprocess.Process, number: signal.Signals = signal.SIGKILL) -> int:
    """Signal a child unless it has ended, and wait for its end; its exit code, negative where a signal ended it.

    Not by `process.kill()`: that polls first, which takes the exit code of a child that ended this very moment away
    from asyncio, which then complains of an unknown child and makes the code up.
    """
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)
    return await process.wait()
