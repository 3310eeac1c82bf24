"""One room's protocol in a test's hands: its clock, its inputs, the server's words, and all that came of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from voice_node.model.control import AnswerCall, AskText, SayText, StopReply
from voice_node.model.moment import Moment
from voice_node.model.speech import EndReason, SpeechAudio, SpeechEnded, SpeechStarted
from voice_node.model.turn import Outcome, ReplyAudio, ReplyAudioEnded, ResponseStatus, TurnFinished, TurnLost
from voice_node.session import events as ev
from voice_node.session.connection import ENCODERS
from voice_node.session.protocol import Input, Protocol
from voice_node.session.step import Returned, Step
from voice_node.settings.session import SessionSettings
from voice_node.settings.tools import Tool

BEGAN = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECOND = bytes(48_000)
"""One second of silence at the session's rate."""
LIGHT = ev.FunctionCall("call_1", "light", "{}")
FAN = ev.FunctionCall("call_2", "fan", "{}")
T = TypeVar("T")


def moment(at: float) -> Moment:
    """The steady clock at `at` seconds, the wall clock as many seconds after noon."""
    return Moment(at, BEGAN + timedelta(seconds=at))


def settings(**values: Any) -> SessionSettings:
    """The section `session`, with an always open connection unless the test says otherwise."""
    return SessionSettings(
        **{"provider": "custom", "url": "ws://127.0.0.1:1/v1/realtime", "connect": "always"} | values
    )


def ended(turn_id: str, seconds: float = 1.0, *, is_kept: bool = True) -> SpeechEnded:
    """The end of a segment of so many seconds."""
    return SpeechEnded(turn_id, 0, round(seconds * 1000), 500, 20.0, is_kept, EndReason.SILENCE)


class Room:
    """Speaks to a Protocol and keeps what it wants done.

    `sends`, `audio` and `outcomes` grow; `take` returns and forgets the client events since the last `take`.
    """

    def __init__(self, tools: Sequence[Tool] = (), *, patience_s: float | None = None, **values: Any) -> None:
        self.protocol = Protocol(settings(**values), tools, patience_s=patience_s)
        self._provider = values.get("provider", "custom")
        self.at = 0.0
        self.sends: list[ev.ClientEvent] = []
        self.audio: list[ReplyAudio | ReplyAudioEnded] = []
        self.outcomes: list[Outcome] = []
        self.returned: list[Returned] = []
        self.close: str | None = None
        self.refused: str | None = None
        self._taken = 0

    @property
    def now(self) -> Moment:
        return moment(self.at)

    def perform(self, step: Step) -> None:
        """Keep what a step wants."""
        for event in step.sends:
            ENCODERS[self.protocol.dialect](self._published(event))  # into the net of `conftest`
        self.sends += step.sends
        self.audio += step.audio
        self.outcomes += step.outcomes
        self.returned += step.returned
        self.close = step.close or self.close
        self.refused = step.refused or self.refused

    def _published(self, event: ev.ClientEvent) -> ev.ClientEvent:
        """xAI has two fields at the top of the session that the published schema has elsewhere."""
        if self._provider != "xai" or not isinstance(event, ev.UpdateSession):
            return event
        own = ("voice", "turn_detection")
        return replace(event, session={name: value for name, value in event.session.items() if name not in own})

    def put(self, *values: Input) -> None:
        for value in values:
            self.perform(self.protocol.put(value, self.now))

    def hear(self, *events: ev.ServerEvent) -> None:
        """The server says so."""
        for event in events:
            self.perform(self.protocol.receive(event, self.now))

    def wait(self, seconds: float, step_s: float = 0.5) -> None:
        """Let time pass, ticking."""
        end = self.at + seconds
        while self.at < end:
            self.at = min(end, self.at + step_s)
            self.perform(self.protocol.tick(self.now))

    def up(self, expires_at: float | None = None, session: Mapping[str, Any] | None = None) -> "Room":
        """The connection comes up and is configured; `session` is what the service's first event says of it."""
        self.close = None
        self.perform(self.protocol.opened(self.now))
        self.hear(ev.SessionCreated("sess_1", expires_at, session or {}), ev.SessionUpdated({}))
        return self

    def down(self, detail: str = "the connection broke") -> None:
        self.perform(self.protocol.disconnected(detail, self.now))
        self.close = None

    def say(self, turn_id: str, pcm: bytes = SECOND) -> None:
        """A whole segment."""
        self.put(SpeechStarted(turn_id, 0), SpeechAudio(turn_id, pcm), ended(turn_id, len(pcm) / 48_000))

    def ask(self, turn_id: str, text: str = "what is the time", instructions: str | None = None) -> None:
        self.put(AskText(turn_id, text, instructions))

    def announce(self, turn_id: str, text: str = "the washing is done") -> None:
        self.put(SayText(turn_id, text))

    def answer(self, call_id: str, output: str = "{}") -> None:
        self.put(AnswerCall(call_id, output))

    def stop(self) -> None:
        self.put(StopReply())

    def heard(self, item_id: str, text: str = "turn on the light") -> None:
        """The server took a commit and wrote it down."""
        self.hear(ev.AudioCommitted(item_id), ev.TranscriptDone(item_id, text))

    def reply(self, response_id: str, turn_id: str, *, item_id: str = "", text: str = "done") -> None:
        """A whole spoken response."""
        item_id = item_id or f"item_{response_id}"
        self.hear(
            ev.ResponseCreated(response_id, {"turn_id": turn_id}),
            ev.ReplyAudioDelta(response_id, item_id, bytes(960)),
            ev.ReplyTextDelta(response_id, item_id, text),
            ev.ReplyAudioDone(response_id, item_id),
            ev.ReplyTextDone(response_id, item_id, text),
            done(response_id, turn_id, messages=(ev.ReplyMessage(item_id, text),)),
        )

    def take(self) -> list[ev.ClientEvent]:
        """The client events since the last `take`."""
        fresh, self._taken = self.sends[self._taken :], len(self.sends)
        return fresh

    def all(self, kind: type[T]) -> list[T]:
        """The outcomes, pieces of audio or client events of this class, from the start."""
        return [value for value in [*self.outcomes, *self.audio, *self.sends] if isinstance(value, kind)]

    def ends(self) -> list[tuple[str, str]]:
        """How each turn ended: its id with its status or the reason of its loss."""
        return [
            (end.turn_id, str(end.status if isinstance(end, TurnFinished) else end.reason))
            for end in self.outcomes
            if isinstance(end, TurnFinished | TurnLost)
        ]


def done(
    response_id: str,
    turn_id: str,
    *,
    status: ResponseStatus = ResponseStatus.COMPLETED,
    detail: str = "",
    calls: tuple[ev.FunctionCall, ...] = (),
    messages: tuple[ev.ReplyMessage, ...] = (),
) -> ev.ResponseDone:
    """The server's last word on a response."""
    return ev.ResponseDone(response_id, status, detail, {"turn_id": turn_id}, calls, messages)


def kinds(sends: Sequence[ev.ClientEvent]) -> list[str]:
    """The class names of client events, repeated appends folded into one."""
    names = [type(event).__name__ for event in sends]
    return [name for at, name in enumerate(names) if name != "AppendAudio" or names[at - 1 : at] != [name]]
