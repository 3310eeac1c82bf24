from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from voice_node.model.control import Remember
from voice_node.router.pin import LOCKED_FOR, MOST_TRIES, PinLock, matcher

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CODE = "4711"


def lock(remembered: dict[str, Any] | None = None) -> PinLock:
    return PinLock(matcher(CODE), remembered or {})


def kept(tested: PinLock) -> Any:
    (action,) = tested.remember()
    assert isinstance(action, Remember)
    return action.value


def test_only_the_whole_code_is_right() -> None:
    for wrong in ("", "471", "47110", "4712", "0000", "\uff11"):
        assert not lock().is_right(wrong, NOW)
    assert lock().is_right(CODE, NOW)


def test_without_a_code_nothing_is_right() -> None:
    assert not PinLock(None, {}).is_right("", NOW)


def test_three_wrong_tries_lock_for_a_quarter_of_an_hour_even_the_right_code() -> None:
    tested = lock()
    for number in range(MOST_TRIES):
        assert not tested.is_locked(NOW)
        assert not tested.is_right(f"000{number}", NOW)
    assert tested.is_locked(NOW)
    assert not tested.is_right(CODE, NOW)
    assert tested.is_locked(NOW + LOCKED_FOR - timedelta(seconds=1))
    assert not tested.is_locked(NOW + LOCKED_FOR)
    assert tested.is_right(CODE, NOW + LOCKED_FOR)


def test_a_right_code_forgives_the_wrong_ones() -> None:
    tested = lock()
    for _ in range(3):
        assert not tested.is_right("1", NOW)
        assert not tested.is_right("2", NOW)
        assert tested.is_right(CODE, NOW)
    assert not tested.is_locked(NOW)


def test_tries_and_locks_outlive_a_restart_and_hold_no_code() -> None:
    tested = lock()
    tested.is_right("1", NOW)
    tested.is_right("2", NOW)
    tested = lock(kept(tested))
    assert not tested.is_right("3", NOW)
    assert CODE not in str(kept(tested))
    assert lock(kept(tested)).is_locked(NOW + timedelta(minutes=14))


def test_a_clock_that_was_set_back_locks_no_longer() -> None:
    stored = {"wrong": 3, "locked_until": (NOW + timedelta(days=900)).isoformat()}
    tested = lock(stored)
    assert tested.is_locked(NOW)
    assert not tested.is_locked(NOW + LOCKED_FOR)


@pytest.mark.parametrize(
    "nonsense",
    [
        {"wrong": "3"},
        {"wrong": -1},
        {"wrong": 99},
        {"locked_until": 5},
        {"locked_until": "soon"},
        {"locked_until": "2026-01-01"},
    ],
)
def test_what_is_no_memory_is_none(nonsense: dict[str, Any]) -> None:
    tested = lock(nonsense)
    assert not tested.is_locked(NOW)
    assert tested.is_right(CODE, NOW)
