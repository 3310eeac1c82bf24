"""The node's side of a Realtime session, sans-I/O: inputs in, a `Step` out. Knows no socket and no clock.

The life of a connection

1. `closed`: nothing can be sent; what is said is held by the conversation.
2. `opened`: the socket is up; the server speaks first. Nothing is sent before its `session.created`.
3. `configuring`: our `session.update` is on its way. No audio is sent before the server confirmed it: audio that is
   sent earlier is treated by the server's defaults, which answer by themselves.
4. `ready`: the configuration is in force; what was held is sent.

From every state a lost socket leads back to `closed`. A step without news for 10 s in `opened` or `configuring` closes
the connection. Only a refusal that no other attempt can cure ends the session for good (`Step.refused`).
"""

import re
from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import Any, assert_never

from voice_node.model.control import AnswerCall, AskText, ResetConversation, SayText, SetSpent, StopReply
from voice_node.model.moment import Moment
from voice_node.model.speech import Speech, SpeechAudio, SpeechEnded, SpeechStarted
from voice_node.model.turn import LinkChanged, ServiceTrouble
from voice_node.session import events as ev
from voice_node.session.conversation import Conversation
from voice_node.session.replies import Replies
from voice_node.session.setup import session_ga
from voice_node.session.step import Step
from voice_node.settings.session import SessionSettings
from voice_node.settings.tools import Tool

Input = Speech | AnswerCall | AskText | SayText | StopReply | ResetConversation | SetSpent
"""What the rest of the node puts into the session."""

HANDSHAKE_PATIENCE_S = 10.0
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
PEACEFUL = frozenset({IDLE, RESET})
"""Reasons of closes that are no trouble."""
_KEY = re.compile(r"\b(?:sk|ek|key|xai)[-_][^\s,;\"']*[^\s,;.\"']|[\w*-]{24,}", re.IGNORECASE)


class LinkState(Enum):
    """The life of a connection; see the top of this file."""

    CLOSED = auto()
    OPENED = auto()
    CONFIGURING = auto()
    READY = auto()


class Protocol:
    """One room's session over all its connections."""

    def __init__(self, settings: SessionSettings, tools: Sequence[Tool]) -> None:
        self._settings = settings
        self._tools = tuple(tools)
        transcription = settings.transcription
        self._conversation = Conversation(is_transcribed=transcription is not None, new_event_id=self._new_event_id)
        self._replies = Replies(
            self._conversation,
            model=settings.model,
            transcription_model="" if transcription is None else transcription.model,
        )
        self._link = LinkState.CLOSED
        self._since = 0.0
        """When the state of the link, or anything on it, last changed."""
        self._is_spent = False
        self._event_number = 0
        self._setup_event_id = ""
        self._session_id = ""
        self.malformed_count = 0
        """Messages of the server that could not be read."""

    @property
    def is_ready(self) -> bool:
        """Audio can be sent now."""
        return self._link is LinkState.READY

    def wants_link(self, now: Moment) -> bool:
        """A connection is needed: always, or while something is to be said and for a while after."""
        if self._is_spent:
            return False
        if self._settings.connect == "always" or not self._conversation.is_quiet:
            return True
        return self._link is LinkState.READY and now.at - self._since < self._settings.conversation.idle_reset_s

    def opened(self, now: Moment) -> Step:
        """The socket is up."""
        self._enter(LinkState.OPENED, now)
        return Step()

    @property
    def is_quiet(self) -> bool:
        """Nothing is said, answered or waited for."""
        return self._conversation.is_quiet

    def disconnected(self, detail: str, now: Moment) -> Step:
        """The socket is gone, or never came up; `detail` says why, for people."""
        step = Step()
        self._enter(LinkState.CLOSED, now)
        self._conversation.disconnected(now, step)
        self._replies.disconnected()
        step.outcomes.append(LinkChanged(is_up=False, detail=detail, is_trouble=detail not in PEACEFUL))
        return step

    def put(self, value: Input, now: Moment) -> Step:
        """Take an input from the rest of the node."""
        step = Step()
        self._since = now.at if self.is_ready else self._since
        match value:
            case SpeechStarted() | SpeechAudio() | SpeechEnded():
                self._conversation.speech(value, now, step)
            case AnswerCall() | AskText() | SayText():
                self._conversation.act(value, now, step)
            case StopReply():
                self._conversation.stop(now, step)
            case SetSpent(is_spent):
                self._is_spent = is_spent  # the turn under way is finished first, see `tick`
            case ResetConversation():
                if self._link is not LinkState.CLOSED:
                    step.close = RESET
            case _:
                assert_never(value)
        return step

    def receive(self, event: ev.ServerEvent, now: Moment) -> Step:
        """Take an event of the server."""
        step = Step()
        match event:
            case ev.SessionCreated(session_id):
                self._session_created(session_id, now, step)
            case ev.SessionUpdated(session):
                self._session_updated(session, now, step)
            case ev.ServerError():
                self._error(event, now, step)
            case ev.Malformed():
                self.malformed_count += 1
            case ev.Ignored():
                pass
            case _:
                self._since = now.at
                self._replies.receive(event, now, step)
        return step

    def tick(self, now: Moment) -> Step:
        """Let time pass; to be called a few times a second."""
        step = Step()
        self._conversation.tick(now, step)
        if self._link in (LinkState.OPENED, LinkState.CONFIGURING) and now.at - self._since > HANDSHAKE_PATIENCE_S:
            step.close = f"the service did not configure the session within {HANDSHAKE_PATIENCE_S:.0f} s"
        elif self._link is LinkState.READY and self._is_spent and self.is_quiet:
            step.close = SPENT
        elif self._link is LinkState.READY and not self._is_spent and not self.wants_link(now):
            step.close = IDLE
        return step

    def _session_created(self, session_id: str, now: Moment, step: Step) -> None:
        if self._link is not LinkState.OPENED:
            return  # told twice; ours is under way already
        self._session_id = session_id
        self._setup_event_id = self._new_event_id()
        step.sends.append(ev.UpdateSession(self._setup_event_id, session_ga(self._settings, self._tools)))
        self._enter(LinkState.CONFIGURING, now)

    def _session_updated(self, session: Mapping[str, Any], now: Moment, step: Step) -> None:
        if self._link is not LinkState.CONFIGURING:
            return
        if _has_turn_detection(session):
            detail = "the service kept its own turn detection: it may answer by itself"
            step.outcomes.append(ServiceTrouble("turn_detection_kept", detail))
        self._enter(LinkState.READY, now)
        step.outcomes.append(LinkChanged(is_up=True, session_id=self._session_id, dialect="ga"))
        self._conversation.ready(now, step)

    def _error(self, error: ev.ServerError, now: Moment, step: Step) -> None:
        message = redact(error.message)
        if error.code in FATAL_CODES:
            step.refused = f"the service refuses: {error.code}: {message}"
        elif error.event_id == self._setup_event_id and self._link is LinkState.CONFIGURING:
            if error.code in TRANSIENT_CODES:
                step.close = f"the service could not configure the session: {error.code}"
            else:
                step.refused = f"the service refuses the settings of the session: {error.code}: {message}"
        elif error.code == "session_expired":  # each lasts an hour: no trouble of which anybody should know
            step.close = "the session expired"
            return
        elif self._conversation.refused(error.event_id or "", error.code, now, step) or error.code in BENIGN_CODES:
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


def _has_turn_detection(session: Mapping[str, Any]) -> bool:
    audio = session.get("audio")
    heard = audio.get("input") if isinstance(audio, dict) else None
    return isinstance(heard, dict) and heard.get("turn_detection") is not None
