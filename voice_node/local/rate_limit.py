"""How many responses a client may ask for: a runaway program must not take the server from the other rooms."""


class RateLimit:
    """A bucket of `limit` responses that fills up again within `window_s`. `now` is in seconds of any clock."""

    def __init__(self, limit: int = 600, window_s: float = 60.0) -> None:
        self.limit = limit
        self._per_s = limit / window_s
        self._left = float(limit)
        self._at: float | None = None

    def take(self, now: float) -> bool:
        """Whether there is one more; it is taken then."""
        if self._at is not None:
            self._left = min(self.limit, self._left + max(0.0, now - self._at) * self._per_s)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True

    @property
    def remaining(self) -> int:
        """As of the last `take`."""
        return int(self._left)

    @property
    def reset_s(self) -> float:
        """Seconds from the last `take` until all are there again."""
        return (self.limit - self._left) / self._per_s
