"""Segments that stay on this device: a spoken code is heard by its own recogniser and by nobody else.

Who says a code pauses between its digits, longer than a gate waits. So segments that follow each other within `PAUSE_S`
are heard as one; of more than `MOST_BYTES` the end is heard.
"""

import asyncio
from collections.abc import Callable, Coroutine

from voice_node.model.audio import BYTES_PER_SAMPLE
from voice_node.model.speech import Speech, SpeechAudio, SpeechEnded, SpeechStarted
from voice_node.model.turn import NumberHeard, Outcome, SpeechChanged
from voice_node.stages import PrivateEar

PAUSE_S = 1.0
MOST_BYTES = 20 * 48000 * BYTES_PER_SAMPLE
"""20 s at a microphone's usual rate."""


class PrivateHearing:
    """Takes segments out of the road between two orders. One that has begun ends where it began.

    Args:
        ear: what recognises; None: nothing does, and nobody gives orders.
        tell: an outcome for the router.
        start: begins a task of that name.
    """

    def __init__(
        self,
        ear: PrivateEar | None,
        tell: Callable[[Outcome], None],
        start: Callable[[Coroutine[None, None, None], str], None],
    ) -> None:
        self._ear = ear
        self._tell = tell
        self._start = start
        self.is_wanted = False
        """Between two orders."""
        self._is_open = False
        """A segment that was taken has not ended."""
        self._pcm = bytearray()
        self._count = 0
        """Of segments that began: so one that waits knows whether another did."""

    def want(self, is_wanted: bool) -> None:
        """From now on segments are taken, or none is any more."""
        if self._ear is None:
            return
        self.is_wanted = is_wanted
        if is_wanted:
            self._ear.start()
        else:
            self._start(self._ear.close(), "end the private recogniser")

    def take(self, value: Speech, rate_hz: int) -> bool:
        """True: this piece was taken; the service must not get it."""
        match value:
            case SpeechStarted(turn_id) if self.is_wanted:
                self._is_open = True
                self._count += 1
                self._tell(SpeechChanged(turn_id, is_open=True))
            case SpeechAudio(_, pcm) if self._is_open:
                self._pcm += pcm
                del self._pcm[:-MOST_BYTES]
            case SpeechEnded(turn_id) if self._is_open:
                self._is_open = False
                self._tell(SpeechChanged(turn_id, is_open=False, is_kept=False))  # nothing of it was sent
                if rate_hz:
                    self._start(self._hear(turn_id, self._count, rate_hz), "hear a code")
                else:  # cut off by a mute
                    self._pcm.clear()
            case _:
                return False
        return True

    async def _hear(self, turn_id: str, count: int, rate_hz: int) -> None:
        await asyncio.sleep(PAUSE_S)
        if count != self._count or self._ear is None:
            return
        pcm = bytes(self._pcm)
        self._pcm.clear()
        if pcm:
            self._tell(NumberHeard(turn_id, await self._ear.hear(pcm, rate_hz)))
