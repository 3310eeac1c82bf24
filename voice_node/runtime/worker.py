"""Blocking calls off the event loop."""

import asyncio
import queue
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

Result = TypeVar("Result")


class Worker:
    """One thread that makes the blocking calls of one user, in order.

    It is a daemon: a driver that never returns must not keep the process from ending.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: Thread | None = None

    async def call(self, function: Callable[[], Result]) -> Result:
        """Run it there. It runs to its end even when the caller is cancelled, and later calls come after it."""
        if self._thread is None:
            self._thread = Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        future: Future[Result] = Future()
        future.set_running_or_notify_cancel()  # from here on it cannot be cancelled

        def run() -> None:
            try:
                future.set_result(function())
            except BaseException as error:  # noqa: BLE001 - it is handed to the caller, whatever it is
                future.set_exception(error)

        self._calls.put(run)
        return await asyncio.wrap_future(future)

    def stop(self) -> None:
        """End the thread after the calls that are waiting."""
        if self._thread is not None:
            self._calls.put(None)
            self._thread = None

    def _run(self) -> None:
        while (run := self._calls.get()) is not None:
            run()
