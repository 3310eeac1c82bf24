"""The node's side of a Realtime session, sans-I/O: inputs in, a `Step` out. Knows no socket and no clock.

The life of a connection

1. `closed`: nothing can be sent; what is said is held by the conversation.
2. `opened`: the socket is up; the server speaks first. Nothing is sent before its `session.created`.
3. `configuring`: our `session.update` is on its way. No audio is sent before the server confirmed it: audio that is
   sent earlier is treated by the server's defaults, which answer by themselves.
4. `ready`: the configuration is in force; what was held is sent.

What is asked for in writing is refused while the budget is spent, and while `MOST_REQUESTS` of it wait.

A quiet moment ends a connection that is not wanted any more, whose session will expire soon, or whose conversation
nobody goes on with.

From every state a lost socket leads back to `closed`. A step without news for 10 s in `opened` or `configuring` closes
the connection. Only a refusal that no other attempt can cure ends the session for good (`Step.refused`).
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import Enum, auto
from typing import Any, assert_never

from voice_node.model.control import (
    AnswerApproval,
    AnswerCall,
    AskText,
    EndTurn,
    ResetConversation,
    SayText,
    SetMuted,
    SetSpent,
    StopReply,
)
from voice_node.model.moment import Moment
from voice_node.model.speech import Heard, SpeechAudio, SpeechEnded, SpeechOver, SpeechStarted
from voice_node.model.turn import LinkChanged, LostReason, ServiceTrouble, TurnLost
from voice_node.session import events as ev
from voice_node.session.answers import Answers
from voice_node.session.conversation import Conversation
from voice_node.session.formats import InputEncoder
from voice_node.session.memory import HOUSEKEEPING
from voice_node.session.providers import capabilities
from voice_node.session.replies import Replies
from voice_node.session.retry import PAUSES_S
from voice_node.session.server_ending import ServerEnding
from voice_node.session.setup import session_beta, session_ga
from voice_node.session.step import Step
from voice_node.session.turns import Kind, Turn
from voice_node.settings.session import SessionSettings
from voice_node.settings.session_limits import Dialect, dialect_of, turn_detection_of
from voice_node.settings.tools import Tool

Input = (
    Heard
    | AnswerCall
    | AnswerApproval
    | AskText
    | SayText
    | StopReply
    | EndTurn
    | ResetConversation
    | SetMuted
    | SetSpent
)
"""What the rest of the node puts into the session."""

MOST_REQUESTS = 16
"""Typed turns and announcements that wait at a time: what comes later would act long after it was asked for."""
HANDSHAKE_PATIENCE_S = 10.0
LONGEST_LIFE_S = 55 * 60.0
"""OpenAI ends a session after 60 minutes, whatever goes on in it."""
SHORTEST_LIFE_S = 30.0
RENEWAL_MARGIN_S = 120.0
FATAL_CODES = frozenset(
    {"invalid_api_key", "model_not_found", "missing_model", "account_deactivated", "beta_api_shape_disabled"}
)
"""Another attempt with the same room file and key ends the same way."""
BENIGN_CODES = frozenset(
    {"response_cancel_not_active", "input_audio_buffer_commit_empty", "conversation_already_has_active_response"}
)
"""Races that end well by themselves."""
TRANSIENT_CODES = frozenset({"server_error", "internal_error", "rate_limit_exceeded", "insufficient_quota"})
"""The service's own trouble, not our events': where they answer the configuration, it is tried again later."""
IDLE = "nothing was said for a while"
RESET = "the conversation was reset"
SPENT = "the day's budget is spent"
RENEWED = "the session is renewed before it expires"
PEACEFUL = frozenset({IDLE, RESET, SPENT, RENEWED})
"""Reasons of closes that are no trouble."""
_FLAT = frozenset({"modalities", "input_audio_format", "output_audio_format", "input_audio_transcription"})
"""Fields of the beta session that GA does not have."""
_KEY = re.compile(r"\b(?:sk|ek|key|xai)[-_][^\s,;\"']*[^\s,;.\"']|[\w*-]{24,}", re.IGNORECASE)


class LinkState(Enum):
    """The life of a connection; see the top of this file."""

    CLOSED = auto()
    OPENED = auto()
    CONFIGURING = auto()
    READY = auto()


class Protocol:
    """One room's session over all its connections."""

    def __init__(
        self,
        settings: SessionSettings,
        tools: Sequence[Tool],
        authorizations: Mapping[str, str] | None = None,
        *,
        patience_s: float | None = None,
    ) -> None:
        """`authorizations` are tokens of the room's MCP servers by `server_label`.

        `patience_s`: somebody else takes turns that this session does not begin to answer in so long, see `answers`.
        """
        self._authorizations = authorizations or {}
        self._settings = settings
        self._tools = tuple(tools)
        self._dialect: Dialect = dialect_of(settings)
        able = capabilities(settings, self._dialect)
        self._takes_transcription_update = able.takes_transcription_session_update
        encoder = InputEncoder(settings.input_format)
        detection = turn_detection_of(settings, self._dialect)
        ending = None if detection is None else ServerEnding(detection, encoder)
        self._answers = Answers(settings, self._new_event_id, ending, can_cancel=able.can_cancel, patience_s=patience_s)
        self._conversation = Conversation(settings, self._new_event_id, self._answers, encoder, ending)
        self._replies = Replies(self._conversation, self._answers, settings, can_truncate=able.can_truncate)
        self._link = LinkState.CLOSED
        self._since = 0.0
        """When the state of the link, or anything on it, last changed."""
        self._opening_at = 0.0
        self._renew_at = math.inf
        """When the session should be renewed, on the steady clock."""
        self._wanted: Mapping[str, Any] = {}
        """The session object that was asked for last."""
        self._is_ending = False
        self._is_spent = False
        self._event_number = 0
        self._setup_event_id = ""
        self._session_id = ""
        self.malformed_count = 0
        """Messages of the server that could not be read."""

    @property
    def dialect(self) -> Dialect:
        """What the service speaks: as the room file says, or as its first event showed."""
        return self._dialect

    @property
    def is_ready(self) -> bool:
        """Audio can be sent now."""
        return self._link is LinkState.READY

    def wants_link(self, now: Moment) -> bool:
        """A connection is needed: always, or while something is to be said and for a while after."""
        if self._is_spent:
            return False
        if self._settings.connect == "always" or not self._answers.is_quiet:
            return True
        return self._link is LinkState.READY and now.at - self._since < self._settings.conversation.idle_reset_s

    def opening(self, now: Moment) -> None:
        """A connection is attempted."""
        self._opening_at = now.at

    def opened(self, now: Moment) -> Step:
        """The socket is up."""
        self._enter(LinkState.OPENED, now)
        return Step()

    @property
    def is_quiet(self) -> bool:
        """Nothing is said, answered or waited for."""
        return self._answers.is_quiet

    @property
    def is_over(self) -> bool:
        """Nobody will be heard any more, and every turn is over."""
        return self._is_ending and self.is_quiet

    def disconnected(self, detail: str, now: Moment) -> Step:
        """The socket is gone, or never came up; `detail` says why, for people."""
        step = Step()
        self._enter(LinkState.CLOSED, now)
        is_trouble = detail not in PEACEFUL
        self._conversation.disconnected(detail if is_trouble else "", now, step)
        self._replies.disconnected()
        step.outcomes.append(LinkChanged(is_up=False, detail=detail, is_trouble=is_trouble))
        return step

    def put(self, value: Input, now: Moment) -> Step:
        """Take an input from the rest of the node."""
        step = Step()
        self._since = now.at if self.is_ready else self._since
        match value:
            case SpeechStarted() | SpeechAudio() | SpeechEnded():
                self._conversation.speech(value, now, step)
            case AnswerCall(call_id, output):
                self._answers.call_answered(call_id, output, now, step)
            case AnswerApproval():
                self._answers.approval_answered(value, now, step)
            case AskText(turn_id) | SayText(turn_id) if self._is_spent:
                step.outcomes.append(TurnLost(turn_id, LostReason.SPENT))
            case AskText(turn_id) | SayText(turn_id) if self._answers.turns.requests >= MOST_REQUESTS:
                step.outcomes.append(TurnLost(turn_id, LostReason.BUSY))
            case AskText(turn_id, text, instructions):
                self._conversation.begin_typed(Turn.typed(Kind.TYPED, turn_id, now, text, instructions), now, step)
            case SayText(turn_id, text, _):
                self._conversation.begin_typed(Turn.typed(Kind.ANNOUNCED, turn_id, now, text), now, step)
            case StopReply(item_id, played_ms, is_barge_in):
                self._answers.stop(now, step, is_barge_in=is_barge_in)
                if item_id is not None and self.is_ready:
                    self._replies.cut(item_id, played_ms, step)
            case EndTurn(turn_id):
                self._answers.stop_turn(turn_id, now, step)
            case SpeechOver():
                self._is_ending = True
            case SetMuted(is_muted):
                for turn in self._answers.turns.forget_sound() if is_muted else ():
                    self._answers.lose(turn, LostReason.MUTED, "", step)
            case SetSpent(is_spent):
                self._is_spent = is_spent  # the turn under way is finished first, see `tick`
                if is_spent:
                    self._answers.spend(step)
            case ResetConversation():
                self._answers.memory.forget()
                if self._link is not LinkState.CLOSED:
                    step.close = RESET
            case _:
                assert_never(value)
        return step

    def receive(self, event: ev.ServerEvent, now: Moment) -> Step:
        """Take an event of the server."""
        step = Step()
        match event:
            case ev.SessionCreated():
                self._session_created(event, now, step)
            case ev.SessionUpdated(session):
                self._session_updated(session, now, step)
            case ev.ServerError():
                self._error(event, now, step)
            case ev.Malformed():
                self.malformed_count += 1
            case ev.Ignored():
                pass
            case ev.ApprovalAsked() if self._dialect == "beta":
                pass  # it has no word for the answer
            case _:
                self._since = now.at
                if isinstance(event, ev.ResponseDone) and self._dialect == "beta":
                    event = replace(event, approvals=())
                self._replies.receive(event, now, step)
        return step

    def tick(self, now: Moment) -> Step:
        """Let time pass; to be called a few times a second."""
        step = Step()
        self._conversation.tick(now, step)
        if self._link in (LinkState.OPENED, LinkState.CONFIGURING) and now.at - self._since > HANDSHAKE_PATIENCE_S:
            step.close = f"the service did not configure the session within {HANDSHAKE_PATIENCE_S:.0f} s"
        elif self._link is LinkState.READY and self.is_quiet:
            step.close = self._reason_to_close(now)
        return step

    def _reason_to_close(self, now: Moment) -> str | None:
        """Why this quiet moment is the time to end the connection."""
        if self._is_spent:
            return SPENT
        if not self.wants_link(now):
            return IDLE
        if now.at >= self._renew_at:
            return RENEWED
        if self._answers.memory.is_stale(now.at):
            return RESET
        return None

    def _session_created(self, event: ev.SessionCreated, now: Moment, step: Step) -> None:
        if self._link is not LinkState.OPENED:
            return  # told twice; ours is under way already
        self._session_id = event.session_id
        if self._settings.dialect == "auto" and self._settings.provider == "custom":  # of the others it is known
            self._dialect = _dialect_shown(event.session)
        self._renew_at = now.at + _life_s(event.expires_at, now)
        self._setup_event_id = self._new_event_id()
        if self._dialect == "beta":
            self._wanted = session_beta(self._settings, self._tools)
        else:
            self._wanted = session_ga(self._settings, self._tools, self._authorizations)
        is_transcription = self._settings.type == "transcription" and self._takes_transcription_update
        step.sends.append(ev.UpdateSession(self._setup_event_id, self._wanted, is_transcription))
        self._enter(LinkState.CONFIGURING, now)

    def _session_updated(self, session: Mapping[str, Any], now: Moment, step: Step) -> None:
        if self._link is not LinkState.CONFIGURING:
            return
        kept = differences(self._wanted, session)
        if kept:
            detail = f"the service has other settings than the room file: {', '.join(kept)[:150]}"
            step.outcomes.append(ServiceTrouble("settings_kept", detail))
        self._enter(LinkState.READY, now)
        open_ms = round((now.at - self._opening_at) * 1000)
        step.outcomes.append(LinkChanged(True, "", False, self._session_id, self._dialect, open_ms))
        self._conversation.ready(now, step)

    def _error(self, error: ev.ServerError, now: Moment, step: Step) -> None:
        message, event_id = redact(error.message), error.event_id or ""
        step.pause_s = PAUSES_S.get(error.code, 0.0)
        if error.code in FATAL_CODES:
            step.refused = f"the service refuses: {error.code}: {message}"
        elif event_id == self._setup_event_id and self._link is LinkState.CONFIGURING:
            if error.code in TRANSIENT_CODES:
                step.close = f"the service could not configure the session: {error.code}"
            else:
                step.refused = f"the service refuses the settings of the session: {error.code}: {message}"
        elif error.code == "session_expired":  # each lasts an hour: no trouble of which anybody should know
            step.close = "the session expired"
            return
        elif (
            event_id.startswith(HOUSEKEEPING)
            or self._answers.refused(event_id, error.code, now, step)
            or error.code in BENIGN_CODES
        ):
            return
        step.outcomes.append(ServiceTrouble(error.code, message))

    def _enter(self, state: LinkState, now: Moment) -> None:
        self._link = state
        self._since = now.at

    def _new_event_id(self) -> str:
        self._event_number += 1
        return f"node_{self._event_number}"


def redact(message: str) -> str:
    """A server's message for people: without anything that looks like a key, and cut to 200 characters."""
    return _KEY.sub("[key]", message)[:200]


def differences(wanted: Mapping[str, Any], given: Mapping[str, Any], place: str = "") -> list[str]:
    """Where the session in force says something else than what was asked for; what it does not mention is believed.

    Lists and texts are not compared: services cut, sort and complete them.
    """
    found = []
    for key, value in wanted.items():
        path = f"{place}{key}"
        if key not in given:
            continue
        if isinstance(value, dict) and isinstance(given[key], dict):
            found += differences(value, given[key], f"{path}.")
        elif given[key] is None:  # some servers fill their answer with nulls, but without transcription nothing is told
            found += [path] if key.endswith("transcription") and value is not None else []
        elif value is None:
            found.append(path)
        elif isinstance(value, str) and isinstance(given[key], str) and len(value) <= 64:
            found += [path] if value != given[key] else []
        elif isinstance(value, int | float) and isinstance(given[key], int | float):
            found += [path] if not math.isclose(value, given[key]) else []
        elif isinstance(value, int | float) and given[key] == "inf":
            found.append(path)
    return found


def _dialect_shown(session: Mapping[str, Any]) -> Dialect:
    """Which dialect the first event is written in."""
    if session.get("type") in ("realtime", "transcription") or isinstance(session.get("audio"), dict):
        return "ga"
    return "beta" if not _FLAT.isdisjoint(session) else "ga"


def _life_s(expires_at: float | None, now: Moment) -> float:
    """How long a session may be used; a clock that is wrong must not make it seem over."""
    if expires_at is None:
        return LONGEST_LIFE_S
    lasts_s = expires_at - now.wall.timestamp()
    if not SHORTEST_LIFE_S < lasts_s < 24 * 3600:
        return LONGEST_LIFE_S
    return min(LONGEST_LIFE_S, lasts_s - min(RENEWAL_MARGIN_S, lasts_s / 4))
