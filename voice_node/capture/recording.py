"""A recording in the microphone's place, for `replay` and the demo."""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from voice_node.capture.wav_file import WavFile
from voice_node.model.audio import Frame

log = logging.getLogger(__name__)

BROKER_PATIENCE_S = 10.0


class Recording(WavFile):
    """A recording that begins when the broker is there, or does not come within `BROKER_PATIENCE_S`.

    A room has long been online when somebody speaks in it; what a recording says at once would reach nobody.
    """

    def __init__(self, broker_came: asyncio.Event, paths: Sequence[Path], **options: Any) -> None:
        super().__init__(paths, **options)
        self._broker_came = broker_came
        self._closed = asyncio.Event()
        self._is_waiting = True

    async def close(self) -> None:
        """End the iteration, and the waiting before it."""
        self._closed.set()
        await super().close()

    async def __anext__(self) -> Frame:
        if self._is_waiting:
            self._is_waiting = False
            await self._wait()
        try:
            return await super().__anext__()
        except StopAsyncIteration:
            if not self._closed.is_set():
                log.info("the recording is over: the room ends after what was said last")
            raise

    async def _wait(self) -> None:
        waits = [asyncio.create_task(event.wait()) for event in (self._broker_came, self._closed)]
        await asyncio.wait(waits, timeout=BROKER_PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
