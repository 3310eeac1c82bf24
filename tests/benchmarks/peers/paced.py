"""A recording as a microphone gives it. Uses nothing but Python: it runs in the peers' environments too.

usage: python -m tests.benchmarks.peers.paced FILE.wav    Mono s16le in pieces of 20 ms on standard output.
"""

import asyncio
import sys
import time
import wave
from collections.abc import AsyncIterator, Iterator

PIECE_MS = 20


def pieces_of(path: str, piece_ms: int = PIECE_MS) -> Iterator[bytes]:
    """Mono s16le at the file's rate."""
    with wave.open(path) as file:
        size = file.getframerate() * piece_ms // 1000
        while piece := file.readframes(size):
            yield piece


async def paced(path: str, piece_ms: int = PIECE_MS) -> AsyncIterator[bytes]:
    """Each piece when a microphone would have it; after the last one nothing comes, and it does not end."""
    began = time.monotonic()
    for number, piece in enumerate(pieces_of(path, piece_ms), 1):
        await asyncio.sleep(began + number * piece_ms / 1000 - time.monotonic())
        yield piece
    await asyncio.Event().wait()


def _main(path: str) -> None:
    began = time.monotonic()
    for number, piece in enumerate(pieces_of(path), 1):
        time.sleep(max(0.0, began + number * PIECE_MS / 1000 - time.monotonic()))
        sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
    sys.stdin.read()


if __name__ == "__main__":
    _main(sys.argv[1])
