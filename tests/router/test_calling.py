"""One output for each call, whatever becomes of it; and what is written down of it."""

import json
from typing import Any

import pytest

from tests.router.switchboard import Switchboard, answers, call, errors, finished, of
from voice_node.model import command as cmd
from voice_node.model import control as ctl
from voice_node.model import report as rep
from voice_node.model.command import DeviceReport
from voice_node.model.turn import StopTaken
from voice_node.router.action import Action
from voice_node.router.costs import Costs
from voice_node.router.policy import MOST_CALLS, MOST_REFUSALS
from voice_node.router.router import Router
from voice_node.router.tuning import Tuning
from voice_node.settings.mcp import RemoteTool
from voice_node.settings.schema import RoomSettings

BLIND = {
    "name": "blind",
    "description": "Moves a blind",
    "parameters": {"type": "object", "properties": {"area": {"type": "string"}, "position": {"type": "integer"}}},
    "publish": {"topic": "zigbee2mqtt/{area}_blind/set", "payload": {"position": "{position}"}},
    "expect": {"topic": "zigbee2mqtt/{area}_blind", "timeout_s": 3},
}
PLUG = {
    "name": "plug",
    "description": "Switches a plug",
    "publish": {"topic": "cmnd/plug/POWER", "payload": "ON"},
    "timeout_s": 2.0,
}


def board(**options: Any) -> Switchboard:
    return Switchboard(tools=[BLIND, PLUG], **options)


def move(node: Switchboard, call_id: str = "c1", area: str = "kitchen") -> list[Action]:
    return node.hears(call(call_id, name="blind", arguments=json.dumps({"area": area, "position": 40})))


def output(actions: list[Action]) -> Any:
    (answer,) = of(ctl.AnswerCall, actions)
    return json.loads(answer.output)


def audit(actions: list[Action]) -> list[tuple[Any, ...]]:
    keys = ("tool", "asked_by", "policy", "decision", "decided_by", "reason", "outcome")
    return [tuple(entry.entry[key] for key in keys) for entry in of(ctl.Audit, actions)]


# Straight to a device


def test_a_device_gets_its_order_and_its_next_message_confirms_it() -> None:
    node = board()
    sent = move(node)
    (order,) = of(rep.DeviceOrder, sent)
    assert (order.call_id, order.name, order.topic) == ("c1", "blind", "zigbee2mqtt/kitchen_blind/set")
    assert json.loads(order.payload) == {"position": 40}
    assert (order.expires_at - node.now.wall).total_seconds() == 3
    assert of(rep.CallReport, sent) == []
    assert node.router.delivered("c1", node.now) == [], "the broker's word is not the device's"
    assert answers(node.gets(DeviceReport("zigbee2mqtt/hall_blind", b"{}"))) == []
    confirmed = node.gets(DeviceReport("zigbee2mqtt/kitchen_blind", b'{"position":40}'))
    assert output(confirmed) == {"result": "done", "state": {"position": 40}}
    assert answers(node.gets(DeviceReport("zigbee2mqtt/kitchen_blind", b'{"position":40}'))) == []


def test_a_device_that_says_nothing_is_a_timeout() -> None:
    node = board()
    move(node)
    assert output(node.after(3)) == {"error": "no answer in time"}
    assert answers(node.gets(DeviceReport("zigbee2mqtt/kitchen_blind", b"{}"))) == []


def test_two_calls_of_one_device_are_both_confirmed() -> None:
    node = board()
    move(node)
    node.hears(call("c2", name="blind", arguments='{"area":"kitchen","position":50}'))
    assert answers(node.gets(DeviceReport("zigbee2mqtt/kitchen_blind", b"{}"))) == ["c1", "c2"]


def test_where_no_device_is_expected_the_broker_s_word_is_enough() -> None:
    node = board()
    node.hears(call("c1", name="plug", arguments="{}"))
    assert output(node.router.delivered("c1", node.now)) == {"result": "sent"}
    assert node.router.delivered("c1", node.now) == []
    node.hears(call("c2", name="plug", arguments="{}"))
    assert output(node.router.undelivered("c2", "the broker is away", node.now)) == {"error": "home unreachable"}
    node.hears(call("c3", turn_id="t2", name="plug", arguments="{}"))
    assert output(node.after(2)) == {"error": "no answer in time"}


@pytest.mark.parametrize("area", ["../set", "a/b", "#", "+", "$SYS", ""])
def test_no_argument_reaches_another_topic(area: str) -> None:
    refused = move(board(), area=area)
    assert of(rep.DeviceOrder, refused) == []
    assert errors(refused) == ["bad_arguments"]
    assert "area" in output(refused)["error"]


# Limits


def test_a_model_that_cannot_stop_calling_is_stopped() -> None:
    node = board()
    for number in range(MOST_CALLS + MOST_REFUSALS):
        actions = node.hears(call(f"c{number}", arguments=json.dumps({"on": True, "n": number})))
        assert of(ctl.EndTurn, actions) == []
    stopped = node.hears(call("c99", arguments='{"on":true,"n":99}'))
    assert of(ctl.EndTurn, stopped) == [ctl.EndTurn("t1")]
    assert of(ctl.StopReply, stopped) == []
    assert answers(stopped) == ["c99"]


def test_a_call_that_lay_behind_a_stop_is_refused_and_one_of_a_turn_that_goes_on_is_not() -> None:
    node = board()
    assert of(ctl.StopReply, node.gets(cmd.Stop())) == [ctl.StopReply()]
    for call_id, name in (("c1", "light"), ("c2", "plug"), ("c3", "door")):
        actions = node.hears(call(call_id, name=name, arguments="{}" if name != "light" else '{"on":true}'))
        assert answers(actions) == [call_id]
        assert output(actions) == {"error": "refused: the person said stop"}
        assert errors(actions) == ["stopped"]
        assert of(rep.CallReport, actions) == []
        assert of(rep.DeviceOrder, actions) == []
    assert node.hears(StopTaken()) == []
    assert of(rep.CallReport, node.hears(call("c4", "t2"))) != []


def test_each_of_two_stops_is_waited_for() -> None:
    node = board()
    node.gets(cmd.Stop())
    node.gets(cmd.Stop())
    node.hears(StopTaken())
    assert errors(node.hears(call("c1"))) == ["stopped"]
    node.hears(StopTaken())
    assert of(rep.CallReport, node.hears(call("c2"))) != []


def test_a_stop_that_the_session_never_takes_does_not_stop_the_room_for_good() -> None:
    node = board()
    node.gets(cmd.Stop())
    node.at += 15
    assert of(rep.CallReport, node.hears(call("c1"))) != []
    node.gets(cmd.Stop())
    node.hears(StopTaken())
    assert of(rep.CallReport, node.hears(call("c2"))) != []


def test_parallel_calls_are_answered_in_any_order() -> None:
    node = board()
    for number in range(3):
        node.hears(call(f"c{number}", arguments=json.dumps({"on": True, "n": number})))
    for number in (2, 0, 1):
        assert answers(node.gets(cmd.ToolResult("light", f"c{number}", output=number))) == [f"c{number}"]


# The audit log


def test_each_end_of_a_call_is_written_down_once() -> None:
    node = board()
    node.hears(call("c1"))
    assert audit(node.gets(cmd.ToolResult("light", "c1", output=1))) == [
        ("light", "voice", "never", "allowed", "rule", None, "done")
    ]
    node.hears(call("c2", turn_id="t2"))
    assert audit(node.gets(cmd.ToolResult("light", "c2", error="no"))) == [
        ("light", "voice", "never", "allowed", "rule", None, "error")
    ]
    node.hears(call("c3", turn_id="t3"))
    assert audit(node.after(5)) == [("light", "voice", "never", "allowed", "rule", None, "timeout")]
    node.hears(call("c4", turn_id="t4"))
    assert audit(node.hears(finished("t4"))) == [("light", "voice", "never", "allowed", "rule", None, "abandoned")]
    assert audit(node.hears(call("c5", turn_id="t5", name="garage", arguments="{}"))) == [
        ("garage", "voice", "deny", "refused", "rule", "denied", "not_done")
    ]
    assert audit(node.hears(call("c6", turn_id="t5", name="rocket"))) == [
        (None, "voice", None, "refused", "rule", "unknown_tool", "not_done")
    ]
    node.hears(call("c7", turn_id="t5", name="door", arguments="{}"))
    assert audit(node.gets(cmd.Decide("c7", is_approved=False))) == [
        ("door", "voice", "mqtt", "refused", "mqtt", "denied", "not_done")
    ]


def test_what_is_open_when_the_node_ends_is_written_down() -> None:
    node = board()
    node.hears(call("c1"))
    node.hears(call("c2", turn_id="t2", name="door", arguments="{}"))
    actions = node.router.ended(node.now)
    assert audit(actions) == [
        ("light", "voice", "never", "allowed", "rule", None, "abandoned"),
        ("door", "voice", "mqtt", "refused", "nobody", "abandoned", "not_done"),
    ]
    assert len(actions) == 2, "there is nobody left to tell"
    assert node.router.ended(node.now) == []


def test_a_call_of_a_typed_turn_says_so() -> None:
    node = board()
    (turn,) = of(ctl.AskText, node.gets(cmd.Ask("light on")))
    node.hears(call("c1", turn_id=turn.turn_id))
    (entry,) = of(ctl.Audit, node.gets(cmd.ToolResult("light", "c1", output=1)))
    assert entry.entry["asked_by"] == "text"
    assert (entry.entry["call_id"], entry.entry["turn_id"]) == ("c1", turn.turn_id)


@pytest.mark.parametrize("is_wanted", [True, False])
def test_arguments_are_written_down_only_where_that_is_wanted(is_wanted: bool) -> None:
    node = board(log={"tool_arguments": is_wanted})
    node.hears(call("c1"))
    (entry,) = of(ctl.Audit, node.gets(cmd.ToolResult("light", "c1", output=1)))
    assert ("arguments" in entry.entry) is is_wanted
    (refused,) = of(ctl.Audit, node.hears(call("c2", name="garage", arguments='{"a":1}')))
    assert ("arguments" in refused.entry) is is_wanted


# Of a server of tools


def server_board(**keys: Any) -> Switchboard:
    node = board()
    settings = RoomSettings(room="kitchen")
    lamp = {"name": "hass_turn_on", "description": "x", "server": "home", "remote_name": "HassTurnOn", "timeout_s": 9.0}
    tool = RemoteTool.model_validate(lamp | keys)
    room = Tuning(settings.model_copy(update={"tools": [tool]}), {})
    costs = Costs(settings.budget, node.now.day, None)
    node.router = Router(room, lambda: "typed", {}, costs=costs, is_muted=False)
    return node


def wish(call_id: str = "c1") -> Any:
    return call(call_id, name="hass_turn_on", arguments="{}")


def test_a_call_goes_to_its_server_and_not_to_the_broker() -> None:
    node = server_board()
    assert node.router.is_quiet
    sent = node.hears(wish())
    assert of(ctl.CallServer, sent) == [ctl.CallServer("c1", "hass_turn_on", "home", "HassTurnOn", {}, 9.0)]
    assert (of(rep.CallReport, sent), of(rep.DeviceOrder, sent)) == ([], [])
    assert [told.event_type for told in of(rep.Happening, sent)] == ["tool_call"]
    assert not node.router.is_quiet
    done = node.gets(cmd.ToolResult("hass_turn_on", "c1", {"success": True}))
    assert output(done) == {"success": True}
    assert audit(done) == [("hass_turn_on", "voice", "never", "allowed", "rule", None, "done")]
    assert node.router.is_quiet


def test_a_server_that_is_away_is_told_to_the_model_at_once() -> None:
    node = server_board()
    node.hears(wish())
    done = node.gets(cmd.ToolUnreachable("c1", "the server home is away"))
    assert output(done) == {"error": "home unreachable"}
    assert errors(done) == ["unreachable"]
    assert answers(node.gets(cmd.ToolResult("hass_turn_on", "c1", "late"))) == []


def test_a_server_that_does_not_answer() -> None:
    node = server_board()
    node.hears(wish())
    assert answers(node.after(8.9)) == []
    assert output(node.after(0.2)) == {"error": "no answer in time"}


def test_a_tool_of_a_server_has_the_same_policy() -> None:
    node = server_board(max_per_minute=1)
    node.hears(wish())
    assert errors(node.hears(wish("c2"))) == ["too_often"]
    node = server_board(name="hass_unlock")
    denied = node.hears(call(name="hass_unlock", arguments="{}"))
    assert (errors(denied), of(ctl.CallServer, denied)) == (["denied"], [])
    node = server_board(confirm="mqtt")
    assert of(ctl.CallServer, node.hears(wish())) == []
    approved = node.gets(cmd.Decide("c1", is_approved=True))
    assert len(of(ctl.CallServer, approved)) == 1
