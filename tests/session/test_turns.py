"""Which turn owns what."""

import pytest

from tests.session.room import BEGAN
from voice_node.session.turns import Kind, Phase, Turn, Turns


@pytest.fixture
def turns() -> Turns:
    return Turns()


def begin(turns: Turns, turn_id: str, phase: Phase = Phase.COMMITTED, kind: Kind = Kind.SPOKEN) -> Turn:
    turn = Turn(turn_id, kind, BEGAN, 0.0, phase=phase)
    turns.begin(turn)
    return turn


def test_commits_in_order(turns: Turns) -> None:
    first, typed, second = begin(turns, "t1"), begin(turns, "t2", kind=Kind.TYPED), begin(turns, "t3")
    assert turns.committed("i1") is first
    assert turns.committed("i2") is second
    assert turns.committed("i3") is None
    assert turns.committed("i1") is first
    assert typed.item_id is None


def test_everything_else_by_id(turns: Turns) -> None:
    first, second = begin(turns, "t1"), begin(turns, "t2")
    turns.committed("i1")
    turns.committed("i2")
    assert turns.of_item("i2") is second
    assert turns.of_item("i1") is first


def test_a_transcript_that_comes_before_its_commit(turns: Turns) -> None:
    committed, speaking = begin(turns, "t1"), begin(turns, "t2", Phase.SENDING)
    turns.committed("i1")
    assert turns.of_item("i2") is speaking
    assert turns.committed("i2") is speaking
    assert turns.of_item("i1") is committed
    assert turns.of_item("i3") is None


def test_a_turn_that_is_held_owns_nothing(turns: Turns) -> None:
    begin(turns, "t1", Phase.HELD)
    assert turns.committed("i1") is None
    assert turns.of_item("i1") is None


def test_late_words_of_an_ended_turn_are_nobodys(turns: Turns) -> None:
    first = begin(turns, "t1")
    turns.committed("i1")
    turns.end(first)
    begin(turns, "t2")
    assert turns.of_item("i1") is None
    assert turns.committed("i1") is None


def test_a_call_is_made_once(turns: Turns) -> None:
    turn = begin(turns, "t1")
    turn.audio += b"12"
    assert turns.add_call("c1", turn)
    assert not turns.add_call("c1", turn)
    assert turn.is_acted_on
    assert turn.audio == b""
    assert turns.of_call("c1") is turn
    turn.open_calls.discard("c1")
    assert turns.of_call("c1") is None
    assert not turns.add_call("c1", turn), "an answered call is not made again"


def test_the_end_forgets_all(turns: Turns) -> None:
    turn = begin(turns, "t1")
    turns.committed("i1")
    turns.add_response("r1", turn)
    turns.add_call("c1", turn)
    turns.end(turn)
    turns.end(turn)
    assert len(turns) == 0
    assert turns.get("t1") is turns.get(None) is None
    assert turns.of_response("r1") is turns.of_call("c1") is None


def test_ids_die_with_their_connection(turns: Turns) -> None:
    gone, turn = begin(turns, "t0"), begin(turns, "t1")
    turns.committed("i0")
    turns.committed("i1")
    turns.end(gone)
    turns.add_response("r1", turn)
    turns.add_call("c1", turn)
    turn.partial = "turn"
    turns.disconnect()
    assert (turn.phase, turn.item_id, turn.open_calls, turn.partial) == (Phase.HELD, None, set(), "")
    assert turns.of_response("r1") is turns.of_call("c1") is None
    turn.phase = Phase.COMMITTED
    assert turns.of_item("i0") is turn, "the next connection may use the same names"


def test_a_response_can_be_taken_back(turns: Turns) -> None:
    turn = begin(turns, "t1")
    turns.add_response("r1", turn)
    turns.drop_response("r1")
    turns.drop_response("r1")
    assert turns.of_response("r1") is None


def test_the_first_time_counts(turns: Turns) -> None:
    turn = begin(turns, "t1")
    turn.speech_end_s = 10.0
    turn.mark("commit", 10.25)
    turn.mark("commit", 11.0)
    turn.mark("early", 9.0)
    assert turn.timings_ms == {"commit": 250, "early": 0}


def test_ended_items_that_are_remembered_have_a_bound(turns: Turns) -> None:
    for number in range(500):
        turn = begin(turns, f"t{number}")
        turns.committed(f"i{number}")
        turns.end(turn)
    assert len(turns._past_items) <= 64
