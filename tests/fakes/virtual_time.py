"""An event loop whose clock jumps to what comes next when nobody has anything to do."""

import asyncio
import selectors
import time
from typing import Any


class _Jumping(selectors.DefaultSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.is_real = False

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        if self.is_real:
            began = time.monotonic()
            ready = super().select(timeout)
            self.now += time.monotonic() - began
            return ready
        ready = super().select(0)
        if not ready:
            self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Hours pass in milliseconds. What other threads do takes no time, unless the clock `runs_really`."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._jumping.now

    def run_really(self, is_real: bool) -> None:
        """Wait in real time from now on, for what threads do; or jump again."""
        self._jumping.is_real = is_real
