"""Calls that nobody waits for: each gets its one output all the same, so that the model knows. Sans-I/O.

Rules

1. On a connection that is open every call gets one output, and so does every request of the service for leave. Where
   its turn was stopped before home automation heard of it, where its turn was lost, or where it has none, it is one of
   these. On another connection there is nothing to answer.
2. A call of a response that answers no turn so far may still be somebody's: some services tell whose a response is only
   at its end. It is refused when the response is over and it is nobody's then.
3. More of them than `MOST_UNWANTED` before a response ends are no model's at work: the connection is given up.
"""

import json
from collections.abc import Callable

from voice_node.session import events as ev
from voice_node.session.memory import Memory
from voice_node.session.step import Step
from voice_node.session.turns import Turn, Turns

UNWANTED = "refused: the answer is not wanted any more"
ABANDONED = "nobody waits for the answer any more, and it is not known whether it was done"
MOST_UNWANTED = 128
TOO_MANY = "the service makes more tool calls than anybody could want"


class Unwanted:
    """Of one connection after the other."""

    def __init__(self, turns: Turns, memory: Memory, is_ready: Callable[[], bool]) -> None:
        """`is_ready`: the session can be spoken to."""
        self._is_ready = is_ready
        self._turns = turns
        self._memory = memory
        self._unclaimed: dict[str, dict[str, None]] = {}
        """By response: calls of which nobody knows yet whose they are, in order."""
        self._count = 0
        """Calls that are in there or were refused since a response ended."""

    def call(self, call_id: str, step: Step) -> None:
        """A call is refused; one that is known got its output, or gets it from home automation."""
        if self._is_ready() and self._turns.refuse_call(call_id) and self._is_bearable(step):
            self._output("", call_id, UNWANTED, step)

    def request(self, request_id: str, step: Step) -> None:
        """Leave is not given; one that is known was answered, or will be."""
        if self._is_ready() and self._turns.refuse_call(request_id) and self._is_bearable(step):
            self._deny("", request_id, step)

    def unclaimed(self, response_id: str, call_id: str, step: Step) -> None:
        """A call of a response that answers no turn so far."""
        calls = self._unclaimed.setdefault(response_id, {})
        if call_id not in calls and self._is_bearable(step):
            calls[call_id] = None

    def response_over(self, response_id: str, step: Step) -> None:
        """Whose its calls are is known now: those that are still nobody's are refused."""
        for call_id in self._unclaimed.pop(response_id, ()):
            self.call(call_id, step)
        self._count = sum(map(len, self._unclaimed.values()))

    def withdraw(self, turn: Turn, step: Step) -> None:
        """A turn is stopped: nobody will hear of its calls that are withheld."""
        withheld = [call.call_id for call in turn.withheld]
        for call_id in withheld:
            if call_id in turn.open_calls:
                self._output(turn.turn_id, call_id, UNWANTED, step)
            else:
                self._deny(turn.turn_id, call_id, step)
        self._turns.withdraw(turn)

    def abandon(self, turn: Turn, step: Step) -> None:
        """A turn is lost, and home automation hears of that: no answer of its comes any more."""
        if not self._is_ready():
            return
        self.withdraw(turn, step)
        for call_id in sorted(turn.open_calls):
            self._output(turn.turn_id, call_id, ABANDONED, step)
        for request_id in turn.service.open_requests:
            self._deny(turn.turn_id, request_id, step)

    def disconnected(self) -> None:
        """There is nothing left to answer."""
        self._unclaimed.clear()
        self._count = 0

    def _is_bearable(self, step: Step) -> bool:
        """One more; rule 3."""
        self._count += 1
        if self._count > MOST_UNWANTED:
            step.close = TOO_MANY
        return self._count <= MOST_UNWANTED

    def _output(self, turn_id: str, call_id: str, why: str, step: Step) -> None:
        event_id = self._memory.new_id()
        item_id = f"out_{event_id}"
        self._remember(turn_id, item_id)
        step.sends.append(ev.CreateCallOutput(event_id, item_id, call_id, json.dumps({"error": why})))

    def _deny(self, turn_id: str, request_id: str, step: Step) -> None:
        event_id = self._memory.new_id()
        item_id = f"leave_{event_id}"
        self._remember(turn_id, item_id)
        step.sends.append(ev.CreateApproval(event_id, item_id, request_id, False, UNWANTED))

    def _remember(self, turn_id: str, item_id: str) -> None:
        if turn_id:
            self._memory.item(turn_id, item_id)
