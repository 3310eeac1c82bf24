"""What turns and days cost, and what follows from it."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from typing import Any

from voice_node.model.control import Remember, SetSpent
from voice_node.model.report import EventType, Happening, Usages
from voice_node.model.turn import TokenCount, Usage
from voice_node.router.action import Action
from voice_node.router.budget import Budget
from voice_node.settings.schema import BudgetSettings

MOST_TURNS = 64


class Costs:
    """The turns' bills and the day's budget."""

    def __init__(self, settings: BudgetSettings, today: date, remembered: Mapping[str, Any] | None) -> None:
        self._budget = Budget(settings, today, remembered)
        self._turns: dict[str, dict[str, Any]] = {}
        self._is_spent = False

    @property
    def is_spent(self) -> bool:
        """No sound may leave the room."""
        return self._is_spent

    def started(self) -> list[Action]:
        """What is told first."""
        return [Usages(self._budget.totals()), *self._turned()]

    def use(self, usage: Usage) -> list[Action]:
        """Count what a response or a transcription used."""
        self._budget.use(usage)
        if usage.turn_id is not None:
            self._bill(usage.turn_id, usage)
        return self._crossed()

    def heard(self, duration_ms: int) -> list[Action]:
        """Count sound that left the room."""
        self._budget.count("streamed_s", duration_ms / 1000)
        return self._crossed()

    def captured(self, seconds: float, today: date) -> list[Action]:
        """Count sound that was listened to; a new day may have begun."""
        is_new_day = self._budget.roll(today)
        self._budget.count("captured_s", seconds)
        return [*self._told(), *self._turned()] if is_new_day else []

    def called(self) -> None:
        """Count a tool call."""
        self._budget.count("tool_calls")

    def turn_over(self, turn_id: str) -> tuple[dict[str, Any], list[Action]]:
        """What the turn cost, and the day's totals."""
        self._budget.count("turns")
        return self._turns.pop(turn_id, {}), self._told()

    def limit(self, usd: float) -> list[Action]:
        """A person set another daily budget."""
        self._budget.limit(usd)
        return [*self._told(), *self._turned()]

    def _bill(self, turn_id: str, usage: Usage) -> None:
        empty = {"input": asdict(TokenCount()), "output": asdict(TokenCount()), "transcription_s": 0.0, "usd": 0.0}
        bill = self._turns.setdefault(turn_id, empty)
        for direction, tokens in (("input", usage.input), ("output", usage.output)):
            for name, number in asdict(tokens).items():
                bill[direction][name] += number
        bill["transcription_s"] = round(bill["transcription_s"] + usage.transcription_s, 3)
        bill["usd"] = round(bill["usd"] + usage.usd, 6)
        while len(self._turns) > MOST_TURNS:
            self._turns.pop(next(iter(self._turns)))

    def _told(self) -> list[Action]:
        totals = self._budget.totals()
        return [Usages(totals), Remember("usage", totals)]

    def _crossed(self) -> list[Action]:
        shares = self._budget.crossed()
        totals = self._budget.totals()
        fields = {"usd": totals["usd"], "budget_usd": totals["budget_usd"], "budget_minutes": totals["budget_minutes"]}
        events: list[Action] = [Happening(EventType.BUDGET, {"share": share, **fields}) for share in shares]
        return [*events, *(self._told() if shares else []), *self._turned()]

    def _turned(self) -> list[Action]:
        """The budget is spent now, or is whole again."""
        if self._budget.is_spent == self._is_spent:
            return []
        self._is_spent = self._budget.is_spent
        return [SetSpent(self._is_spent)]
