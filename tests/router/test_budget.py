"""The day's totals and the budget."""

from datetime import date

import pytest

from voice_node.model.turn import TokenCount, Usage
from voice_node.router.budget import Budget
from voice_node.settings.schema import BudgetSettings

TODAY, TOMORROW = date(2026, 11, 20), date(2026, 11, 21)


def budget(usd: float | None = 1.0, minutes: float | None = None, remembered: object = None) -> Budget:
    settings = BudgetSettings(usd_per_day=usd, minutes_per_day=minutes)
    return Budget(settings, TODAY, remembered)  # type: ignore[arg-type]  # a state file may hold anything


def spend(book: Budget, usd: float) -> list[float]:
    book.use(Usage("t", "m", usd=usd))
    return book.crossed()


def test_it_warns_at_80_and_is_spent_at_100_percent_each_once() -> None:
    book = budget()
    assert [spend(book, usd) for usd in (0.5, 0.29, 0.02, 0.1)] == [[], [], [0.8], []]
    assert not book.is_spent
    assert spend(book, 0.2) == [1.0]
    assert book.is_spent
    assert spend(book, 5) == []


def test_a_single_dear_turn_crosses_both() -> None:
    assert spend(budget(), 3) == [0.8, 1.0]


def test_minutes_count_as_well_as_money() -> None:
    book = budget(usd=None, minutes=2)
    book.count("streamed_s", 119)
    assert (book.crossed(), book.is_spent) == ([0.8], False)
    book.count("streamed_s", 1)
    assert (book.crossed(), book.is_spent) == ([1.0], True)


def test_without_a_budget_nothing_is_ever_spent() -> None:
    book = budget(usd=None)
    assert spend(book, 1e6) == []
    assert not book.is_spent


def test_a_new_day_begins_at_nothing() -> None:
    book = budget()
    spend(book, 2)
    assert not book.roll(TODAY)
    assert book.roll(TOMORROW)
    assert not book.is_spent
    assert book.totals()["usd"] == 0
    assert spend(book, 0.9) == [0.8]


def test_a_higher_budget_opens_again_and_warns_again() -> None:
    book = budget()
    spend(book, 1)
    book.limit(2)
    assert not book.is_spent
    assert book.totals()["budget_usd"] == 2
    assert spend(book, 0.7) == [0.8]


def test_totals_survive_a_restart_on_the_same_day_and_are_not_told_again() -> None:
    book = budget()
    book.use(Usage("t", "m", TokenCount(text=3, cached_text=1), TokenCount(audio=5), 2.5, 0.85))
    book.count("turns")
    book.count("tool_calls", 2)
    book.count("captured_s", 60)
    book.crossed()
    again = budget(remembered=book.totals())
    assert again.totals() == book.totals()
    assert again.crossed() == []
    assert again.totals()["input_tokens"]["text"] == 3
    yesterdays = Budget(BudgetSettings(), TOMORROW, book.totals())
    assert yesterdays.totals()["usd"] == 0


@pytest.mark.parametrize(
    "remembered",
    [
        {},
        {"date": 5},
        {"date": "2026-11-20", "usd": "much", "turns": -1, "input_tokens": 7},
        {"date": "2026-11-20", "usd": True, "input_tokens": {"text": [1]}},
        {"date": "2026-11-20", "usd": float("nan"), "streamed_s": float("inf")},
    ],
)
def test_a_broken_memory_is_none(remembered: dict[str, object]) -> None:
    assert budget(remembered=remembered).totals() == budget().totals()


def test_a_clock_that_goes_back_begins_no_new_day() -> None:
    book = Budget(BudgetSettings(), TOMORROW)
    spend(book, 1)
    assert not book.roll(TODAY)
    assert book.is_spent
    assert Budget(BudgetSettings(), TODAY, book.totals()).is_spent
