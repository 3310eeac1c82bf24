"""Who is told what: outcomes of turns become reports, commands of home automation become controls.

Pure: no clock, no I/O. Each method returns the actions in the order in which they are to be carried out.

Time passes first: whatever comes in, calls whose deadline passed are answered before it, so that a flood of messages
cannot keep a late result alive. A turn that is over stays so: what is called for it is not carried out.
"""

import json
from collections import deque
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, assert_never

from voice_node.model import command as cmd
from voice_node.model import control as ctl
from voice_node.model import report as rep
from voice_node.model.moment import Moment
from voice_node.model.report import EventType
from voice_node.model.turn import (
    CaptureChanged,
    LinkChanged,
    MuteChanged,
    Outcome,
    PlaybackChanged,
    ReplyStarted,
    ServiceTrouble,
    SoundCounted,
    SpeechChanged,
    ToolCall,
    Transcript,
    TurnFinished,
    TurnLost,
    Usage,
)
from voice_node.router.action import Action
from voice_node.router.calls import Calls, Ending, OpenCall
from voice_node.router.costs import Costs
from voice_node.router.introduction import Introduction
from voice_node.router.status import Status
from voice_node.router.tools import BadArguments, ToolBox
from voice_node.settings.schema import RoomSettings

UNREACHABLE = "home unreachable"
MOST_TURNS = 64
"""Turns whose cost or end is remembered."""
MOST_PROBLEMS = 64
"""Kinds of problems that are counted apart: a service may invent codes without end."""


class Router:
    """One room's switchboard."""

    def __init__(
        self,
        settings: RoomSettings,
        next_turn_id: Callable[[], str],
        facts: Mapping[str, Any],
        *,
        costs: Costs,
        is_muted: bool,
        volume: int,
        introduction: Introduction | None = None,
    ) -> None:
        """`facts` is what `info` tells besides the link: version, configuration hash, capabilities; no secrets."""
        self._settings = settings
        self._next_turn_id = next_turn_id
        self._facts = dict(facts)
        self._tools = ToolBox(settings.tools)
        self._calls = Calls()
        self._status = Status()
        self._status.is_muted = is_muted
        self._is_mute_wanted = is_muted
        """What was ordered last; the device follows."""
        self._costs = costs
        self._over: deque[str] = deque(maxlen=MOST_TURNS)
        """Turns that ended lately: a segment may close after its turn was lost."""
        self._volume = volume
        self._introduction = introduction
        """None: Home Assistant is not told of this room."""
        self._problems: dict[str, int] = {}

    @property
    def next_deadline(self) -> float | None:
        """When `tick` must be called at the latest; seconds of the steady clock."""
        due = [self._calls.next_deadline, None if self._introduction is None else self._introduction.next_at]
        return min((at for at in due if at is not None), default=None)

    def started(self, now: Moment) -> list[Action]:
        """What home automation is told first."""
        introduced = [] if self._introduction is None else self._introduction.started(now.at)
        return [*introduced, *self._everything(now)]

    def _everything(self, now: Moment) -> list[Action]:
        return [
            rep.Info(dict(self._facts)),
            rep.SettingState("mute", "ON" if self._status.is_muted else "OFF"),
            rep.SettingState("volume", self._volume),
            *self._costs.started(),
            *self._state(now),
        ]

    def tick(self, now: Moment) -> list[Action]:
        """Answer the calls whose deadline passed, and tell Home Assistant what it is time for."""
        actions, is_again = ([], False) if self._introduction is None else self._introduction.due(now.at)
        if is_again:
            actions += self._told_again(now)
        for call in self._calls.expired(now.at):
            actions += self._call_failed(call, "no answer in time", "timeout", now)
        return actions

    def undelivered(self, call_id: str, why: str, now: Moment) -> list[Action]:
        """A call could not be published: the model is told at once."""
        call = self._calls.abandon(call_id)
        return [] if call is None else self._call_failed(call, UNREACHABLE, "unreachable", now, why)

    def problem(self, code: str, detail: str, turn_id: str | None = None) -> list[Action]:
        """Tell home automation that something is wrong."""
        counted = code if code in self._problems or len(self._problems) < MOST_PROBLEMS else "others"
        self._problems[counted] = self._problems.get(counted, 0) + 1
        return [rep.Happening(EventType.ERROR, {"code": code, "detail": detail}, turn_id)]

    def outcome(self, outcome: Outcome, now: Moment) -> list[Action]:
        """What becomes of an outcome of the session, the gate, the microphone or the speaker."""
        passed = self.tick(now)
        match outcome:
            case Transcript():
                actions = self._transcript(outcome)
            case ToolCall():
                actions = self._tool_call(outcome, now)
            case Usage():
                actions = self._costs.use(outcome)
            case SoundCounted(captured_s):
                actions = self._costs.captured(captured_s, now.day)
            case TurnFinished() | TurnLost():
                actions = self._turn_over(outcome)
            case SpeechChanged():
                actions = self._speech(outcome)
            case PlaybackChanged(is_speaking):
                self._status.is_speaking = is_speaking
                actions = []
            case LinkChanged():
                actions = self._link(outcome)
            case CaptureChanged(is_open, device, detail):
                actions = [] if is_open else self.problem("capture", f"{device}: {detail}")
            case ServiceTrouble(code, detail, turn_id):
                actions = self.problem(code, detail, turn_id)
            case MuteChanged(is_muted):
                self._status.is_muted = is_muted
                actions = [rep.SettingState("mute", "ON" if is_muted else "OFF")]
            case ReplyStarted():
                actions = []
            case _:
                assert_never(outcome)
        return [*passed, *actions, *self._state(now)]

    def command(self, command: cmd.Command, now: Moment) -> list[Action]:
        """What becomes of a command of home automation."""
        passed = self.tick(now)
        match command:
            case cmd.ToolResult():
                actions = self._tool_result(command, now)
            case cmd.SetMute(is_muted):
                actions = self._mute(is_muted)
            case cmd.SetSetting(name, value):
                actions = self._set(name, value)
            case cmd.BadInput(place, detail, name, reply_to):
                actions = self.problem("bad_input", f"{place}: {detail}")
                if name is not None:
                    actions = [rep.Response(name, detail, {}, reply_to)]
            case cmd.HomeAssistantStatus(is_online):
                if is_online and self._introduction is not None:
                    self._introduction.born(now.at)
                actions = []
            case cmd.BrokerChanged():
                actions = []
            case _:
                actions = self._request(command)
        return [*passed, *actions, *self._state(now)]

    def _request(self, request: cmd.Request) -> list[Action]:
        match request:
            case cmd.Listen(timeout_ms, reply_to):
                if self._status.is_muted:
                    return [rep.Response("listen", "the microphone is muted", {}, reply_to)]
                timeout_ms = timeout_ms or self._settings.activation.follow_up_ms
                return [ctl.OpenGate(timeout_ms), rep.Response("listen", reply_to=reply_to)]
            case cmd.Stop(reply_to):
                return [ctl.StopReply(), rep.Response("stop", reply_to=reply_to)]
            case cmd.Say(text, _, volume, reply_to):
                turn_id = self._typed_turn()
                return [
                    ctl.SayText(turn_id, text, volume),
                    rep.Response("say", None, {"turn_id": turn_id}, reply_to),
                ]
            case cmd.Ask(text, instructions, reply_to):
                turn_id = self._typed_turn()
                return [
                    ctl.AskText(turn_id, text, instructions),
                    rep.Response("ask", None, {"turn_id": turn_id}, reply_to),
                ]
            case cmd.Decide(call_id, is_approved, reply_to):
                name = "approve" if is_approved else "deny"
                return [rep.Response(name, f"no call {call_id[:64]} waits for a decision", {}, reply_to)]
            case cmd.Reset(reply_to):
                return [ctl.ResetConversation(), rep.Response("reset", reply_to=reply_to)]
            case cmd.Reload(reply_to):
                return [ctl.ReloadSettings(reply_to)]
            case cmd.Diagnose(reply_to):
                return [rep.Response("diagnose", None, self._diagnosis(), reply_to)]
            case _:
                assert_never(request)

    def _typed_turn(self) -> str:
        turn_id = self._next_turn_id()
        self._status.begin_thinking(turn_id)
        return turn_id

    def _diagnosis(self) -> dict[str, Any]:
        return {"info": dict(self._facts), "problems": dict(self._problems), "open_calls": len(self._calls)}

    def _transcript(self, outcome: Transcript) -> list[Action]:
        if not outcome.is_final:
            return [outcome] if self._settings.mqtt.partials else []
        event_type = EventType.TRANSCRIPT if outcome.role == "user" else EventType.RESPONSE
        fields = {"item_id": outcome.item_id, "role": outcome.role, "text": outcome.text}
        last = rep.LastWords(outcome.role, outcome, self._settings.mqtt.retain_last)
        return [outcome, last, rep.Happening(event_type, fields, outcome.turn_id)]

    def _tool_call(self, call: ToolCall, now: Moment) -> list[Action]:
        if call.turn_id in self._over:
            return self.problem("late_call", "a call of a turn that is over was not carried out", call.turn_id)
        if self._calls.knows(call.call_id):
            return self._repeated(call)
        tool = self._tools.get(call.name)
        if tool is None:
            return self._refuse(call, "unknown_tool", "there is no tool of this name")
        if tool.confirm != "never":
            return self._refuse(
                call, "not_confirmed", f"{call.name} needs a confirmation, which cannot be asked for yet"
            )
        try:
            arguments = self._tools.read(call.name, call.arguments)
        except BadArguments as error:
            return self._refuse(call, "bad_arguments", str(error))
        timeout = timedelta(seconds=tool.timeout_s)
        self._costs.called()
        self._calls.add(OpenCall(call.call_id, call.turn_id, call.name, now.at, now.at + tool.timeout_s))
        report = rep.CallReport(call.call_id, call.turn_id, call.name, arguments, now.wall, now.wall + timeout)
        fields = {"call_id": call.call_id, "name": call.name, "arguments": arguments}
        return [report, rep.Happening(EventType.TOOL_CALL, fields, call.turn_id)]

    def _repeated(self, call: ToolCall) -> list[Action]:
        """Nothing acts twice; the model must not wait for what was answered before."""
        if self._calls.is_open(call.call_id):
            return self.problem("repeated_call", "a call came again before its answer", call.turn_id)
        return self._refuse(call, "repeated_call", "a call of this id was made before")

    def _refuse(self, call: ToolCall, code: str, why: str) -> list[Action]:
        """Nothing reaches home automation but the report; the model gets the reason as the call's output."""
        place = call.name if self._tools.get(call.name) is not None else "a tool that is not offered"
        return [
            ctl.AnswerCall(call.call_id, _error_output(why)),
            *self.problem(code, f"{place} was not called: {code.replace('_', ' ')}", call.turn_id),
        ]

    def _call_failed(self, call: OpenCall, error: str, code: str, now: Moment, why: str = "") -> list[Action]:
        fields = {
            "call_id": call.call_id,
            "name": call.name,
            "is_ok": False,
            "error": error,
            "duration_ms": round((now.at - call.issued_at) * 1000),
        }
        return [
            ctl.AnswerCall(call.call_id, _error_output(error)),
            rep.Happening(EventType.TOOL_RESULT, fields, call.turn_id),
            *self.problem(code, f"{call.name}: {why or error}", call.turn_id),
        ]

    def _tool_result(self, result: cmd.ToolResult, now: Moment) -> list[Action]:
        call = self._calls.answer(result.call_id, result.name)
        if isinstance(call, Ending):
            return self.problem(f"{call}_result", f"{result.name}: the result is not used ({call})")
        output = _error_output(result.error) if result.error is not None else json.dumps(result.output, allow_nan=False)
        fields = {
            "call_id": call.call_id,
            "name": call.name,
            "is_ok": result.error is None,
            "duration_ms": round((now.at - call.issued_at) * 1000),
        }
        return [ctl.AnswerCall(call.call_id, output), rep.Happening(EventType.TOOL_RESULT, fields, call.turn_id)]

    def _turn_over(self, outcome: TurnFinished | TurnLost) -> list[Action]:
        turn_id = outcome.turn_id
        self._over.append(turn_id)
        self._status.end_thinking(turn_id)
        usage, told = self._costs.turn_over(turn_id)
        self._calls.abandon_turn(turn_id)
        match outcome:
            case TurnLost(_, reason, detail):
                text = f"the turn was lost: {reason}" + (f": {detail}" if detail else "")
                return [*self.problem("turn_lost", text, turn_id), *told]
            case TurnFinished(_, status, detail, timings_ms):
                fields = {"status": status, "detail": detail, "timings_ms": timings_ms, "usage": usage}
                return [rep.Happening(EventType.TURN_FINISHED, fields, turn_id), *told]
            case _:
                assert_never(outcome)

    def _speech(self, outcome: SpeechChanged) -> list[Action]:
        if outcome.is_open:
            self._status.listening_to = outcome.turn_id
            return [rep.GateOpen(is_open=True)]
        self._status.listening_to = None
        if not outcome.is_kept:
            return [rep.GateOpen(is_open=False)]
        if outcome.turn_id not in self._over:
            self._status.begin_thinking(outcome.turn_id)
        fields = {
            "duration_ms": outcome.duration_ms,
            "voiced_ms": outcome.voiced_ms,
            "snr_db": round(outcome.snr_db, 1),
        }
        streamed = self._costs.heard(outcome.duration_ms)
        return [rep.GateOpen(is_open=False), rep.Happening(EventType.SEGMENT, fields, outcome.turn_id), *streamed]

    def _link(self, outcome: LinkChanged) -> list[Action]:
        was_offline = self._status.is_offline
        self._status.is_offline = outcome.is_trouble
        if outcome.is_up:
            self._facts |= {"session_id": outcome.session_id, "dialect": outcome.dialect, "open_ms": outcome.open_ms}
            return [rep.Info(dict(self._facts))]
        if outcome.is_trouble and not was_offline:
            return self.problem("session_lost", outcome.detail)
        return []

    def _mute(self, is_muted: bool) -> list[Action]:
        is_closed = self._status.is_muted or self._is_mute_wanted
        if not is_muted and is_closed and not self._settings.mute.remote_unmute:
            return [
                *self.problem("unmute_refused", "only the switch on the device may open the microphone"),
                rep.SettingState("mute", "ON"),
            ]
        self._is_mute_wanted = is_muted
        return [ctl.SetMuted(is_muted)]  # told when the device is really closed

    def _set(self, name: str, value: float | str) -> list[Action]:
        if name == "volume" and isinstance(value, int):
            self._volume = value
            return [ctl.SetVolume(value), ctl.Remember("volume", value), rep.SettingState("volume", value)]
        if name == "budget_usd" and isinstance(value, int | float):
            return self._costs.limit(float(value))
        return self.problem("unsupported", f"{name} cannot be set while the node runs; change the room file")

    def _told_again(self, now: Moment) -> list[Action]:
        """Every state, for an entity that has just subscribed; the broker kept all but the gate's."""
        state = self._status.told
        gate = rep.GateOpen(is_open=self._status.listening_to is not None)
        return [*self._everything(now), *([] if state is None else [state]), gate]

    def _state(self, now: Moment) -> list[Action]:
        self._status.is_over_budget = self._costs.is_spent
        state = self._status.report(now.wall)
        return [] if state is None else [state]


def _error_output(why: str) -> str:
    return json.dumps({"error": why})
