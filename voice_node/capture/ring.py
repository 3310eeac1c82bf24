"""From the sound card's thread to the event loop.

The rules:

1. What comes is a block: as many frames as the device gives at once, so that the loop is woken once for all of them.
2. Whoever pushes never waits. When more than `capacity_ms` would be held, the oldest block is dropped: newest wins.
3. Every frame has a running number; a block has that of its first. What was dropped here, or what the driver lost
   (`skip`), leaves a gap in the numbers, so that nobody takes for one piece what was not captured in one piece.
4. The loop is woken only when the consumer waits; a consumer that is behind takes what is there without being woken.
   A block of a calm room wakes nobody until `PATIENCE_MS` are held; any other wakes at once, and brings those along.
5. After `close` or `fail` the consumer still gets what is held; then the iteration ends, or raises.
6. There is one consumer. A cancelled `__anext__` loses nothing.
"""

import asyncio
from collections import deque
from contextlib import suppress
from threading import Lock
from typing import Self

from voice_node.model.audio import Frame, pcm_ms

PATIENCE_MS = 500
"""Of a calm room are held before the loop is woken: what the loop does for it costs less than half as much."""


class Ring:
    """Blocks of some frames on their way from any thread to the loop, bounded in milliseconds of sound."""

    def __init__(self, capacity_ms: int = 2000, frames_per_block: int = 1) -> None:
        self._capacity_ms = capacity_ms
        self._frames_per_block = frames_per_block
        self._blocks: deque[Frame] = deque()
        self._held_ms = 0.0
        self._next_index = 0
        self._lost = 0
        self._is_closed = False
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._lock = Lock()

    @property
    def lost(self) -> int:
        """Frames that were dropped here or reported lost by `skip`."""
        return self._lost

    def push(self, pcm: bytes, rate_hz: int, at: float = 0.0, *, is_calm: bool = False) -> None:
        """Number a block of mono s16le that came at that time, and hold it; from any thread. Ignored after the end."""
        with self._lock:
            if self._is_closed:
                return
            self._blocks.append(Frame(self._next_index, pcm, rate_hz, at))
            self._next_index += self._frames_per_block
            self._held_ms += pcm_ms(pcm, rate_hz)
            while self._held_ms > self._capacity_ms and len(self._blocks) > 1:
                self._take()
                self._lost += self._frames_per_block
            if is_calm and self._held_ms < PATIENCE_MS:
                return
            waiter, self._waiter = self._waiter, None
        _wake(waiter)

    def skip(self, n: int) -> None:
        """Count `n` frames that were never captured; from any thread."""
        with self._lock:
            self._next_index += n
            self._lost += n

    def drop(self) -> None:
        """Forget what is held: nobody is to hear it. Leaves a gap in the numbers, but is not counted as lost."""
        with self._lock:
            self._next_index += 1
            self._blocks.clear()
            self._held_ms = 0.0

    def close(self) -> None:
        """No more frames come; from any thread."""
        self._end(None)

    def fail(self, error: Exception) -> None:
        """No more frames come, and the consumer is told why; from any thread."""
        self._end(error)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Frame:
        while True:
            with self._lock:
                if self._blocks:
                    return self._take()
                if self._error is not None:
                    raise self._error
                if self._is_closed:
                    raise StopAsyncIteration
                self._waiter = waiter = asyncio.get_running_loop().create_future()
            await waiter

    def _take(self) -> Frame:
        block = self._blocks.popleft()
        self._held_ms -= block.duration_ms
        return block

    def _end(self, error: Exception | None) -> None:
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                self._error = error
            waiter, self._waiter = self._waiter, None
        _wake(waiter)


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None:
        # The loop may be gone by the time the sound card's thread gets here: then nobody waits any more.
        with suppress(RuntimeError):
            waiter.get_loop().call_soon_threadsafe(_settle, waiter)


def _settle(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
