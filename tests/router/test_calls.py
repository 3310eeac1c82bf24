from voice_node.router.calls import REMEMBERED, Calls, Ending, OpenCall


def call(call_id: str = "c1", turn_id: str = "t1", name: str = "light", deadline_at: float = 10.0) -> OpenCall:
    return OpenCall(call_id, turn_id, name, 0.0, deadline_at)


def with_calls(*calls: OpenCall) -> Calls:
    box = Calls()
    for one in calls:
        box.add(one)
    return box


def test_the_first_answer_closes_the_call_and_the_second_does_not() -> None:
    calls = with_calls(call())
    assert calls.answer("c1", "light") == call()
    assert len(calls) == 0
    assert calls.answer("c1", "light") is Ending.SECOND


def test_an_answer_to_nothing() -> None:
    assert Calls().answer("c1", "light") is Ending.UNKNOWN


def test_an_answer_of_another_tool_leaves_the_call_open() -> None:
    calls = with_calls(call())
    assert calls.answer("c1", "clock") is Ending.UNKNOWN
    assert calls.answer("c1", "light") == call()


def test_a_deadline_closes_the_call_once() -> None:
    calls = with_calls(call("c1", deadline_at=10), call("c2", deadline_at=20))
    assert calls.next_deadline == 10
    assert calls.expired(9.99) == []
    assert calls.expired(10) == [call("c1", deadline_at=10)]
    assert calls.expired(10) == []
    assert calls.next_deadline == 20
    assert calls.answer("c1", "light") is Ending.LATE


def test_a_call_that_could_not_be_published() -> None:
    calls = with_calls(call())
    assert calls.abandon("c1") == call()
    assert calls.abandon("c1") is None
    assert calls.abandon("c2") is None
    assert calls.answer("c1", "light") is Ending.ABANDONED


def test_the_end_of_a_turn_closes_its_calls_and_no_others() -> None:
    calls = with_calls(call("c1", "t1"), call("c2", "t2"), call("c3", "t1"))
    assert [one.call_id for one in calls.abandon_turn("t1")] == ["c1", "c3"]
    assert calls.answer("c3", "light") is Ending.ABANDONED
    assert calls.answer("c2", "light") == call("c2", "t2")


def test_no_deadline_without_calls() -> None:
    calls = with_calls(call())
    calls.answer("c1", "light")
    assert calls.next_deadline is None


def test_a_call_id_is_known_while_the_call_is_open_and_after() -> None:
    calls = with_calls(call())
    assert calls.knows("c1")
    assert not calls.knows("c2")
    calls.answer("c1", "light")
    assert calls.knows("c1")


def test_the_past_is_bounded() -> None:
    calls = Calls()
    for number in range(1000):
        calls.add(call(f"c{number}"))
        calls.answer(f"c{number}", "light")
    assert calls.answer("c999", "light") is Ending.SECOND
    assert calls.answer(f"c{1000 - REMEMBERED}", "light") is Ending.SECOND
    assert calls.answer(f"c{999 - REMEMBERED}", "light") is Ending.UNKNOWN
