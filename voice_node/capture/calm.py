"""Whether the room is so calm that a block may wait for the next: to be woken for it costs far more than to hear it.

What counts is the span of a block, from its lowest sample to its highest. The usual span follows the lowest at once and
rises slowly. A block is loud when its span is `LOUD` times the usual, or no longer that of a quiet room; the room is
calm when none was for `CALM_MS`, which is longer than any pause for which a turn may be held open. So it is never calm
beside an appliance, where speech hardly stands out. What is taken for calm by mistake comes later by the patience of
who waits, and is not lost.
"""

CALM_MS = 6000
LOUD = 1.5
QUIET_SPAN = 1024
"""Of 65536, before any gain: that of hiss at 47 dB below full scale."""

_RISE_PER_S = 1.2
_LEAST_SPAN = 8
"""Below it a driver's silence would make its least noise loud."""


class Calm:
    """From the spans of consecutive blocks of `block_ms`."""

    def __init__(self, block_ms: int) -> None:
        self._block_ms = block_ms
        self._rise: float = _RISE_PER_S ** (block_ms / 1000)
        self._usual: float | None = None
        self._calm_ms = 0

    def hear(self, span: int) -> bool:
        """Take the next block: is the room calm, this block included?"""
        usual = span if self._usual is None else min(span, self._usual * self._rise)
        self._usual = max(usual, _LEAST_SPAN)
        is_loud = span > min(LOUD * self._usual, QUIET_SPAN)
        self._calm_ms = 0 if is_loud else min(self._calm_ms + self._block_ms, CALM_MS)
        return self._calm_ms >= CALM_MS
