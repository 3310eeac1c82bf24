"""The session and the router together, between a service and a home that do anything in any order.

Each call is published at most once, in its time, and on a connection that stays open it has one output.
"""

import json
from typing import Any

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from tests.router.switchboard import Switchboard
from tests.session.test_interleavings import World
from voice_node.model import command as cmd
from voice_node.model import control as ctl
from voice_node.model import report as rep
from voice_node.model.turn import SpeechChanged
from voice_node.router.action import Action
from voice_node.session import events as ev

TOOLS: list[dict[str, Any]] = [
    {"name": "lamp", "description": "x", "max_per_minute": 600},
    {"name": "fan", "description": "x", "timeout_s": 60.0, "confirm": "mqtt"},
    {"name": "shade", "description": "x", "publish": {"topic": "a/set", "payload": "1"}, "expect": {"topic": "a"}},
    {"name": "plug", "description": "x", "publish": {"topic": "b/set", "payload": "1"}},
    {"name": "vault", "description": "x", "confirm": "voice"},
    {"name": "safe", "description": "x", "confirm": "pin"},
]
NAMES = ["light", "lamp", "lamp", "lamp", "fan", "shade", "plug", "vault", "safe", "garage", "no_such"]
Published = rep.CallReport | rep.DeviceOrder


class Together(World):
    """A `World` whose home automation is the router."""

    def __init__(self) -> None:
        super().__init__()
        self.board = Switchboard(tools=TOOLS)
        self.routed = 0
        self.published: dict[str, str] = {}
        self.held: list[str] = []

    @initialize(
        echoes=st.booleans(),
        connect=st.sampled_from(["always", "on_speech"]),
        patience_s=st.sampled_from([None, 4.0]),
        least_confidence=st.sampled_from([None, 0.5]),
    )
    def begin(self, echoes: bool, connect: str, patience_s: float | None, least_confidence: float | None) -> None:
        super().begin(echoes, connect, patience_s, least_confidence)

    @precondition(lambda self: self.service is not None and (self.service.active or self.service.own))
    @rule(names=st.lists(st.sampled_from(NAMES), min_size=1, max_size=4))
    def call(self, names: list[str]) -> None:
        """The model calls these tools."""
        for name in names:
            if self.service is not None and (self.service.active or self.service.own):
                response = self.response()
                response.calls.append(ev.FunctionCall(self.new("c"), name, "{}"))
                self.emit(ev.CallDone(response.response_id, response.calls[-1]))

    @precondition(lambda self: self.published)
    @rule(data=st.data(), kind=st.sampled_from(["output", "output", "error", "of another"]))
    def answer(self, data: st.DataObject, kind: str) -> None:
        """Home answers, perhaps again, perhaps late."""
        call_id = data.draw(st.sampled_from(sorted(self.published, key=lambda one: int(one[1:]))[-4:]))
        name = "clock" if kind == "of another" else self.published[call_id]
        error = "no" if kind == "error" else None
        self.command(cmd.ToolResult(name, call_id, None if error else 1, error))

    @rule(topic=st.sampled_from(["a", "b"]))
    def report(self, topic: str) -> None:
        """A device says something."""
        self.command(cmd.DeviceReport(topic, b"{}"))

    @precondition(lambda self: self.held)
    @rule(data=st.data(), is_approved=st.booleans())
    def decide(self, data: st.DataObject, is_approved: bool) -> None:
        """Somebody has a phone."""
        self.command(cmd.Decide(data.draw(st.sampled_from(self.held[-3:])), is_approved))

    @precondition(lambda self: self.published)
    @rule(data=st.data())
    def fail_to_deliver(self, data: st.DataObject) -> None:
        call_id = data.draw(st.sampled_from(sorted(self.published)))
        self.carry_out(self.board.router.undelivered(call_id, "away", self.room.now))
        self.settle()

    @rule(chance=st.integers(0, 5))
    def say_stop(self, chance: int) -> None:
        if not chance:
            self.command(cmd.Stop())

    def command(self, command: cmd.Command) -> None:
        self.carry_out(self.board.router.command(command, self.room.now))
        self.settle()

    def carry_out(self, actions: list[Action]) -> None:
        """As the pipeline does."""
        for action in actions:
            match action:
                case rep.CallReport(call_id, name=name) | rep.DeviceOrder(call_id, name):
                    assert call_id not in self.published, "published twice"
                    assert self.room.now.wall < action.expires_at
                    self.published[call_id] = name
                    self.carry_out(self.board.router.delivered(call_id, self.room.now))
                case rep.Happening(fields={"needs_approval": True, "call_id": call_id}):
                    self.held.append(call_id)
                case ctl.AnswerCall(_, output):
                    json.loads(output)
                    self.room.put(action)
                case ctl.StopReply():
                    self.room.put(action)
                    self.board.router._calling.stop_taken()
                case ctl.EndTurn():
                    self.room.put(action)
                case _:
                    pass  # what is said is not this test's

    def settle(self) -> None:
        """Carry outcomes to the router and what it wants to the session, until nobody wants anything."""
        self.carry_out(self.board.router.tick(self.room.now))
        while True:
            super().settle()
            if self.routed == len(self.room.outcomes):
                return
            outcome = self.room.outcomes[self.routed]
            self.routed += 1
            self.carry_out(self.board.router.outcome(outcome, self.room.now))

    def start_speaking(self) -> None:
        super().start_speaking()
        self.carry_out(self.board.router.outcome(SpeechChanged(self.speaking, is_open=True), self.room.now))
        self.settle()

    def teardown(self) -> None:
        super().teardown()
        assert self.board.router._calling._published == {}, "every call that went out has its end"
        assert len(self.board.router._calling) == 0


Together.TestCase.settings = hypothesis_settings(max_examples=80, stateful_step_count=60, deadline=None)
TestTogether: Any = Together.TestCase
