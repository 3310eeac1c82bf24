"""A service that calls tools by itself, asks for leave and speaks in any order: what must hold regardless."""

from typing import Any

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.session.room import Room, done
from voice_node.model.control import AnswerApproval
from voice_node.model.turn import ApprovalWanted, ResponseStatus
from voice_node.session import events as ev
from voice_node.session.service_calls import MOST_ROUNDS

TURNS = ("t1", "t2")
CALLS = st.sampled_from(["c1", "c2", "c3", ""])
REQUESTS = st.sampled_from(["q1", "q2", "q3"])
STEPS = st.one_of(
    st.tuples(st.just("ask"), st.sampled_from(TURNS)),
    st.tuples(st.just("create"), st.just("")),
    st.tuples(st.just("acts"), CALLS),
    st.tuples(st.just("acted"), CALLS),
    st.tuples(st.just("asked"), REQUESTS),
    st.tuples(st.just("asked by response"), REQUESTS),
    st.tuples(st.just("done"), st.sampled_from(["completed", "completed", "failed", "cancelled"])),
    st.tuples(st.just("done with"), REQUESTS),
    st.tuples(st.just("speaks"), st.just("")),
    st.tuples(st.just("yes"), REQUESTS),
    st.tuples(st.just("no"), REQUESTS),
    st.tuples(st.just("stop"), st.just("")),
    st.tuples(st.just("cut"), st.just("")),
    st.tuples(st.just("wait"), st.just("")),
)


class Service:
    """Knows which response it runs."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.numbers = 0
        self.running = ""
        self.turn_id = ""
        self.answered = 0

    def create(self) -> None:
        """Begin the response that was asked for, if one was."""
        wishes = [event for event in self.room.sends if isinstance(event, ev.CreateResponse)]
        if not self.running and len(wishes) > self.answered:
            self.answered = len(wishes)
            self.numbers += 1
            self.running = f"r{self.numbers}"
            self.turn_id = wishes[-1].metadata["turn_id"]
            self.room.hear(ev.ResponseCreated(self.running, {"turn_id": self.turn_id}))

    def end(self, status: str = "completed", **more: Any) -> None:
        """End it."""
        if self.running:
            response_id, self.running = self.running, ""
            self.room.hear(
                ev.ResponseDone(response_id, ResponseStatus(status), metadata={"turn_id": self.turn_id}, **more)
            )


def play(room: Room, service: Service, what: str, name: str) -> None:
    request = ev.ApprovalRequest(name, "news", "search", "{}")
    match what:
        case "ask":
            begun = {event.text for event in room.sends if isinstance(event, ev.CreateText)}
            if name not in begun:
                room.ask(name, name)
        case "create":
            service.create()
        case "acts":
            room.hear(ev.ServiceActs(name, service.running))
        case "acted":
            room.hear(ev.ServiceActed(name))
        case "asked":
            room.hear(ev.ApprovalAsked("", request))
        case "asked by response":
            room.hear(ev.ApprovalAsked(service.running, request))
        case "done":
            service.end(name)
        case "done with":
            service.end(approvals=(request,))
        case "speaks" if service.running:
            room.hear(ev.ReplyTextDelta(service.running, f"item_{service.running}", "well"))
        case "yes" | "no":
            if any(wanted.call_id == name for wanted in room.all(ApprovalWanted)):
                room.put(AnswerApproval(name, what == "yes", None))
        case "stop":
            room.stop()
        case "cut":
            room.down()
            service.running = ""
            room.up()
        case "wait":
            room.wait(5)


def approvals(room: Room) -> list[str]:
    return [event.request_id for event in room.all(ev.CreateApproval)]


@hypothesis_settings(max_examples=200, deadline=None)
@given(steps=st.lists(STEPS, max_size=40))
def test_in_any_order(steps: list[tuple[str, str]]) -> None:
    room = Room().up()
    service = Service(room)
    room.ask("t1", "t1")
    service.create()
    answers_before: list[str] = []
    for what, name in steps:
        play(room, service, what, name)
        if what == "cut":  # ids are another connection's from here on
            answers_before += approvals(room)[len(answers_before) :]
        fresh = approvals(room)[len(answers_before) :]
        assert len(fresh) == len(set(fresh)), "one answer for each request"
        if room.close is not None:
            play(room, service, "cut", "")
            answers_before += approvals(room)[len(answers_before) :]
    # nobody does anything any more but to answer what is asked
    for _ in range(40):
        for wanted in room.all(ApprovalWanted):
            room.put(AnswerApproval(wanted.call_id, False, "no"))
        service.create()
        service.end(messages=(ev.ReplyMessage("i", "well"),))
        room.wait(5)
        if room.protocol.is_quiet:
            break
    assert room.protocol.is_quiet, "every turn ends"
    ends = [turn_id for turn_id, _ in room.ends()]
    assert len(ends) == len(set(ends))
    assert len(room.all(ev.CreateResponse)) <= (MOST_ROUNDS + 2) * len(TURNS) + 4 * len(steps)


def test_the_helper_does_what_it_says() -> None:
    room = Room().up()
    service = Service(room)
    room.ask("t1", "t1")
    service.create()
    room.hear(ev.ApprovalAsked("r1", ev.ApprovalRequest("q1", "news", "search", "{}")), done("r1", "t1"))
    assert len(room.all(ApprovalWanted)) == 1
