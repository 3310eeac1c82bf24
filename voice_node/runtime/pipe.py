"""A bounded, closable channel between two tasks of one event loop."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Pipe(Generic[T]):
    """Many writers, one reader. Ends for the reader when it is closed and empty.

    The iterator is the pipe itself: an async generator would be finished by one cancelled `anext()`.
    """

    def __init__(self, capacity: int, reserved: int = 0, taken: Callable[[T], None] | None = None) -> None:
        """Of `capacity` items, the last `reserved` places are for `offer`, so that who can wait pushes nobody out.

        `taken` is told of each item as the reader gets it.
        """
        self._items: deque[T] = deque()
        self._capacity = capacity
        self._waits_from = capacity - reserved
        self._taken = taken
        self._is_closed = False
        self._filled = asyncio.Event()
        self._emptied = asyncio.Event()
        self.lost = 0
        """Items that `offer` refused."""

    def __len__(self) -> int:
        return len(self._items)

    @property
    def is_closed(self) -> bool:
        """No more items are taken."""
        return self._is_closed

    def offer(self, item: T) -> bool:
        """Put `item` without waiting; False, and counted, where the pipe is full or closed."""
        return self._offer(item, self._items.append)

    def overtake(self, item: T) -> bool:
        """As `offer`, but before everything that waits: of two that overtake, the later one is read first."""
        return self._offer(item, self._items.appendleft)

    def _offer(self, item: T, add: Callable[[T], None]) -> bool:
        if self._is_closed or len(self._items) >= self._capacity:
            self.lost += 1
            return False
        add(item)
        self._filled.set()
        return True

    async def put(self, item: T) -> None:
        """Put `item` as soon as there is room; what is put into a closed pipe is lost, and counted."""
        while len(self._items) >= self._waits_from and not self._is_closed:
            self._emptied.clear()
            await self._emptied.wait()
        self.offer(item)

    def close(self) -> None:
        """No more items; what is in the pipe is still read."""
        self._is_closed = True
        self._filled.set()
        self._emptied.set()

    def __aiter__(self) -> "Pipe[T]":
        return self

    async def __anext__(self) -> T:
        while not self._items:
            if self._is_closed:
                raise StopAsyncIteration
            self._filled.clear()
            await self._filled.wait()
        item = self._items.popleft()
        self._emptied.set()
        if self._taken is not None:
            self._taken(item)
        return item
