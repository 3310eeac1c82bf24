"""From the model's tool call to its one output.

Rules

1. Each call gets exactly one output: a result, an error, a timeout, a refusal, "home unreachable", or the question that
   the model is to put to the person. Only a call whose turn is over gets none: nobody waits for it.
2. A call goes out at most once, under its own `call_id`; an id that was seen before never acts again.
3. Before it goes out it passes, in this order: an id that is new, no stop under way, a name that exists, its schema,
   the templates of `publish`, the rules of `policy`, and a person where `confirm` asks for one.
4. Whatever becomes of it is written to the audit log, once: who asked, what, who decided, how it ended. Arguments are
   written only with `log.tool_arguments: true`.
5. After a stop, calls are refused until the session has taken it: it told them while it knew of no stop, so they are of
   the turns that are stopped. What it tells later is of turns that go on.
6. What the service asks leave for passes the same way, but for a schema, which the service alone knows, and a person
   always decides, over MQTT. Its output is a yes or a no; the call itself is the service's affair.
"""

import json
from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Any

from voice_node.model import command as cmd
from voice_node.model import control as ctl
from voice_node.model import report as rep
from voice_node.model.moment import Moment
from voice_node.model.report import EventType
from voice_node.model.turn import ApprovalWanted, NumberHeard, SpeechChanged, ToolCall, Transcript
from voice_node.router.action import Action
from voice_node.router.calls import Calls, Ending, OpenCall
from voice_node.router.confirmation import Confirmation
from voice_node.router.confirmation import Outcome as Waiting
from voice_node.router.direct import confirmation, order
from voice_node.router.policy import Refused, Rules
from voice_node.router.problems import Problems
from voice_node.router.tools import BadArguments, ToolBox, read_object
from voice_node.router.wish import Wish
from voice_node.settings.mcp import RemoteTool, ServiceTool
from voice_node.settings.tools import Tool

UNREACHABLE = "home unreachable"
LONGEST_STOP_S = 15.0
"""A session that did not take a stop by then will not: it gives up a service that does not read after 10 s."""


class Calling:
    """The tool calls of one room."""

    def __init__(
        self,
        tools: ToolBox,
        confirmation: Confirmation,
        problems: Problems,
        count: Callable[[], None],
        *,
        servers: Collection[str] = (),
        audits_arguments: bool = False,
    ) -> None:
        """`count` is told of each call that goes out; of `servers` the service may ask leave to call tools itself."""
        self._tools = tools
        self._servers = servers
        self._confirmation = confirmation
        self._problems = problems
        self._count = count
        self._audits_arguments = audits_arguments
        self._calls = Calls()
        self._rules = Rules()
        self._published: dict[str, tuple[Wish, str]] = {}
        """By id: the calls that are open, and who let them pass."""
        self._stops = 0
        """Stops that the session has not taken yet."""
        self._stops_until = 0.0

    def __len__(self) -> int:
        return len(self._calls) + len(self._confirmation)

    @property
    def next_deadline(self) -> float | None:
        """When `tick` must be called at the latest; seconds of the steady clock."""
        due = (self._calls.next_deadline, self._confirmation.next_deadline)
        return min((at for at in due if at is not None), default=None)

    def tick(self, now: Moment) -> list[Action]:
        """Answer the calls whose deadline passed."""
        actions: list[Action] = []
        for call in self._calls.expired(now.at):
            actions += self._failed(call, "no answer in time", "timeout", now)
        return [*actions, *self._decided(self._confirmation.expired(now), now)]

    def wanted(self, call: ToolCall | ApprovalWanted, asked_by: str, now: Moment) -> list[Action]:
        """The model calls a tool, or the service asks whether it may."""
        if self._calls.knows(call.call_id) or self._confirmation.holds(call.call_id):
            return self._repeated(call, asked_by, now)
        if self._stops and now.at < self._stops_until:
            return self._refuse(call, asked_by, Refused("stopped", "refused: the person said stop"), now)
        tool = self._tool_of(call)
        if tool is None:
            names = ", ".join(tool.name for tool in self._tools)
            unknown = Refused("unknown_tool", f"there is no such tool; there are: {names}")
            return self._refuse(call, asked_by, unknown, now)
        try:
            is_own = isinstance(call, ToolCall)
            arguments = self._tools.read(call.name, call.arguments) if is_own else read_object(call.arguments)
            direct = order(tool, arguments)
        except BadArguments as error:
            return self._refuse(call, asked_by, Refused("bad_arguments", str(error)), now)
        refused = self._rules.refusal(tool, arguments, call.turn_id, now)
        wish = Wish(call.call_id, call.turn_id, tool, arguments, direct, asked_by, now.at)
        if refused is not None:
            return self._refuse(call, asked_by, refused, now, wish)
        if tool.policy == "never":
            return self._carry_out(wish, "rule", now)
        return self._decided(self._confirmation.begin(wish, now), now)

    def _tool_of(self, call: ToolCall | ApprovalWanted) -> Tool | None:
        if isinstance(call, ToolCall):
            return self._tools.get(call.name)
        if call.server not in self._servers:
            return None
        return ServiceTool(name=call.name, description=call.server, server=call.server, confirm="mqtt")

    def undelivered(self, call_id: str, why: str, now: Moment) -> list[Action]:
        """A call could not be published: the model is told at once."""
        call = self._calls.abandon(call_id)
        return [] if call is None else self._failed(call, UNREACHABLE, "unreachable", now, why)

    def delivered(self, call_id: str, now: Moment) -> list[Action]:
        """The broker has a call; where no more than that was expected, it is the answer."""
        wish, _ = self._published.get(call_id, (None, ""))
        if wish is None or wish.order is None or wish.order.expected is not None:
            return []
        call = self._calls.answer_by_broker(call_id)
        return [] if call is None else self._succeeded(call, {"result": "sent"}, now)

    def result(self, result: cmd.ToolResult, now: Moment) -> list[Action]:
        """Home automation answers."""
        call = self._calls.answer(result.call_id, result.name)
        if isinstance(call, Ending):
            return self._problems.tell(f"{call}_result", f"{result.name}: the result is not used ({call})")
        if result.error is None:
            return self._succeeded(call, result.output, now)
        return self._closed(call, _error(result.error), {"is_ok": False}, "error", now)

    def device(self, report: cmd.DeviceReport, now: Moment) -> list[Action]:
        """A device says something on a topic that some tool expects."""
        actions: list[Action] = []
        for call in self._calls.answer_by_device(report.topic):
            actions += self._succeeded(call, confirmation(report.payload), now)
        return actions

    def decide(self, request: cmd.Decide, now: Moment) -> list[Action]:
        """A person decides by way of home automation."""
        name = "approve" if request.is_approved else "deny"
        decided = self._confirmation.decide(request.call_id, now, is_approved=request.is_approved)
        if decided is None:
            error = f"no call {request.call_id[:64]} waits for a decision"
            return [rep.Response(name, error, {}, request.reply_to)]
        data = {"call_id": request.call_id, "name": decided.wish.tool.name}
        return [rep.Response(name, None, data, request.reply_to), *self._decided(([], [decided]), now)]

    def words(self, words: Transcript, now: Moment) -> tuple[Transcript, list[Action]]:
        """Somebody said something: as it may be repeated, and what it decides."""
        shown, waiting = self._confirmation.words(words, now)
        return shown, self._decided(waiting, now)

    def number(self, heard: NumberHeard, now: Moment) -> list[Action]:
        """A person said digits that stay on this device."""
        return self._decided(self._confirmation.number(heard.digits, now), now)

    def speech(self, outcome: SpeechChanged, now: Moment) -> None:
        """The gate opened or closed."""
        self._confirmation.speech(outcome, now)

    def fell_silent(self, now: Moment) -> None:
        """The speaker did."""
        self._confirmation.fell_silent(now)

    def muted(self, now: Moment) -> list[Action]:
        """Somebody closes the microphone."""
        return self._decided(self._confirmation.muted(now), now)

    def follow_up(self, duration_ms: int) -> None:
        """How long a person may take to answer a question."""
        self._confirmation.follow_up(duration_ms)

    def forget_questions(self) -> None:
        """A turn begins that nobody spoke, or the conversation is forgotten: no yes counts any more."""
        self._confirmation.forget_questions()

    def stop(self, now: Moment) -> list[Action]:
        """Somebody said stop."""
        return [*self._stop_reply(now), *self._decided(self._confirmation.stop(now), now)]

    def stop_taken(self) -> None:
        """The session knows of a stop."""
        self._stops = max(0, self._stops - 1)

    def turn_over(self, turn_id: str, now: Moment, *, is_lost: bool) -> list[Action]:
        """Nobody waits for the calls of this turn any more."""
        actions: list[Action] = []
        for call in self._calls.abandon_turn(turn_id):
            actions += self._audit_published(call, "abandoned", now)
        (more, held), unused = self._confirmation.turn_over(turn_id, now, is_lost=is_lost)
        for decided in held:
            self._calls.refuse(decided.wish.call_id)
            actions.append(self._audit(decided.wish, decided.by, "abandoned", "abandoned", now))
        if unused:
            detail = "the person said yes, and the model did not make the call again"
            actions += self._problems.tell("confirmed_unused", detail, turn_id)
        return [*more, *actions]

    def ended(self, now: Moment) -> list[Action]:
        """The node ends: what is open is written down, and nobody is left to be told."""
        written = [
            action for call in self._calls.abandon_all() for action in self._audit_published(call, "abandoned", now)
        ]
        written += self._decided(self._confirmation.ended(now), now)
        return [action for action in written if isinstance(action, ctl.Audit)]

    def _decided(self, waiting: Waiting, now: Moment) -> list[Action]:
        actions, decisions = waiting
        for decided in decisions:
            if decided.is_question:
                actions = actions + self._ask_person(decided.wish, now)
            elif decided.refused is None:
                actions = actions + self._carry_out(decided.wish, decided.by, now)
            else:
                actions = actions + self._refuse_wish(decided.wish, decided.by, decided.refused, now)
        return actions

    def _carry_out(self, wish: Wish, by: str, now: Moment) -> list[Action]:
        fields = {"call_id": wish.call_id, "name": wish.tool.name, "arguments": wish.arguments, **wish.server}
        self._count()
        if wish.is_of_service:
            self._calls.refuse(wish.call_id)  # nobody else may answer it
            allowed = self._audit(wish, by, "allowed", "left_to_service", now)
            happening = rep.Happening(EventType.TOOL_CALL, fields, wish.turn_id)
            return [ctl.AnswerApproval(wish.call_id, is_approved=True), happening, allowed]
        expires_at = now.wall + timedelta(seconds=wish.timeout_s)
        expected = None if wish.order is None else wish.order.expected
        call = OpenCall(wish.call_id, wish.turn_id, wish.tool.name, now.at, now.at + wish.timeout_s, expected)
        self._calls.add(call)
        self._published[wish.call_id] = (wish, by)
        report: rep.CallReport | rep.DeviceOrder | ctl.CallServer
        tool = wish.tool
        if isinstance(tool, RemoteTool):
            report = ctl.CallServer(
                wish.call_id, tool.name, tool.server, tool.remote_name, wish.arguments, wish.timeout_s
            )
        elif wish.order is None:
            report = rep.CallReport(wish.call_id, wish.turn_id, wish.tool.name, wish.arguments, now.wall, expires_at)
        else:
            report = rep.DeviceOrder(wish.call_id, wish.tool.name, wish.order.topic, wish.order.payload, expires_at)
        return [report, rep.Happening(EventType.TOOL_CALL, fields, wish.turn_id)]

    def _ask_person(self, wish: Wish, now: Moment) -> list[Action]:
        name = wish.tool.name
        output = {
            "status": "confirmation_needed",
            "instruction": f"Nothing was done. Ask the person in one short sentence whether you may do this. If they "
            f"say yes, call {name} again with exactly the same arguments; else do not call it.",
        }
        self._calls.refuse(wish.call_id)
        self._rules.asked(wish.tool)
        return [
            ctl.AnswerCall(wish.call_id, json.dumps(output)),
            self._audit(wish, "voice", "asked", "not_done", now),
        ]

    def _repeated(self, call: ToolCall | ApprovalWanted, asked_by: str, now: Moment) -> list[Action]:
        """Nothing acts twice; the model must not wait for what was answered before."""
        if self._calls.is_open(call.call_id) or self._confirmation.holds(call.call_id):
            return self._problems.tell("repeated_call", "a call came again before its answer", call.turn_id)
        return self._refuse(call, asked_by, Refused("repeated_call", "a call of this id was made before"), now)

    def _stop_reply(self, now: Moment) -> list[Action]:
        self._stops = self._stops + 1 if now.at < self._stops_until else 1
        self._stops_until = now.at + LONGEST_STOP_S
        return [ctl.StopReply()]

    def _refuse(
        self, call: ToolCall | ApprovalWanted, asked_by: str, refused: Refused, now: Moment, wish: Wish | None = None
    ) -> list[Action]:
        """Nothing reaches home automation but the report; the model gets the reason as the call's output."""
        is_known = self._tool_of(call) is not None
        place = call.name if is_known else "a tool that is not offered"
        if is_known and isinstance(call, ApprovalWanted):
            place = f"a tool of {call.server}"
        self._calls.refuse(call.call_id)
        entry: dict[str, Any] = {
            "call_id": call.call_id,
            "turn_id": call.turn_id,
            "tool": call.name if is_known else None,
            **({} if wish is None else wish.server),
            "asked_by": asked_by,
            "policy": None if wish is None else wish.tool.policy,
            "decision": "refused",
            "decided_by": "rule",
            "reason": refused.code,
            "outcome": "not_done",
            "duration_ms": 0,
        }
        if wish is not None and self._audits_arguments:
            entry["arguments"] = wish.arguments
        actions: list[Action] = [
            _no(call.call_id, refused.why, is_of_service=isinstance(call, ApprovalWanted)),
            *self._problems.tell(refused.code, f"{place} was not called: {_plain(refused.code)}", call.turn_id),
            ctl.Audit(entry),
        ]
        return [*actions, ctl.EndTurn(call.turn_id)] if self._rules.refused(call.turn_id) else actions

    def _refuse_wish(self, wish: Wish, by: str, refused: Refused, now: Moment) -> list[Action]:
        """A person, or nobody, has decided."""
        self._calls.refuse(wish.call_id)
        fields = {
            "call_id": wish.call_id,
            "name": wish.tool.name,
            **wish.server,
            "is_ok": False,
            "error": refused.why,
            "duration_ms": round((now.at - wish.made_at) * 1000),
        }
        return [
            _no(wish.call_id, refused.why, is_of_service=wish.is_of_service),
            rep.Happening(EventType.TOOL_RESULT, fields, wish.turn_id),
            *self._problems.tell(refused.code, f"{wish.title} was not called: {_plain(refused.code)}", wish.turn_id),
            self._audit(wish, by, "refused", "not_done", now, refused.code),
        ]

    def _succeeded(self, call: OpenCall, output: Any, now: Moment) -> list[Action]:
        return self._closed(call, json.dumps(output, allow_nan=False), {"is_ok": True}, "done", now)

    def _failed(self, call: OpenCall, error: str, code: str, now: Moment, why: str = "") -> list[Action]:
        return [
            *self._closed(call, _error(error), {"is_ok": False, "error": error}, code, now),
            *self._problems.tell(code, f"{call.name}: {why or error}", call.turn_id),
        ]

    def _closed(self, call: OpenCall, output: str, fields: dict[str, Any], outcome: str, now: Moment) -> list[Action]:
        fields = {"call_id": call.call_id, "name": call.name, **fields, "duration_ms": _since_ms(call.issued_at, now)}
        return [
            ctl.AnswerCall(call.call_id, output),
            rep.Happening(EventType.TOOL_RESULT, fields, call.turn_id),
            *self._audit_published(call, outcome, now),
        ]

    def _audit_published(self, call: OpenCall, outcome: str, now: Moment) -> list[Action]:
        wish, by = self._published.pop(call.call_id)
        return [self._audit(wish, by, "allowed", outcome, now)]

    def _audit(
        self, wish: Wish, by: str, decision: str, outcome: str, now: Moment, reason: str | None = None
    ) -> ctl.Audit:
        entry: dict[str, Any] = {
            "call_id": wish.call_id,
            "turn_id": wish.turn_id,
            "tool": wish.tool.name,
            **wish.server,
            "asked_by": wish.asked_by,
            "policy": wish.tool.policy,
            "decision": decision,
            "decided_by": by,
            "reason": reason,
            "outcome": outcome,
            "duration_ms": _since_ms(wish.made_at, now),
        }
        return ctl.Audit({**entry, "arguments": wish.arguments} if self._audits_arguments else entry)


def _no(call_id: str, why: str, *, is_of_service: bool) -> ctl.AnswerCall | ctl.AnswerApproval:
    if is_of_service:
        return ctl.AnswerApproval(call_id, False, why)
    return ctl.AnswerCall(call_id, _error(why))


def _since_ms(at: float, now: Moment) -> int:
    return round((now.at - at) * 1000)


def _plain(code: str) -> str:
    return code.replace("_", " ")


def _error(why: str) -> str:
    return json.dumps({"error": why})
