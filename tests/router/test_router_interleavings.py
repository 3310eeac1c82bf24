"""Any order of calls, answers, deadlines and ends."""

import json
from collections import Counter
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.router.switchboard import TIMEOUT_S, Switchboard, answers, call, errors, finished, lost, of
from voice_node.model import command as cmd
from voice_node.model import control as ctl
from voice_node.model import report as rep
from voice_node.router.policy import MOST_CALLS


class Interleaved(RuleBasedStateMachine):
    """A small model of the promise: one report and one answer a call, none for a turn that is over."""

    def __init__(self) -> None:
        super().__init__()
        self.board = Switchboard()
        self.published: dict[str, str] = {}
        self.waiting: dict[str, float] = {}
        """Calls that the model waits for, and their deadlines."""
        self.over: set[str] = set()
        self.number = 0
        self.passed: Counter[str] = Counter()
        """Calls that passed, by turn."""

    def check(self, actions: list[Any], may_be_answered: tuple[str, ...] = ()) -> None:
        expired = [call_id for call_id, deadline in self.waiting.items() if deadline <= self.board.at]
        answered = answers(actions)
        assert sorted(answered) == sorted([*expired, *may_be_answered]), "each exactly once, and no other"
        for answer in of(ctl.AnswerCall, actions):
            json.loads(answer.output)
            self.waiting.pop(answer.call_id, None)
        for report in of(rep.CallReport, actions):
            assert report.call_id not in self.published
            self.published[report.call_id] = report.turn_id

    @rule(turn=st.integers(0, 3))
    def ask(self, turn: int) -> None:
        self.number += 1
        call_id, turn_id = f"c{self.number}", f"t{turn}"
        is_too_many = turn_id not in self.over and self.passed[turn_id] == MOST_CALLS
        actions = self.board.hears(call(call_id, turn_id, arguments=json.dumps({"on": True, "number": self.number})))
        self.check(actions, (call_id,) if is_too_many else ())
        if turn_id in self.over or is_too_many:
            assert call_id not in self.published
        else:
            assert call_id in self.published
            self.passed[turn_id] += 1
            self.waiting[call_id] = self.board.at + TIMEOUT_S

    @rule(turn=st.integers(0, 3), name=st.sampled_from(["rocket", "door", "light"]))
    def ask_badly(self, turn: int, name: str) -> None:
        self.number += 1
        call_id, turn_id = f"c{self.number}", f"t{turn}"
        self.check(self.board.hears(call(call_id, turn_id, name, "[]")), () if turn_id in self.over else (call_id,))

    @rule(number=st.integers(1, 12), turn=st.integers(0, 3))
    def ask_again(self, number: int, turn: int) -> None:
        call_id, turn_id = f"c{number}", f"t{turn}"
        if call_id not in self.published:
            return
        is_open = self.waiting.get(call_id, 0.0) > self.board.at
        is_ignored = is_open or turn_id in self.over
        self.check(self.board.hears(call(call_id, turn_id)), () if is_ignored else (call_id,))

    @rule(number=st.integers(1, 12), name=st.sampled_from(["light", "light", "clock"]), is_error=st.booleans())
    def answer(self, number: int, name: str, is_error: bool) -> None:
        call_id = f"c{number}"
        result = cmd.ToolResult(name, call_id, error="no") if is_error else cmd.ToolResult(name, call_id, output=[1])
        is_first = name == "light" and self.waiting.get(call_id, 0.0) > self.board.at
        actions = self.board.gets(result)
        self.check(actions, (call_id,) if is_first else ())
        assert any(code.endswith("_result") for code in errors(actions)) is not is_first

    @rule(number=st.integers(1, 12))
    def fail_to_deliver(self, number: int) -> None:
        call_id = f"c{number}"
        is_open = call_id in self.waiting
        actions = self.board.router.undelivered(call_id, "away", self.board.now)
        assert answers(actions) == ([call_id] if is_open else [])
        self.waiting.pop(call_id, None)

    @rule(seconds=st.sampled_from([0.1, 1.0, 4.9, 5.0, 60.0]), is_seen=st.booleans())
    def pass_time(self, seconds: float, is_seen: bool) -> None:
        if is_seen:
            self.check(self.board.after(seconds))
        else:
            self.board.at += seconds

    @rule(turn=st.integers(0, 3), end=st.sampled_from([finished, lost]))
    def end_turn(self, turn: int, end: Any) -> None:
        turn_id = f"t{turn}"
        self.check(self.board.hears(end(turn_id)))
        self.over.add(turn_id)
        for call_id in [one for one in self.waiting if self.published[one] == turn_id]:
            del self.waiting[call_id]

    @invariant()
    def the_next_deadline_is_that_of_the_first_call(self) -> None:
        assert self.board.router.next_deadline == min(self.waiting.values(), default=None)

    def teardown(self) -> None:
        self.check(self.board.after(3600))
        assert self.waiting == {}
        assert self.board.router.next_deadline is None


TestInterleaved = Interleaved.TestCase
TestInterleaved.settings = settings(max_examples=120, stateful_step_count=30, deadline=None)
