"""What of the room is heard while the node speaks: nothing, or everything. `echo` is the third way."""

from collections.abc import Callable

from voice_node.model.audio import Cleaned, Frame


class HalfDuplex:
    """Deaf while the node speaks and until its tail is over.

    Sound waits for its turn on the way here, so it counts when a frame came in, not when it is looked at: else what was
    captured of a reply would be heard after it, whenever this process was held up for longer than the tail.

    Args:
        was_speaking: whether sound that came in then may hold the node's voice; by the steady clock.
        now: the steady clock, for frames without a time.
    """

    def __init__(self, was_speaking: Callable[[float], bool], now: Callable[[], float]) -> None:
        self._was_speaking = was_speaking
        self._now = now

    def hear(self, frame: Frame) -> Cleaned | None:
        """The frame, or None where it may hold the node's voice."""
        began_at = frame.at - frame.duration_ms / 1000 if frame.at else self._now()
        return None if self._was_speaking(began_at) else Cleaned(frame, frame)


class FullDuplex:
    """Hears everything: with headphones, or a speakerphone that takes the echo away by itself."""

    def hear(self, frame: Frame) -> Cleaned:
        """The frame as it is."""
        return Cleaned(frame, frame)
