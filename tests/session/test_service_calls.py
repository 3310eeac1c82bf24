"""What the service does for a turn by itself, and when the model is to go on."""

from hypothesis import given
from hypothesis import strategies as st

from voice_node.session.service_calls import MOST_REQUESTS, MOST_RUNNING, ServiceCalls


def test_nothing_was_done() -> None:
    calls = ServiceCalls()
    assert (calls.is_waiting, calls.is_answer_due) == (False, False)


def test_a_call_without_leave_is_waited_for_and_then_an_answer_is_due() -> None:
    calls = ServiceCalls()
    assert [calls.began("c1"), calls.began("c1")] == [True, False]
    assert calls.running == ["c1"]
    assert calls.ended("c1")
    assert (calls.is_waiting, calls.is_answer_due) == (False, True)
    assert not calls.ended("c1"), "told twice"


def test_who_speaks_has_the_result() -> None:
    calls = ServiceCalls()
    calls.began("c1")
    calls.spoke()
    assert (calls.is_waiting, calls.is_answer_due) == (False, False)


def test_words_beside_an_open_request_are_no_answer() -> None:
    calls = ServiceCalls()
    calls.began("c1")
    assert calls.ask("r1")
    calls.spoke()
    assert (calls.running, calls.is_answer_due) == (["c1"], True)


def test_a_yes_waits_for_the_call_that_was_announced() -> None:
    calls = ServiceCalls()
    calls.began("c1")
    assert calls.ask("r1")
    calls.answer("r1", is_approved=True)
    assert calls.running == ["c1"]
    calls.began("c1")
    assert calls.ended("c1")
    assert not calls.is_waiting


def test_a_yes_waits_for_a_call_that_nobody_announced() -> None:
    calls = ServiceCalls()
    assert calls.ask("r1")
    calls.answer("r1", is_approved=True)
    assert calls.is_waiting
    calls.began("c1")
    assert calls.running == ["c1"]
    assert calls.ended("c1")
    assert not calls.is_waiting


def test_a_yes_whose_call_is_only_told_when_it_is_over() -> None:
    calls = ServiceCalls()
    assert calls.ask("r1")
    calls.answer("r1", is_approved=True)
    assert calls.ended("c1")
    assert (calls.is_waiting, calls.is_answer_due) == (False, True)


def test_a_no_ends_its_own_call_alone() -> None:
    calls = ServiceCalls()
    for call_id, request_id in (("c1", "r1"), ("c2", "r2")):
        calls.began(call_id)
        assert calls.ask(request_id)
    calls.answer("r2", is_approved=False)
    assert calls.running == ["c1"]
    calls.answer("r1", is_approved=True)
    assert calls.ended("c1")
    assert (calls.is_waiting, calls.is_answer_due) == (False, True)


def test_a_no_to_what_was_not_announced() -> None:
    calls = ServiceCalls()
    assert calls.ask("r1")
    calls.answer("r1", is_approved=False)
    assert (calls.is_waiting, calls.is_answer_due) == (False, True)


def test_bounds() -> None:
    calls = ServiceCalls()
    assert [calls.ask(f"r{number}") for number in range(MOST_REQUESTS + 2)][-3:] == [True, False, False]
    for number in range(100):
        calls.began(f"c{number}")
    assert len(calls.running) == MOST_RUNNING


def test_a_call_without_a_name_cannot_be_waited_for() -> None:
    calls = ServiceCalls()
    calls.began("")
    assert (calls.is_waiting, calls.is_answer_due) == (False, True)


def test_with_the_connection_all_of_it_is_gone() -> None:
    calls = ServiceCalls()
    calls.began("c1")
    assert calls.ask("r1")
    calls.clear()
    assert (calls.is_waiting, calls.is_answer_due) == (False, False)


def test_a_call_under_the_id_of_its_request_ends_once() -> None:
    calls = ServiceCalls()
    assert calls.ask("same")
    calls.answer("same", is_approved=True)
    calls.began("same")
    calls.began("c2")
    assert calls.running == ["same", "c2"]
    assert calls.ended("same")
    calls.began("c3")
    assert calls.running == ["c2", "c3"], "nothing of the first is left"


@given(st.lists(st.tuples(st.sampled_from(["began", "ended", "ask", "yes", "no"]), st.sampled_from("ab")), max_size=30))
def test_whatever_ids_a_service_gives_nothing_breaks(steps: list[tuple[str, str]]) -> None:
    calls = ServiceCalls()
    for step, name in steps:
        match step:
            case "began":
                calls.began(name)
            case "ended":
                calls.ended(name)
            case "ask" if name not in calls.open_requests:
                calls.ask(name)
            case "yes" | "no" if name in calls.open_requests:
                calls.answer(name, is_approved=step == "yes")
    calls.spoke()
    assert calls.open_requests or not calls.is_waiting
