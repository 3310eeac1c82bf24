"""Who is told what: outcomes of turns become reports, commands of home automation become controls.

Pure: no clock, no I/O. Each method returns the actions in the order in which they are to be carried out.

Time passes first: whatever comes in, calls whose deadline passed are answered before it, so that a flood of messages
cannot keep a late result alive. A turn that is over stays so: what is called for it is not carried out.
"""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, assert_never

from voice_node.model import command as cmd
from voice_node.model import control as ctl
from voice_node.model import report as rep
from voice_node.model.moment import Moment
from voice_node.model.report import EventType
from voice_node.model.turn import (
    ApprovalWanted,
    AttentionChanged,
    CaptureChanged,
    ClaimMade,
    LinkChanged,
    LostReason,
    MuteChanged,
    NumberHeard,
    Outcome,
    PlaybackChanged,
    ProviderChanged,
    ReplyStarted,
    ServiceTrouble,
    SoundCounted,
    SpeechChanged,
    StopTaken,
    ToolCall,
    Transcript,
    TurnFinished,
    TurnLost,
    TurnYielded,
    Usage,
)
from voice_node.router.action import Action
from voice_node.router.calling import Calling
from voice_node.router.confirmation import Confirmation
from voice_node.router.costs import Costs
from voice_node.router.follow_up import FollowUp
from voice_node.router.introduction import Introduction
from voice_node.router.pin import PinLock
from voice_node.router.problems import Problems
from voice_node.router.requests import Requests
from voice_node.router.status import Status
from voice_node.router.tools import ToolBox
from voice_node.router.tuning import Tuning, Unusable

MOST_TURNS = 64
"""Turns whose end is remembered."""


class Router:
    """One room's switchboard."""

    def __init__(
        self,
        tuning: Tuning,
        next_turn_id: Callable[[], str],
        facts: Mapping[str, Any],
        *,
        costs: Costs,
        is_muted: bool,
        is_mute_switched: bool = False,
        pin: PinLock | None = None,
        hears_privately: bool = False,
        introduction: Introduction | None = None,
        hears_when_spent: bool = False,
    ) -> None:
        """`facts` is what `info` tells besides the link: version, configuration hash, capabilities; no secrets.

        `hears_when_spent`: somebody answers for nothing when the day's budget is spent.
        `pin` belongs to tools with `confirm: pin`; `hears_privately` where this device can recognise digits itself.
        """
        settings = tuning.settings
        self._settings = settings
        self._facts = dict(facts)
        self._tuning = tuning
        self._problems = Problems()
        self._health: Mapping[str, Any] | None = None
        """As it was told last, without the problems."""
        self._told_problem: str | None = None
        self._status = Status()
        self._status.is_muted = is_muted
        self._is_switched = is_mute_switched
        """The switch on the device is closed."""
        self._is_mute_wanted = is_muted
        """What was ordered last; the device follows."""
        self._costs = costs
        self._over: deque[str] = deque(maxlen=MOST_TURNS)
        """Turns that ended lately: a segment may close after its turn was lost."""
        self._calling = Calling(
            ToolBox(settings.tools),
            Confirmation(settings, pin or PinLock(None, {}), next_turn_id, hears_privately=hears_privately),
            self._problems,
            costs.called,
            servers={tool.server_label for tool in settings.session.tools},
            audits_arguments=settings.log.tool_arguments,
        )
        activation = settings.activation
        self._follow_up = FollowUp(activation.follow_up_ms, is_always=activation.mode == "voice")
        self._requests = Requests(
            next_turn_id,
            self._status,
            tuning,
            self._calling,
            self._follow_up,
            self._diagnosis,
            hears_when_spent=hears_when_spent,
        )
        self._is_served = True
        """By the service of its settings."""
        self._introduction = introduction
        """None: Home Assistant is not told of this room."""

    @property
    def next_deadline(self) -> float | None:
        """When `tick` must be called at the latest; seconds of the steady clock."""
        due = [self._calling.next_deadline, None if self._introduction is None else self._introduction.next_at]
        return min((at for at in due if at is not None), default=None)

    @property
    def is_quiet(self) -> bool:
        """Nobody speaks, and nothing waits for an answer."""
        return self._status.is_quiet and not len(self._calling)

    def started(self, now: Moment) -> list[Action]:
        """What home automation is told first."""
        introduced = [] if self._introduction is None else self._introduction.started(now.at)
        return [*introduced, *self._everything(now)]

    def _everything(self, now: Moment) -> list[Action]:
        return [
            rep.Info(dict(self._facts)),
            rep.SettingState("mute", "ON" if self._status.is_muted else "OFF"),
            *self._tuning.states(),
            *self._costs.started(),
            *self._state(now),
        ]

    def tick(self, now: Moment) -> list[Action]:
        """Answer the calls whose deadline passed, and tell Home Assistant what it is time for."""
        actions, is_again = ([], False) if self._introduction is None else self._introduction.due(now.at)
        if is_again:
            actions += self._told_again(now)
        return actions + self._calling.tick(now)

    def undelivered(self, call_id: str, why: str, now: Moment) -> list[Action]:
        """A call could not be published: the model is told at once."""
        return self._calling.undelivered(call_id, why, now)

    def delivered(self, call_id: str, now: Moment) -> list[Action]:
        """The broker has a call."""
        return self._calling.delivered(call_id, now)

    def ended(self, now: Moment) -> list[Action]:
        """The node ends, whatever is open."""
        return self._calling.ended(now)

    def problem(self, code: str, detail: str, turn_id: str | None = None) -> list[Action]:
        """Tell home automation that something is wrong."""
        return self._problems.tell(code, detail, turn_id)

    def outcome(self, outcome: Outcome, now: Moment) -> list[Action]:
        """What becomes of an outcome of the session, the gate, the microphone or the speaker."""
        passed = self.tick(now)
        match outcome:
            case Transcript():
                actions = self._transcript(outcome, now)
            case ToolCall() | ApprovalWanted():
                actions = self._tool_call(outcome, now)
            case NumberHeard():
                actions = self._calling.number(outcome, now)
            case Usage():
                actions = self._costs.use(outcome)
            case SoundCounted(captured_s, health):
                self._health = health
                actions = [*self._costs.captured(captured_s, now.day), self._health_report()]
            case TurnFinished() | TurnLost():
                actions = self._turn_over(outcome, now)
            case SpeechChanged():
                actions = self._speech(outcome, now)
            case PlaybackChanged(is_speaking):
                self._status.is_speaking = is_speaking
                actions = []
                if not is_speaking:
                    self._calling.fell_silent(now)
                    actions = self._follow_up.reply_over()
            case AttentionChanged():
                actions = self._attention(outcome)
            case ClaimMade() | TurnYielded():
                actions = [_told_to_rooms(outcome)]
            case LinkChanged():
                actions = self._link(outcome)
            case ProviderChanged(provider, why):
                actions = self._provider_changed(provider, why)
            case CaptureChanged() | ServiceTrouble():
                actions = self._trouble(outcome)
            case MuteChanged(is_muted):
                self._status.is_muted = is_muted
                actions = [rep.SettingState("mute", "ON" if is_muted else "OFF")]
            case StopTaken():
                self._calling.stop_taken()
                actions = []
            case ReplyStarted(turn_id):
                self._follow_up.reply_started(turn_id)
                actions = []
            case _:
                assert_never(outcome)
        return [*passed, *actions, *self._state(now)]

    def command(self, command: cmd.Command, now: Moment) -> list[Action]:
        """What becomes of a command of home automation."""
        passed = self.tick(now)
        match command:
            case cmd.ToolResult():
                actions = self._calling.result(command, now)
            case cmd.ToolUnreachable(call_id, why):
                actions = self._calling.undelivered(call_id, why, now)
            case cmd.DeviceReport():
                actions = self._calling.device(command, now)
            case cmd.SetMute(is_muted):
                actions = self._mute(is_muted, now)
            case cmd.MuteSwitched(is_muted):
                self._is_switched = self._is_mute_wanted = is_muted
                actions = self._switch_mute(is_muted, now)
            case cmd.SetSetting(name, value):
                actions = self._set(name, value)
            case cmd.BadInput(place, detail, name, reply_to):
                actions = self.problem("bad_input", f"{place}: {detail}")
                if name is not None:
                    actions = [rep.Response(name, detail, {}, reply_to)]
            case cmd.BrokerRefused(place, detail):
                actions = self.problem("broker_refused", f"{place}: {detail}")
            case cmd.OutboxTrouble(detail):
                actions = self.problem("outbox", detail)
            case cmd.RoomClaims(room, claim_id, gives_way_to):
                actions = [ctl.HearClaim(room, claim_id, gives_way_to)]
            case cmd.HomeAssistantStatus(is_online):
                if is_online and self._introduction is not None:
                    self._introduction.born(now.at)
                actions = []
            case cmd.BrokerChanged():
                actions = []
            case _:
                actions = self._requests.answer(command, now)
        return [*passed, *actions, *self._state(now)]

    def _trouble(self, outcome: CaptureChanged | ServiceTrouble) -> list[Action]:
        match outcome:
            case CaptureChanged(is_open, device, detail):
                return [] if is_open else self.problem("capture", f"{device}: {detail}")
            case ServiceTrouble(code, detail, turn_id):
                return self.problem(code, detail, turn_id)
            case _:
                assert_never(outcome)

    def _diagnosis(self) -> dict[str, Any]:
        return {"info": dict(self._facts), "problems": self._problems.counts, "open_calls": len(self._calling)}

    def _transcript(self, outcome: Transcript, now: Moment) -> list[Action]:
        outcome, decided = self._calling.words(outcome, now)
        if not outcome.is_final:
            return [outcome] if self._settings.mqtt.partials else []
        event_type = EventType.TRANSCRIPT if outcome.role == "user" else EventType.RESPONSE
        fields = {"item_id": outcome.item_id, "role": outcome.role, "text": outcome.text}
        last = rep.LastWords(outcome.role, outcome, self._settings.mqtt.retain_last)
        return [outcome, last, rep.Happening(event_type, fields, outcome.turn_id), *decided]

    def _tool_call(self, call: ToolCall | ApprovalWanted, now: Moment) -> list[Action]:
        if call.turn_id in self._over:
            return self.problem("late_call", "a call of a turn that is over was not carried out", call.turn_id)
        return self._calling.wanted(call, self._requests.asked_by(call.turn_id), now)

    def _turn_over(self, outcome: TurnFinished | TurnLost, now: Moment) -> list[Action]:
        turn_id = outcome.turn_id
        self._over.append(turn_id)
        self._status.end_thinking(turn_id)
        usage, told = self._costs.turn_over(turn_id)
        told = [*self._calling.turn_over(turn_id, now, is_lost=isinstance(outcome, TurnLost)), *told]
        match outcome:
            case TurnLost(_, reason, detail):
                text = f"the turn was lost: {reason}" + (f": {detail}" if detail else "")
                is_news = reason not in (LostReason.EMPTY, LostReason.MUTED)
                chime = self._chime(ctl.Chime.ERROR) if is_news else []
                return [*chime, *self.problem("turn_lost", text, turn_id), *told]
            case TurnFinished(_, status, detail, timings_ms, conversation_id):
                fields = {"status": status, "detail": detail, "timings_ms": timings_ms, "usage": usage}
                if conversation_id is not None:
                    fields["conversation_id"] = conversation_id
                followed = [] if self._status.is_speaking else self._follow_up.reply_over()  # only written
                return [rep.Happening(EventType.TURN_FINISHED, fields, turn_id), *told, *followed]
            case _:
                assert_never(outcome)

    def _speech(self, outcome: SpeechChanged, now: Moment) -> list[Action]:
        self._calling.speech(outcome, now)
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
        streamed = self._costs.heard(outcome.duration_ms) if self._is_served else []
        if self._settings.activation.mode != "voice":  # there, nobody waits for a sign
            streamed = [*streamed, *self._chime(ctl.Chime.DONE)]
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

    def _provider_changed(self, provider: str, why: str) -> list[Action]:
        self._is_served = not why
        self._facts["provider"] = provider
        problem = self.problem("service_away", f"{why}; this device answers by itself meanwhile") if why else []
        return [rep.Info(dict(self._facts)), *problem]

    def _attention(self, outcome: AttentionChanged) -> list[Action]:
        self._status.is_attending = outcome.is_open
        if outcome.wake_word is None:
            return []
        return [*self._chime(ctl.Chime.WAKE), rep.Happening(EventType.WAKE, {"wake_word": outcome.wake_word})]

    def _chime(self, chime: ctl.Chime) -> list[Action]:
        return [ctl.SoundChime(chime)] if self._settings.playback.chimes else []

    def _mute(self, is_muted: bool, now: Moment) -> list[Action]:
        is_closed = self._status.is_muted or self._is_mute_wanted
        if not is_muted and is_closed and (self._is_switched or not self._settings.mute.remote_unmute):
            return [
                *self.problem("unmute_refused", "only the switch on the device may open the microphone"),
                rep.SettingState("mute", "ON"),
            ]
        self._is_mute_wanted = is_muted
        return self._switch_mute(is_muted, now)

    def _switch_mute(self, is_muted: bool, now: Moment) -> list[Action]:
        """It is told when the device is really closed."""
        return [ctl.SetMuted(is_muted), *(self._calling.muted(now) if is_muted else [])]

    def _set(self, name: str, value: float | str) -> list[Action]:
        try:
            actions = self._tuning.set(name, value)
        except Unusable as error:
            return [*self.problem("bad_setting", str(error)), *self._tuning.state(name)]
        match name:
            case "budget_usd":
                actions += self._costs.limit(float(value))
            case "follow_up_ms":
                self._calling.follow_up(int(value))
                self._follow_up.duration_ms = int(value)
        return actions

    def _told_again(self, now: Moment) -> list[Action]:
        """Every state, for an entity that has just subscribed; the broker kept all but the gate's."""
        state = self._status.told
        gate = rep.GateOpen(is_open=self._status.listening_to is not None)
        return [*self._everything(now), *([] if state is None else [state]), gate]

    def _state(self, now: Moment) -> list[Action]:
        self._status.is_over_budget = self._costs.is_spent
        state = self._status.report(now.wall)
        is_news = self._health is not None and self._problems.last != self._told_problem
        return [*([] if state is None else [state]), *([self._health_report()] if is_news else [])]

    def _health_report(self) -> rep.Health:
        self._told_problem = self._problems.last
        return rep.Health({**(self._health or {}), "problems": self._problems.counts, "last_error": self._told_problem})


def _told_to_rooms(outcome: ClaimMade | TurnYielded) -> rep.Report:
    match outcome:
        case ClaimMade(claim_id, gives_way_to):
            return rep.Claim(claim_id, gives_way_to)
        case TurnYielded(to, turn_id):
            return rep.Happening(EventType.YIELDED, {"to": to}, turn_id)
        case _:
            assert_never(outcome)
