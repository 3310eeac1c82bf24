"""Ending child processes."""

import asyncio
import os
import signal
from contextlib import suppress

_PIECE_BYTES = 65536


async def end(process: asyncio.subprocess.Process, number: signal.Signals = signal.SIGKILL) -> int:
    """Signal a child unless it has ended, and wait for its end; its exit code, negative where a signal ended it.

    Not by `process.kill()`: that polls first, which takes the exit code of a child that ended this very moment away
    from asyncio, which then complains of an unknown child and makes the code up.
    """
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)
    if process.stdout is not None:  # asyncio sees no end behind output that nobody takes
        with suppress(RuntimeError):  # somebody does
            while await process.stdout.read(_PIECE_BYTES):
                pass
    return await process.wait()
