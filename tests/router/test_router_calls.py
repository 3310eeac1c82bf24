"""Tool calls on their way to home automation, and their answers on the way back."""

import json
from typing import Any

import pytest

from tests.router.switchboard import TIMEOUT_S, Switchboard, answers, call, errors, finished, lost, of
from voice_node.model import command as cmd
from voice_node.model import control as ctl
from voice_node.model import report as rep
from voice_node.model.report import EventType
from voice_node.model.turn import Outcome, ReplyStarted


def test_a_call_goes_out_with_its_deadline() -> None:
    board = Switchboard()
    actions = board.hears(call())
    (report,) = of(rep.CallReport, actions)
    assert (report.call_id, report.turn_id, report.name, report.arguments) == ("c1", "t1", "light", {"on": True})
    assert report.issued_at == board.now.wall
    assert (report.expires_at - report.issued_at).total_seconds() == TIMEOUT_S
    assert actions[1] == rep.Happening(
        EventType.TOOL_CALL, {"call_id": "c1", "name": "light", "arguments": {"on": True}}, "t1"
    )
    assert board.router.next_deadline == board.at + TIMEOUT_S
    assert answers(actions) == []


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (call(name="rocket"), "unknown_tool"),
        (call(name="light/+/#"), "unknown_tool"),
        (call(arguments='{"on":"yes"}'), "bad_arguments"),
        (call(arguments="geheim"), "bad_arguments"),
        (call(name="garage", arguments="{}"), "denied"),
    ],
)
def test_a_call_that_may_not_be_carried_out_is_refused_to_the_model_at_once(bad: Any, code: str) -> None:
    board = Switchboard()
    actions = board.hears(bad)
    (answer,) = of(ctl.AnswerCall, actions)
    assert answer.call_id == "c1"
    assert set(json.loads(answer.output)) == {"error"}
    assert errors(actions) == [code]
    assert of(rep.CallReport, actions) == []
    assert board.router.next_deadline is None
    assert "rocket" not in str(of(rep.Happening, actions)), "names that the model made up are not passed on"
    assert "geheim" not in str(of(rep.Happening, actions)), "what was said is not passed on in errors"


def test_a_call_id_that_comes_again_is_not_published_again() -> None:
    board = Switchboard()
    board.hears(call())
    again = board.hears(call(turn_id="t2"))
    assert of(rep.CallReport, again) == []
    assert answers(again) == [], "the call is open: its one answer is still to come"
    assert errors(again) == ["repeated_call"]
    assert answers(board.gets(cmd.ToolResult("light", "c1", output=1))) == ["c1"]
    after = board.hears(call(turn_id="t3"))
    assert of(rep.CallReport, after) == []
    assert answers(after) == ["c1"], "another turn's model must not wait for ever"
    assert errors(after) == ["repeated_call"]


@pytest.mark.parametrize("end", [finished(), lost()])
def test_a_call_of_a_turn_that_is_over_does_not_act(end: Outcome) -> None:
    board = Switchboard()
    board.hears(end)
    actions = board.hears(call())
    assert of(rep.CallReport, actions) == []
    assert answers(actions) == []
    assert errors(actions) == ["late_call"]


# Answers of home automation


@pytest.mark.parametrize("output", [None, True, 0, 1.5, "an", [1, {"a": None}], {"state": "on"}])
def test_the_first_answer_wins(output: Any) -> None:
    board = Switchboard()
    board.hears(call())
    board.at += 1.5
    actions = board.gets(cmd.ToolResult("light", "c1", output=output))
    (answer,) = of(ctl.AnswerCall, actions)
    assert json.loads(answer.output) == output
    (event,) = of(rep.Happening, actions)
    assert event.event_type is EventType.TOOL_RESULT
    assert event.fields == {"call_id": "c1", "name": "light", "is_ok": True, "duration_ms": 1500}
    again = board.gets(cmd.ToolResult("light", "c1", output="other"))
    assert answers(again) == []
    assert errors(again) == ["second_result"]


def test_an_error_of_home_automation_is_passed_on() -> None:
    board = Switchboard()
    board.hears(call())
    actions = board.gets(cmd.ToolResult("light", "c1", error="no such room"))
    (answer,) = of(ctl.AnswerCall, actions)
    assert json.loads(answer.output) == {"error": "no such room"}
    assert of(rep.Happening, actions)[0].fields["is_ok"] is False


def test_an_unknown_answer_is_reported_and_ignored() -> None:
    board = Switchboard()
    board.hears(call())
    assert errors(board.gets(cmd.ToolResult("light", "c2", output=1))) == ["unknown_result"]
    assert errors(board.gets(cmd.ToolResult("clock", "c1", output=1))) == ["unknown_result"]
    assert answers(board.gets(cmd.ToolResult("light", "c1", output=1))) == ["c1"]


def test_a_call_that_nobody_answers_is_answered_by_the_clock() -> None:
    board = Switchboard()
    board.hears(call())
    assert board.after(TIMEOUT_S - 0.001) == []
    actions = board.after(0.001)
    (answer,) = of(ctl.AnswerCall, actions)
    assert json.loads(answer.output) == {"error": "no answer in time"}
    assert errors(actions) == ["timeout"]
    (result,) = [event for event in of(rep.Happening, actions) if event.event_type is EventType.TOOL_RESULT]
    assert result.fields["duration_ms"] == TIMEOUT_S * 1000
    assert board.after(60) == []
    assert board.router.next_deadline is None
    late = board.gets(cmd.ToolResult("light", "c1", output=1))
    assert answers(late) == []
    assert errors(late) == ["late_result"]


def test_a_late_answer_is_late_even_where_no_tick_came_between() -> None:
    board = Switchboard()
    board.hears(call())
    board.at += TIMEOUT_S + 1
    actions = board.gets(cmd.ToolResult("light", "c1", output="on"))
    (answer,) = of(ctl.AnswerCall, actions)
    assert json.loads(answer.output) == {"error": "no answer in time"}
    assert errors(actions) == ["timeout", "late_result"]


def test_outcomes_do_not_hold_up_a_deadline() -> None:
    board = Switchboard()
    board.hears(call())
    board.at += TIMEOUT_S + 1
    assert answers(board.hears(ReplyStarted("t1"))) == ["c1"]


def test_a_call_that_could_not_be_delivered_is_refused_to_the_model() -> None:
    board = Switchboard()
    board.hears(call())
    actions = board.router.undelivered("c1", "the broker is away", board.now)
    (answer,) = of(ctl.AnswerCall, actions)
    assert json.loads(answer.output) == {"error": "home unreachable"}
    assert errors(actions) == ["unreachable"]
    assert "the broker is away" in str(of(rep.Happening, actions)[-1].fields["detail"])
    assert board.router.undelivered("c1", "again", board.now) == []
    assert errors(board.gets(cmd.ToolResult("light", "c1", output=1))) == ["abandoned_result"]


def test_a_delivery_that_fails_after_the_answer_changes_nothing() -> None:
    board = Switchboard()
    board.hears(call())
    board.gets(cmd.ToolResult("light", "c1", output=1))
    assert board.router.undelivered("c1", "time-out", board.now) == []


def test_nobody_waits_for_the_calls_of_a_lost_turn() -> None:
    board = Switchboard()
    board.hears(call())
    assert answers(board.hears(lost())) == []
    assert board.router.next_deadline is None
    late = board.gets(cmd.ToolResult("light", "c1", output=1))
    assert answers(late) == []
    assert errors(late) == ["abandoned_result"]


def test_each_tool_has_its_own_deadline() -> None:
    board = Switchboard()
    board.hears(call("c1", name="clock", arguments="{}"))
    board.hears(call("c2"))
    assert answers(board.after(TIMEOUT_S)) == ["c2"]
    assert answers(board.after(TIMEOUT_S)) == ["c1"]
