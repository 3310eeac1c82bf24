from datetime import UTC, datetime, timedelta

import pytest

from voice_node.model.report import NodeState, State
from voice_node.router import status as status_module
from voice_node.router.status import MOST_TURNS, Status

START = datetime(2026, 1, 1, tzinfo=UTC)


def later(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def told(status: Status, at: datetime = START) -> State:
    state = status.report(at)
    assert state is not None
    return state


def everything() -> Status:
    status = Status()
    status.is_muted = status.is_over_budget = status.is_speaking = status.is_offline = True
    status.listening_to = "t2"
    status.begin_thinking("t1")
    return status


def test_the_strongest_holds() -> None:
    status = everything()
    assert told(status) == State(NodeState.MUTED, START)
    status.is_muted = False
    assert told(status) == State(NodeState.OVER_BUDGET, START)
    status.is_over_budget = False
    assert told(status) == State(NodeState.SPEAKING, START, "t1")
    status.is_speaking = False
    assert told(status) == State(NodeState.LISTENING, START, "t2")
    status.listening_to = None
    assert told(status) == State(NodeState.OFFLINE, START)
    status.is_offline = False
    assert told(status) == State(NodeState.THINKING, START, "t1")
    status.end_thinking("t1")
    assert told(status) == State(NodeState.IDLE, START)


def test_the_prose_names_the_states_in_this_order() -> None:
    order = "muted, over budget, speaking, listening, offline, thinking, idle"
    assert order in (status_module.__doc__ or "")


def test_nothing_is_told_twice() -> None:
    status = Status()
    assert told(status) == State(NodeState.IDLE, START)
    assert status.report(later(1)) is None
    status.listening_to = "t1"
    assert told(status, later(2)) == State(NodeState.LISTENING, later(2), "t1")
    assert status.report(later(3)) is None


def test_another_turn_in_the_same_state_keeps_its_since() -> None:
    status = Status()
    status.begin_thinking("t1")
    status.begin_thinking("t2")
    assert told(status) == State(NodeState.THINKING, START, "t1")
    status.end_thinking("t1")
    assert told(status, later(5)) == State(NodeState.THINKING, START, "t2")
    status.end_thinking("t2")
    assert told(status, later(6)) == State(NodeState.IDLE, later(6))


@pytest.mark.parametrize("order", [("t1", "t2", "t3"), ("t3", "t2", "t1"), ("t2", "t3", "t1")])
def test_turns_end_in_any_order(order: tuple[str, ...]) -> None:
    status = Status()
    for turn_id in ("t1", "t2", "t3"):
        status.begin_thinking(turn_id)
    for turn_id in order:
        status.report(START)
        status.end_thinking(turn_id)
    assert told(status).state is NodeState.IDLE


def test_a_turn_counts_once_and_may_end_twice() -> None:
    status = Status()
    status.begin_thinking("t1")
    status.begin_thinking("t1")
    status.end_thinking("t1")
    status.end_thinking("t1")
    assert told(status).state is NodeState.IDLE


def test_turns_that_never_end_are_forgotten_oldest_first() -> None:
    status = Status()
    for number in range(MOST_TURNS + 3):
        status.begin_thinking(f"t{number}")
    assert told(status).turn_id == "t3"
    for number in range(3, MOST_TURNS + 3):
        status.end_thinking(f"t{number}")
    assert told(status).state is NodeState.IDLE
