"""What `voice-node doctor` finds, asked for by a room that runs: by a process of its own.

So nothing of it can hold up or end the room, and it sees the room from outside, as a person would. It knows that the
room runs and leaves its sound cards alone. What it prints holds no secrets and no spoken words.
"""

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from voice_node.model.errors import NotExamined
from voice_node.runtime.child import end

LONGEST_S = 28.0
"""Its slowest check takes 15 s, and a Pi some seconds to load it."""
MOST_BYTES = 100_000

COMMAND = (sys.executable, "-m", "voice_node", "doctor", "--json")


async def examine(room_file: Path, command: Sequence[str] = COMMAND, longest_s: float = LONGEST_S) -> list[Any]:
    """The findings, each with `subject`, `status`, `text` and `advice`. NotExamined: there are none."""
    pipe, nowhere = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    try:
        process = await asyncio.create_subprocess_exec(
            *command, str(room_file), stdin=nowhere, stdout=pipe, stderr=nowhere
        )
    except OSError as error:
        raise NotExamined(f"voice-node doctor cannot be run: {error.strerror}") from None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(longest_s):
            printed = await _read(process.stdout)
    except TimeoutError:
        raise NotExamined(f"voice-node doctor did not end within {longest_s:.0f} s") from None
    finally:
        await end(process)
    try:
        findings = json.loads(printed)
    except ValueError:
        findings = None
    if not isinstance(findings, list):
        raise NotExamined("voice-node doctor failed: run it on the machine itself")
    return findings


async def _read(stream: asyncio.StreamReader) -> bytes:
    printed = b""
    while len(printed) <= MOST_BYTES and (piece := await stream.read(MOST_BYTES)):
        printed += piece
    return printed
