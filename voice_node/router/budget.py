"""What today has cost, and what it may cost.

Rules

1. A day is the room's local day. At its end the totals begin anew, and a budget that was spent is whole again. A clock
   that goes back (a Pi without one of its own starts in the past) begins no new day.
2. The share that is used is the greater of money and minutes. At 80 % home automation is warned once, at 100 % the
   budget is spent: no sound leaves the room until the next day or a higher budget.
3. Totals survive restarts: a node that is restarted at noon has not forgotten the morning.
"""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from typing import Any

from voice_node.model.turn import TokenCount, Usage
from voice_node.settings.schema import BudgetSettings

WARNING_SHARE = 0.8
_COUNTS = ("turns", "tool_calls", "captured_s", "streamed_s", "transcription_s", "usd")


class Budget:
    """Today's totals against the section `budget`."""

    def __init__(self, settings: BudgetSettings, today: date, remembered: Mapping[str, Any] | None = None) -> None:
        """`remembered` is what `totals` gave before a restart; anything that is no such thing is no memory."""
        self._usd_limit = settings.usd_per_day
        self._minutes_limit = settings.minutes_per_day
        self._day = today
        self._counts = dict.fromkeys(_COUNTS, 0.0)
        self._tokens = {"input": asdict(TokenCount()), "output": asdict(TokenCount())}
        day = None if remembered is None else _date(remembered.get("date"))
        if remembered is not None and day is not None and day >= today:
            self._day = day
            self._recall(remembered)
        self._told_share = self.share

    @property
    def share(self) -> float:
        """How much of the budget is used; 0 where there is none."""
        shares = [0.0]
        if self._usd_limit:
            shares.append(self._counts["usd"] / self._usd_limit)
        if self._minutes_limit:
            shares.append(self._counts["streamed_s"] / 60 / self._minutes_limit)
        return max(shares)

    @property
    def is_spent(self) -> bool:
        """Nothing more may leave the room today."""
        return self.share >= 1

    @property
    def usd_limit(self) -> float | None:
        """What a day may cost now."""
        return self._usd_limit

    def roll(self, today: date) -> bool:
        """Begin a new day where it is one; True then."""
        if today <= self._day:
            return False
        self._day = today
        self._counts = dict.fromkeys(_COUNTS, 0.0)
        self._tokens = {"input": asdict(TokenCount()), "output": asdict(TokenCount())}
        self._told_share = 0.0
        return True

    def limit(self, usd: float) -> None:
        """A person set another daily budget."""
        self._usd_limit = usd
        self._told_share = min(self._told_share, self.share)

    def count(self, name: str, amount: float = 1) -> None:
        """Add to `turns`, `tool_calls`, `captured_s` or `streamed_s`."""
        self._counts[name] += amount

    def use(self, usage: Usage) -> None:
        """Add what a response or a transcription used."""
        for direction, tokens in (("input", usage.input), ("output", usage.output)):
            for name, number in asdict(tokens).items():
                self._tokens[direction][name] += number
        self._counts["transcription_s"] += usage.transcription_s
        self._counts["usd"] += usage.usd

    def crossed(self) -> list[float]:
        """The shares, 0.8 and 1.0, that were reached since this was asked last."""
        before, self._told_share = self._told_share, self.share
        return [share for share in (WARNING_SHARE, 1.0) if before < share <= self._told_share]

    def totals(self) -> dict[str, Any]:
        """Today for `usage` on MQTT, and for the disk."""
        counts: dict[str, float] = {name: int(self._counts[name]) for name in ("turns", "tool_calls")}
        counts |= {name: round(self._counts[name], 1) for name in ("captured_s", "streamed_s", "transcription_s")}
        return {
            "date": self._day.isoformat(),
            **counts,
            "input_tokens": dict(self._tokens["input"]),
            "output_tokens": dict(self._tokens["output"]),
            "usd": round(self._counts["usd"], 6),
            "budget_usd": self._usd_limit,
            "budget_minutes": self._minutes_limit,
        }

    def _recall(self, remembered: Mapping[str, Any]) -> None:
        for name in _COUNTS:
            self._counts[name] = _amount(remembered.get(name))
        for direction, tokens in self._tokens.items():
            stored = remembered.get(f"{direction}_tokens")
            if isinstance(stored, dict):
                for name in tokens:
                    tokens[name] = int(_amount(stored.get(name)))


def _date(value: Any) -> date | None:
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        return None


def _amount(value: Any) -> float:
    """A number that can be counted on with; a state file may hold anything."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value < 1e12 else 0.0
