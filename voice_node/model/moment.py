"""Time as a value: logic reads no clock, it is told."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta


@dataclass(frozen=True, slots=True)
class Moment:
    """Now, twice: steps of the wall clock must never move a deadline."""

    at: float
    """Seconds of a clock that never jumps; compare only with itself."""
    wall: datetime
    """UTC, for people and for messages."""

    @property
    def day(self) -> date:
        """The day of people here: budgets end at local midnight."""
        return self.wall.astimezone().date()

    def minus_ms(self, duration_ms: float) -> datetime:
        """The wall clock's time `duration_ms` ago."""
        return self.wall - timedelta(milliseconds=duration_ms)
