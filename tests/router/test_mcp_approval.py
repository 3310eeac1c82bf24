"""Leave for calls that the service makes itself: the same rules as for the room's own tools, and a person by MQTT."""

from typing import Any

import pytest

from tests.router.switchboard import Switchboard, answers, errors, finished, lost, of
from voice_node.model.command import Decide, MuteSwitched, SetMute, Stop, ToolResult
from voice_node.model.control import AnswerApproval, Audit, StopReply
from voice_node.model.report import CallReport, Happening, Response
from voice_node.model.turn import ApprovalWanted, StopTaken, ToolCall
from voice_node.router.action import Action
from voice_node.router.confirmation import APPROVAL_S
from voice_node.router.policy import MOST_CALLS

NEWS = {"type": "mcp", "server_label": "news", "server_url": "https://example.org/mcp", "require_approval": "always"}
ASKED = '{"query": "rain"}'


@pytest.fixture
def board() -> Switchboard:
    return Switchboard(session={"tools": [NEWS]})


def wanted(call_id: str = "a1", turn_id: str = "t1", arguments: str = ASKED, **values: Any) -> ApprovalWanted:
    return ApprovalWanted(**{"turn_id": turn_id, "call_id": call_id, "arguments": arguments} | NAMES | values)


NAMES = {"server": "news", "name": "getForecast"}


def verdicts(actions: list[Action]) -> list[tuple[str, bool]]:
    return [(answer.call_id, answer.is_approved) for answer in of(AnswerApproval, actions)]


def audit(actions: list[Action]) -> list[tuple[Any, ...]]:
    return [
        tuple(entry.entry.get(key) for key in ("tool", "server", "decision", "decided_by", "outcome"))
        for entry in of(Audit, actions)
    ]


def happening(actions: list[Action], event_type: str) -> Any:
    (event,) = [event for event in of(Happening, actions) if event.event_type == event_type]
    return event.fields


def test_home_is_asked_with_all_that_a_person_needs_to_decide(board: Switchboard) -> None:
    actions = board.hears(wanted())
    fields = happening(actions, "tool_call")
    assert fields.pop("expires_at").second == 0
    assert fields == {
        "call_id": "a1",
        "name": "getForecast",
        "server": "news",
        "arguments": {"query": "rain"},
        "needs_approval": True,
    }
    assert (verdicts(actions), of(CallReport, actions), of(Audit, actions)) == ([], [], [])


@pytest.mark.parametrize("is_approved", [True, False])
def test_home_decides_once(board: Switchboard, is_approved: bool) -> None:
    board.hears(wanted())
    actions = board.gets(Decide("a1", is_approved=is_approved))
    assert verdicts(actions) == [("a1", is_approved)]
    assert of(CallReport, actions) == []
    outcome = ("allowed", "mqtt", "left_to_service") if is_approved else ("refused", "mqtt", "not_done")
    assert audit(actions) == [("getForecast", "news", *outcome)]
    (answer,) = of(AnswerApproval, actions)
    assert (answer.reason is None) == is_approved
    again = board.gets(Decide("a1", is_approved=True))
    assert (verdicts(again), [response.error is None for response in of(Response, again)]) == ([], [False])


def test_a_yes_is_told_as_a_call_that_goes_out(board: Switchboard) -> None:
    board.hears(wanted())
    fields = happening(board.gets(Decide("a1", is_approved=True)), "tool_call")
    assert fields == {"call_id": "a1", "name": "getForecast", "server": "news", "arguments": {"query": "rain"}}


def test_silence_refuses(board: Switchboard) -> None:
    board.hears(wanted())
    assert verdicts(board.after(APPROVAL_S - 1)) == []
    actions = board.after(2)
    assert verdicts(actions) == [("a1", False)]
    assert audit(actions) == [("getForecast", "news", "refused", "nobody", "not_done")]
    assert errors(actions) == ["not_confirmed"]
    assert verdicts(board.gets(Decide("a1", is_approved=True))) == []


@pytest.mark.parametrize("mute", [SetMute(is_muted=True), MuteSwitched(is_muted=True)])
def test_a_mute_refuses(board: Switchboard, mute: Any) -> None:
    board.hears(wanted())
    actions = board.gets(mute)
    assert verdicts(actions) == [("a1", False)]
    assert audit(actions) == [("getForecast", "news", "refused", "nobody", "not_done")]


def test_an_opened_microphone_refuses_nothing(board: Switchboard) -> None:
    board.hears(wanted())
    assert verdicts(board.gets(SetMute(is_muted=False))) == []
    assert verdicts(board.gets(Decide("a1", is_approved=True))) == [("a1", True)]


def test_a_mute_leaves_the_homes_own_calls_to_their_person(board: Switchboard) -> None:
    board.hears(wanted_door())
    assert answers(board.gets(SetMute(is_muted=True))) == []
    assert len(of(CallReport, board.gets(Decide("c1", is_approved=True)))) == 1


def wanted_door() -> ToolCall:
    return ToolCall("t1", "c1", "door", "{}")


def test_a_stop_refuses_after_it_was_ordered(board: Switchboard) -> None:
    board.hears(wanted())
    actions = board.gets(Stop())
    kinds = [type(action) for action in actions if isinstance(action, StopReply | AnswerApproval)]
    assert kinds == [StopReply, AnswerApproval]
    assert verdicts(actions) == [("a1", False)]
    assert verdicts(board.hears(wanted("a2"))) == [("a2", False)], "it was told before the session knew of the stop"
    board.hears(StopTaken())
    assert verdicts(board.hears(wanted("a3", "t2"))) == []


@pytest.mark.parametrize("is_lost", [True, False])
def test_a_turn_that_is_over_takes_its_requests_with_it(board: Switchboard, is_lost: bool) -> None:
    board.hears(wanted())
    actions = board.hears(lost() if is_lost else finished())
    assert verdicts(actions) == [], "nobody waits for the answer"
    assert audit(actions) == [("getForecast", "news", "abandoned", "nobody", "abandoned")]
    assert verdicts(board.gets(Decide("a1", is_approved=True))) == []
    assert errors(board.hears(wanted("a2"))) == ["late_call"]


@pytest.mark.parametrize("server", ["", "other", "News"])
def test_a_server_that_the_room_does_not_name_is_refused(board: Switchboard, server: str) -> None:
    actions = board.hears(wanted(server=server))
    assert verdicts(actions) == [("a1", False)]
    assert errors(actions) == ["unknown_tool"]
    assert "getForecast" not in str(of(Happening, actions))


def test_a_room_without_such_servers_refuses_all() -> None:
    assert verdicts(Switchboard().hears(wanted())) == [("a1", False)]


@pytest.mark.parametrize("arguments", ["[]", "no JSON", '{"a": NaN}', '{"a": 1, "a": 2}', "{" * 100, "x" * 10_000])
def test_what_nobody_could_read_is_refused(board: Switchboard, arguments: str) -> None:
    actions = board.hears(wanted(arguments=arguments))
    assert verdicts(actions) == [("a1", False)]
    assert errors(actions) == ["bad_arguments"]


def test_no_call_and_no_request_have_one_id(board: Switchboard) -> None:
    board.hears(wanted("c1"))
    assert errors(board.hears(wanted("c1"))) == ["repeated_call"], "and the first one waits on"
    assert verdicts(board.gets(Decide("c1", is_approved=True))) == [("c1", True)]
    assert verdicts(board.hears(wanted("c1", "t2"))) == [("c1", False)]
    late = board.gets(ToolResult("getForecast", "c1", "forged"))
    assert (verdicts(late), answers(late)) == ([], [])


def test_a_turn_asks_for_so_many_and_no_more(board: Switchboard) -> None:
    refused = [
        verdict
        for number in range(MOST_CALLS + 3)
        for verdict in verdicts(board.hears(wanted(f"a{number}", arguments=f'{{"n": {number}}}')))
    ]
    assert refused == [(f"a{number}", False) for number in range(MOST_CALLS, MOST_CALLS + 3)]


def test_names_of_the_services_choice_do_not_pile_up(board: Switchboard) -> None:
    """The limit of a minute is the server's, not each name's."""
    results = [verdicts(board.hears(wanted(f"a{number}", f"t{number}", name=f"tool{number}"))) for number in range(25)]
    assert results == [[]] * 20 + [[(f"a{number}", False)] for number in range(20, 25)]


def test_words_of_the_services_choice_are_in_no_problem(board: Switchboard) -> None:
    board.hears(wanted(name="evil\nname"))
    actions = board.gets(Decide("a1", is_approved=False))
    (problem,) = [event for event in of(Happening, actions) if event.event_type == "error"]
    assert problem.fields["detail"] == "a tool of news was not called: denied"


def test_arguments_are_audited_only_where_the_room_wants_it() -> None:
    for is_wanted in (True, False):
        board = Switchboard(session={"tools": [NEWS]}, log={"tool_arguments": is_wanted})
        board.hears(wanted())
        (entry,) = of(Audit, board.gets(Decide("a1", is_approved=True)))
        assert ("arguments" in entry.entry) == is_wanted
