"""One response at a time."""

import pytest

from voice_node.session.sequencer import Job, Sequencer


@pytest.fixture
def sequencer() -> Sequencer:
    return Sequencer()


def test_requested_from_the_moment_it_is_sent(sequencer: Sequencer) -> None:
    sequencer.add(Job("t1"))
    sequencer.add(Job("t2"))
    assert sequencer.next("e1") == Job("t1")
    assert not sequencer.is_idle
    assert sequencer.active_turn == "t1"
    assert sequencer.active_response is None
    assert sequencer.next("e2") is None
    assert sequencer.created("r1", "t1") == Job("t1")
    assert sequencer.active_response == "r1"
    assert sequencer.next("e2") is None
    assert sequencer.done("r1", "t1") == Job("t1")
    assert sequencer.next("e2") == Job("t2")


def test_one_answer_a_turn_and_people_before_announcements(sequencer: Sequencer) -> None:
    for job in (Job("t1"), Job("s1", "one"), Job("t2"), Job("s2", "two"), Job("t1"), Job("t3")):
        sequencer.add(job)
    order = []
    while (job := sequencer.next("e")) is not None:  # type: ignore[assignment]  # None ends it
        order.append(job.turn_id)
        sequencer.done(f"r{len(order)}", None)
    assert order == ["t1", "t2", "t3", "s1", "s2"]


def test_servers_that_give_no_metadata_back(sequencer: Sequencer) -> None:
    sequencer.add(Job("t1"))
    sequencer.next("e1")
    assert sequencer.created("r1", None) == Job("t1")
    assert sequencer.created("r1", None) == Job("t1"), "told twice"
    assert sequencer.done("r1", None) == Job("t1")
    assert sequencer.is_idle


@pytest.mark.parametrize("response_id", ["r1", ""])
def test_a_response_that_was_never_announced(sequencer: Sequencer, response_id: str) -> None:
    sequencer.add(Job("t1"))
    sequencer.next("e1")
    assert sequencer.done(response_id, None) == Job("t1")
    assert sequencer.is_idle


def test_the_servers_own_response_holds_the_queue(sequencer: Sequencer) -> None:
    assert sequencer.created("own", None) is None
    sequencer.add(Job("t1"))
    assert sequencer.next("e1") is None
    assert sequencer.done("own", None) is None
    assert sequencer.next("e1") == Job("t1")


def test_a_response_of_another_turn_is_not_ours(sequencer: Sequencer) -> None:
    sequencer.add(Job("t2"))
    sequencer.next("e1")
    assert sequencer.created("r1", "t1") is None
    assert sequencer.done("r1", "t1") is None
    assert sequencer.active_turn == "t2"
    assert sequencer.created("r2", "t2") == Job("t2")


def test_a_response_is_over_once(sequencer: Sequencer) -> None:
    sequencer.add(Job("t1"))
    sequencer.next("e1")
    sequencer.created("r1", "t1")
    sequencer.done("r1", "t1")
    sequencer.add(Job("t1"))
    sequencer.next("e2")
    assert sequencer.is_over("r1")
    assert sequencer.done("r1", "t1") is None
    assert sequencer.created("r1", "t1") is None
    assert sequencer.active_turn == "t1"
    assert sequencer.active_response is None


def test_busy_before_anything_was_seen_of_the_other(sequencer: Sequencer) -> None:
    sequencer.add(Job("t1"))
    sequencer.add(Job("t2"))
    sequencer.next("e1")
    assert sequencer.busy("e1") == ""
    assert sequencer.active_turn is None
    assert sequencer.has("t1")
    assert sequencer.next("e2") is None
    assert sequencer.done("own", None) is None
    assert sequencer.next("e2") == Job("t1"), "at the head of the queue"


def test_busy_after_the_other_was_taken_for_ours(sequencer: Sequencer) -> None:
    sequencer.add(Job("t1"))
    sequencer.next("e1")
    sequencer.created("own", None)
    assert sequencer.busy("e1") == "own"
    assert sequencer.active_response is None
    assert sequencer.next("e2") is None
    assert sequencer.done("own", None) is None
    assert sequencer.next("e2") == Job("t1")


def test_busy_without_a_name_is_believed_when_another_response_ends(sequencer: Sequencer) -> None:
    sequencer.add(Job("t1"))
    sequencer.next("e1")
    assert sequencer.busy("") is None
    assert sequencer.done("own", "t9") is None
    assert sequencer.next("e2") == Job("t1")


def test_busy_without_a_name_is_forgotten_when_ours_begins(sequencer: Sequencer) -> None:
    sequencer.add(Job("t1"))
    sequencer.next("e1")
    assert sequencer.busy("") is None
    assert sequencer.created("r1", None) == Job("t1")
    sequencer.done("own", "t9")
    assert sequencer.active_turn == "t1"


@pytest.mark.parametrize("event_id", ["", "e0", "e2"])
def test_an_error_about_something_else_changes_nothing(sequencer: Sequencer, event_id: str) -> None:
    assert sequencer.refused(event_id) is None
    assert sequencer.busy(event_id) is None
    sequencer.add(Job("t1"))
    sequencer.next("e1")
    assert sequencer.refused(event_id) is None
    assert sequencer.busy(event_id) is None
    assert sequencer.active_turn == "t1"


def test_refused_for_good(sequencer: Sequencer) -> None:
    sequencer.add(Job("t1"))
    sequencer.next("e1")
    assert sequencer.refused("e1") == Job("t1")
    assert sequencer.is_idle


def test_refused_although_it_runs(sequencer: Sequencer) -> None:
    sequencer.add(Job("t1"))
    sequencer.next("e1")
    sequencer.created("r1", "t1")
    assert sequencer.refused("e1") == Job("t1")
    assert sequencer.active_response == "r1"
    sequencer.done("r1", "t1")
    assert sequencer.is_idle


def test_what_waits_can_be_dropped(sequencer: Sequencer) -> None:
    sequencer.add(Job("t1"))
    sequencer.add(Job("t2"))
    sequencer.next("e1")
    sequencer.drop("t1")
    sequencer.drop("t2")
    assert sequencer.has("t1"), "it is under way"
    assert not sequencer.has("t2")


def test_a_lost_connection_takes_all_with_it(sequencer: Sequencer) -> None:
    sequencer.add(Job("t1"))
    sequencer.add(Job("t2"))
    sequencer.next("e1")
    sequencer.created("r1", "t1")
    sequencer.created("own", "t0")
    sequencer.clear()
    assert sequencer.is_idle
    assert not sequencer.has("t1")
    assert not sequencer.has("t2")
    assert not sequencer.is_over("r1")


# --- responses that the service gives unasked -----------------------------------------------------------------


def test_an_expected_response_is_taken_as_it_comes(sequencer: Sequencer) -> None:
    sequencer.expect(Job("t1"))
    assert sequencer.active_turn == "t1"
    assert sequencer.next("e1") is None
    assert sequencer.created("r1", None) == Job("t1")
    sequencer.expect(Job("t2"))
    assert sequencer.has("t2")
    assert sequencer.done("r1", None) == Job("t1")
    assert sequencer.active_turn == "t2"
    assert sequencer.done("r2", None) == Job("t2")
    assert sequencer.is_idle


@pytest.mark.parametrize("event_id", ["", "e9"])
def test_no_refusal_concerns_what_is_expected(sequencer: Sequencer, event_id: str) -> None:
    sequencer.expect(Job("t1"))
    assert sequencer.refused(event_id) is None
    assert sequencer.busy(event_id) is None
    assert sequencer.created("own", "other") is None
    assert sequencer.done("own", "other") is None
    assert sequencer.active_turn == "t1", "it is not asked for"
    assert sequencer.created("r1", None) == Job("t1")


@pytest.mark.parametrize("is_named", [False, True])
def test_an_expected_response_that_came_before_ours(sequencer: Sequencer, is_named: bool) -> None:
    sequencer.add(Job("t1"))
    sequencer.next("e1")
    sequencer.expect(Job("t2"))
    if is_named:
        assert sequencer.created("r2", None) == Job("t1"), "nobody could know"
    assert sequencer.busy("e1") == ("r2" if is_named else "")
    assert sequencer.active_turn == "t2"
    if not is_named:
        assert sequencer.created("r2", None) == Job("t2")
    assert sequencer.active_response == "r2"
    assert sequencer.done("r2", None) == Job("t2")
    assert sequencer.next("e2") == Job("t1")


def test_what_is_dropped_is_expected_no_more(sequencer: Sequencer) -> None:
    sequencer.expect(Job("t1"))
    sequencer.expect(Job("t2"))
    sequencer.drop("t2")
    assert not sequencer.has("t2")
    sequencer.done("r1", None)
    assert sequencer.is_idle
