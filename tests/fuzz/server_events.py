"""What a Realtime service may send, in both dialects: from the socket through session and router to the messages."""

import base64
import json
from random import Random
from typing import Any

from tests.fuzz.mutation import Mutator
from tests.fuzz.switchboard import ROOM, Switchboard
from tests.session.room import ended, settings
from voice_node.model.control import AnswerCall, AskText, SayText, StopReply
from voice_node.model.moment import Moment
from voice_node.model.speech import SpeechAudio, SpeechStarted
from voice_node.session import events as ev
from voice_node.session.connection import ENCODERS
from voice_node.session.protocol import Input, Protocol
from voice_node.session.step import Step
from voice_node.session.wire_common import decode

LIFE = 60
"""Inputs of a session; so many sessions has a router, whose tools' schemas are dear to check."""
SESSIONS = 10
"""Events of one session, so that the odd states of early events are reached too."""
_SOUND = base64.b64encode(bytes(480)).decode()
_USAGE = {
    "total_tokens": 30,
    "input_tokens": 20,
    "output_tokens": 10,
    "input_token_details": {"text_tokens": 5, "audio_tokens": 15, "cached_tokens_details": {"text_tokens": 1}},
    "output_token_details": {"text_tokens": 2, "audio_tokens": 8},
}


def events(number: int, turn: dict[str, str]) -> list[dict[str, Any]]:
    """A session's events of both dialects as they should be; `number` is of their response, `turn` its metadata."""
    response, item, call = f"resp_{number}", f"item_{number}", f"call_{number}"
    place = {"response_id": response, "item_id": item, "output_index": 0, "content_index": 0}
    spoken = {"type": "message", "id": item, "role": "assistant", "content": [{"type": "audio", "transcript": "Done."}]}
    called = {"type": "function_call", "id": item, "call_id": call, "name": "light", "status": "completed"}
    called["arguments"] = '{"on": true}'
    asked = {"type": "mcp_approval_request", "id": f"leave_{number}", "server_label": "news", "name": "search"}
    asked["arguments"] = '{"query": "rain"}'
    made = {**asked, "type": "mcp_call", "id": item, "approval_request_id": f"leave_{number}", "output": "wet"}
    heard = {"item_id": item, "content_index": 0}
    begun = {"id": response, "status": "in_progress", "metadata": turn, "output": []}
    done = {**begun, "status": "completed", "conversation_id": "conv_1", "usage": _USAGE}
    failed = {"type": "failed", "error": {"type": "server_error", "code": "rate_limit_exceeded"}}
    transcription = "conversation.item.input_audio_transcription"
    bodies: list[dict[str, Any]] = [
        {"type": "session.created", "session": {"id": "sess_1", "type": "realtime", "expires_at": 1_800_000_000}},
        {"type": "session.updated", "session": {"id": "sess_1", "modalities": ["text", "audio"], "voice": "alloy"}},
        {"type": "input_audio_buffer.committed", "item_id": item, "previous_item_id": None},
        {"type": "input_audio_buffer.speech_started", "item_id": item, "audio_start_ms": 100},
        {"type": "input_audio_buffer.speech_stopped", "item_id": item, "audio_end_ms": 900},
        {"type": f"{transcription}.delta", **heard, "delta": "turn on"},
        {"type": f"{transcription}.completed", **heard, "transcript": "turn on", "logprobs": [{"logprob": -0.1}]}
        | {"languages": [{"code": "en"}], "usage": {"type": "tokens", "input_tokens": 3, "output_tokens": 2}},
        {"type": f"{transcription}.failed", **heard, "error": {"code": "audio_unintelligible", "message": "x"}},
        {"type": "response.created", "response": begun},
        {"type": "response.mcp_call_arguments.done", "response_id": response, "output_index": 0, "item_id": item},
        {"type": "conversation.item.done", "item": asked, "previous_item_id": None},
        {"type": "response.mcp_call.in_progress", "output_index": 0, "item_id": item},
        {"type": "response.mcp_call.completed", "output_index": 0, "item_id": item},
        {"type": "response.output_item.done", "response_id": response, "output_index": 0, "item": made},
        {"type": "mcp_list_tools.failed", "item_id": item},
        {"type": "response.output_item.done", "response_id": response, "output_index": 0, "item": called},
        {"type": "response.done", "response": {**done, "output": [spoken, called]}},
        {"type": "response.done", "response": {**done, "status": "failed", "status_details": failed, "output": []}},
        {"type": "response.done", "response": {**done, "status": "cancelled", "output": [spoken]}},
        {
            "type": "error",
            "error": {"type": "invalid_request_error", "code": "x", "message": "no", "event_id": f"node_{number}"},
        },
        {"type": "error", "error": {"type": "server_error", "message": "trouble", "event_id": None}},
        {"type": "rate_limits.updated", "rate_limits": [{"name": "tokens", "remaining": 1}]},
    ]
    for audio, text in (("output_audio", "output_text"), ("audio", "text")):
        bodies += [
            {"type": f"response.{audio}.delta", **place, "delta": _SOUND},
            {"type": f"response.{audio}.done", **place},
            {"type": f"response.{audio}_transcript.delta", **place, "delta": "Do"},
            {"type": f"response.{audio}_transcript.done", **place, "transcript": "Done."},
            {"type": f"response.{text}.delta", **place, "delta": "Do"},
            {"type": f"response.{text}.done", **place, "text": "Done."},
        ]
    return [{"event_id": "event_1", **body} for body in bodies]


class ServerEvents:
    """See `campaign.Target`."""

    def __init__(self, dice: Random) -> None:
        self._dice = dice
        self._mutator = Mutator(dice)
        self._left = self._sessions = 0
        self._turn: dict[str, str] = {}
        self._number = 0
        self._begin()

    def make(self) -> str | bytes:
        """A mutated event; a good one now and then goes in beside it, so that sessions get somewhere."""
        if self._left <= 0:
            self._begin()
        self._left -= 1
        if self._left % 4 == 0:
            self._live()
        self._number += self._dice.random() < 0.1
        bad = self._mutator.json(self._dice.choice(events(self._number, self._turn)))
        if self._dice.random() < 0.5:
            return bad
        return bad.decode(errors="replace")

    def feed(self, case: str | bytes) -> None:
        """One message of the service."""
        self._perform(self._protocol.receive(decode(case), self._now))

    def close(self) -> None:
        """Nothing is held."""

    @property
    def _now(self) -> Moment:
        return self._board.now

    def _begin(self) -> None:
        dice = self._dice
        dialect, detection = dice.choice(("auto", "ga", "beta")), dice.choice((None, {"type": "server_vad"}))
        self._protocol = Protocol(
            settings(dialect=dialect, **({"turn_detection": detection} if detection else {})), ROOM.tools
        )
        if self._sessions % SESSIONS == 0:
            self._board = Switchboard()
        self._sessions += 1
        self._left, self._number = LIFE, 1
        self._protocol.opening(self._now)
        self._perform(self._protocol.opened(self._now))
        for good in events(1, {})[: dice.choice((0, 1, 2, 2, 2))]:
            self._hear(good)
        self._speak()

    def _live(self) -> None:
        """Something goes on as it should."""
        dice = self._dice
        turn = f"t{dice.randrange(8)}"
        self._board.wait(dice.choice((0.01, 0.1, 1.0, 4.0)))
        self._perform(self._protocol.tick(self._now))
        match dice.randrange(12):
            case 0:
                self._put(AskText(turn, "what time is it"))
            case 1:
                self._put(SayText(turn, "dinner", None))
            case 2:
                self._put(StopReply(f"item_{self._number}", 20))
            case 3 | 4:
                self._put(AnswerCall(f"call_{self._number}", "{}"))
            case 5:
                self._perform(self._protocol.disconnected("the connection broke", self._now))
                self._perform(self._protocol.opened(self._now))
            case 6 | 7:
                self._speak()
            case _:
                self._hear(dice.choice(events(self._number, self._turn)))

    def _speak(self) -> None:
        turn = f"t{self._dice.randrange(1000)}"
        self._put(SpeechStarted(turn, 0), SpeechAudio(turn, bytes(4800)), ended(turn, 0.1))

    def _put(self, *values: Input) -> None:
        for value in values:
            self._perform(self._protocol.put(value, self._now))

    def _hear(self, event: dict[str, Any]) -> None:
        self._perform(self._protocol.receive(decode(json.dumps(event)), self._now))

    def _perform(self, step: Step) -> None:
        for event in step.sends:
            json.loads(ENCODERS[self._protocol.dialect](event))
            if isinstance(event, ev.CreateResponse | ev.CreateAnnouncement):
                self._turn = dict(event.metadata)
        for outcome in step.outcomes:
            self._board.outcome(outcome)
        if step.close is not None or step.refused is not None:
            self._perform(self._protocol.disconnected("closed", self._now))
            self._left = min(self._left, 5)
