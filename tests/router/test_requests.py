"""What `test_router_requests` does not say of requests."""

from tests.router.switchboard import Switchboard, call, of
from voice_node.model import command as cmd
from voice_node.model import control as ctl
from voice_node.model import report as rep
from voice_node.model.turn import Usage

ASKED = cmd.ReplyTo("some/topic", b"1", "t-9")


def test_listening_lasts_as_long_as_people_have_tuned_it() -> None:
    node = Switchboard(activation={"mode": "push_to_talk"})
    assert of(ctl.OpenGate, node.gets(cmd.Listen())) == [ctl.OpenGate(8000)]
    node.gets(cmd.SetSetting("follow_up_ms", 12000))
    assert of(ctl.OpenGate, node.gets(cmd.Listen())) == [ctl.OpenGate(12000)]
    node.gets(cmd.SetSetting("follow_up_ms", 0))
    assert of(ctl.OpenGate, node.gets(cmd.Listen())) == [ctl.OpenGate(5000)], "time enough to begin to speak"
    assert of(ctl.OpenGate, node.gets(cmd.Listen(500))) == [ctl.OpenGate(500)]


def test_a_room_that_any_voice_wakes_says_that_it_listens_already() -> None:
    actions = Switchboard().gets(cmd.Listen(500, reply_to=ASKED))
    assert actions[0] == rep.Response("listen", None, {"already": "listening"}, ASKED)
    assert of(ctl.OpenGate, actions) == []


def test_a_room_whose_budget_is_spent_does_not_listen() -> None:
    node = Switchboard()
    node.router._status.is_over_budget = True
    actions = node.router._requests.answer(cmd.Listen(reply_to=ASKED), node.now)
    assert actions == [rep.Response("listen", "the day's budget is spent", {}, ASKED)]


def test_it_listens_all_the_same_where_somebody_answers_for_nothing() -> None:
    node = Switchboard(activation={"mode": "push_to_talk"}, hears_when_spent=True)
    node.hears(Usage("t1", "m", usd=1.5))
    assert of(ctl.OpenGate, node.gets(cmd.Listen(500))) == [ctl.OpenGate(500)]


def test_a_decision_about_nothing_is_answered_where_it_was_asked() -> None:
    actions = Switchboard().gets(cmd.Decide("x" * 100, is_approved=True, reply_to=ASKED))
    assert of(rep.Response, actions) == [rep.Response("approve", f"no call {'x' * 64} waits for a decision", {}, ASKED)]


def test_an_approval_tells_what_was_approved() -> None:
    node = Switchboard()
    node.hears(call("c1", name="door", arguments="{}"))
    actions = node.gets(cmd.Decide("c1", is_approved=True, reply_to=ASKED))
    data = {"call_id": "c1", "name": "door"}
    assert of(rep.Response, actions) == [rep.Response("approve", None, data, ASKED)]
