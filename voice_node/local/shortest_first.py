"""One at a time, the shortest of those who wait first: long sound of one client does not keep the others waiting."""

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class ShortestFirst:
    """Who is as long is served in the order of coming. Whoever uses it bounds how many wait."""

    def __init__(self) -> None:
        self._is_taken = False
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()

    @asynccontextmanager
    async def turn(self, length: int) -> AsyncIterator[None]:
        """Inside it nobody else is."""
        await self._come(length)
        try:
            yield
        finally:
            self._leave()

    async def _come(self, length: int) -> None:
        if not self._is_taken:
            self._is_taken = True
            return
        called: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (length, next(self._numbers), called))
        try:
            await called
        except asyncio.CancelledError:
            if not called.cancelled():
                self._leave()  # it was called in the same moment
            raise

    def _leave(self) -> None:
        while self._waiting:
            *_, called = heapq.heappop(self._waiting)
            if not called.cancelled():
                called.set_result(None)
                return
        self._is_taken = False
