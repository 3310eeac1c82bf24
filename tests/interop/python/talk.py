"""What the judges in Python share. Each runs in an environment of its own, so their packages are imported by name."""

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

URL, KEY, SOUND, WAY = [*sys.argv[1:], "", "", "", ""][:4]
LAMP = json.dumps({"error": "the lamp is far too hot " * 6})
_DEADLINE_S = 60
_PIECE_BYTES = 960


def speech() -> bytes:
    """Mono s16le at 24 kHz."""
    return Path(SOUND).read_bytes()


def pieces(sound: bytes) -> Iterator[bytes]:
    """Of 20 ms."""
    return (sound[start : start + _PIECE_BYTES] for start in range(0, len(sound), _PIECE_BYTES))


async def until(holds: Callable[[], object]) -> None:
    """Wait for it."""
    while not holds():  # noqa: ASYNC110  # what is waited for sets no event
        await asyncio.sleep(0.01)


def report(judge: Callable[[dict[str, Any]], Coroutine[Any, Any, None]]) -> None:
    """Run a judge, and print what it found as one line of JSON, even where it did not get to its end."""

    async def within_time() -> None:
        async with asyncio.timeout(_DEADLINE_S):
            await judge(found)

    found: dict[str, Any] = {"calls": [], "errors": []}
    try:
        asyncio.run(within_time())
    except TimeoutError:
        found["errors"].append("no end")
    sys.stdout.write(json.dumps(found) + "\n")
