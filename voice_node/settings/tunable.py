"""The few settings that people tune while the room runs: where each stands in the room file, and what it may be."""

from collections.abc import Mapping
from dataclasses import dataclass

from voice_node.settings.schema import RoomSettings

PLACES: Mapping[str, tuple[str, str]] = {
    "volume": ("playback", "volume"),
    "gate_snr_db": ("gate", "min_snr_db"),
    "hang_over_ms": ("gate", "hang_over_ms"),
    "follow_up_ms": ("activation", "follow_up_ms"),
    "budget_usd": ("budget", "usd_per_day"),
    "wake_word": ("activation", "wake_word"),
}
"""Setting -> section and key."""

_NO_LIMIT = 1000
"""A dashboard's number needs a highest; where the room file has none, as of the day's dollars, it is this."""


@dataclass(frozen=True, slots=True)
class Span:
    """What a number may be."""

    lowest: float
    highest: float
    is_integer: bool
    is_lowest_allowed: bool

    def __str__(self) -> str:
        kind = "an integer" if self.is_integer else "a number"
        return f"{kind} {'from' if self.is_lowest_allowed else 'above'} {self.lowest:g} to {self.highest:g}"

    def holds(self, value: object) -> bool:
        """This may be set."""
        if isinstance(value, bool) or not isinstance(value, int if self.is_integer else int | float):
            return False
        return self.lowest <= value <= self.highest and (value > self.lowest or self.is_lowest_allowed)


def span(name: str) -> Span:
    """What the number `name` may be; KeyError where there is none of that name."""
    if name == "wake_word":
        raise KeyError(name)
    place, key = PLACES[name]
    section = RoomSettings.model_fields[place].annotation
    assert section is not None
    field = section.model_fields[key]
    limits = {
        sign: getattr(limit, sign) for limit in field.metadata for sign in ("ge", "gt", "le") if hasattr(limit, sign)
    }
    lowest = limits.get("ge", limits.get("gt", 0))
    return Span(lowest, limits.get("le", _NO_LIMIT), field.annotation is int, "gt" not in limits)
