"""Segments that stay on this device: a spoken code is heard by its own recogniser and by nobody else."""

from collections.abc import Callable, Coroutine

from voice_node.model.speech import Speech, SpeechAudio, SpeechEnded, SpeechStarted
from voice_node.model.turn import NumberHeard, Outcome, SpeechChanged
from voice_node.stages import PrivateEar


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
        self._is_wanted = False
        self._segment: bytearray | None = None

    def want(self, is_wanted: bool) -> None:
        """From now on segments are taken, or none is any more."""
        if self._ear is None:
            return
        self._is_wanted = is_wanted
        if is_wanted:
            self._ear.start()
        else:
            self._start(self._ear.close(), "end the private recogniser")

    def take(self, value: Speech, rate_hz: int) -> bool:
        """True: this piece was taken; the service must not get it."""
        match value:
            case SpeechStarted(turn_id) if self._is_wanted:
                self._segment = bytearray()
                self._tell(SpeechChanged(turn_id, is_open=True))
            case SpeechAudio(_, pcm) if self._segment is not None:
                self._segment += pcm
            case SpeechEnded(turn_id) if self._segment is not None:
                pcm, self._segment = bytes(self._segment), None
                self._tell(SpeechChanged(turn_id, is_open=False, is_kept=False))  # nothing of it was sent
                if value.is_kept and rate_hz:
                    self._start(self._hear(turn_id, pcm, rate_hz), "hear a code")
            case _:
                return False
        return True

    async def _hear(self, turn_id: str, pcm: bytes, rate_hz: int) -> None:
        if self._ear is not None:
            self._tell(NumberHeard(turn_id, await self._ear.hear(pcm, rate_hz)))
