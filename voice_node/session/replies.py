"""What the server says about items and responses -> what becomes of turns. Sans-I/O."""

from collections import OrderedDict, deque
from datetime import datetime
from typing import assert_never

from voice_node.model.audio import pcm_ms
from voice_node.model.moment import Moment
from voice_node.model.turn import (
    ApprovalWanted,
    LostReason,
    ReplyAudio,
    ReplyAudioEnded,
    ReplyStarted,
    ResponseStatus,
    ServiceTrouble,
    TokenCount,
    ToolCall,
    Transcript,
    Usage,
)
from voice_node.session import events as ev
from voice_node.session.answers import Answers
from voice_node.session.conversation import Conversation
from voice_node.session.formats import OutputDecoder
from voice_node.session.pricing import is_free, usd
from voice_node.session.setup import SESSION_RATE_HZ
from voice_node.session.step import Step
from voice_node.session.turns import MOST_CALLS, Kind, Turn
from voice_node.settings.session import SessionSettings

_TROUBLES = {
    ResponseStatus.FAILED: "the model's response failed",
    ResponseStatus.INCOMPLETE: "the model's response was cut off",
}

ServiceEvent = ev.ServiceActs | ev.ServiceActed | ev.ToolsUnlisted | ev.ApprovalAsked
TurnEvent = (
    ServiceEvent
    | ev.AudioCommitted
    | ev.ServerSpeechStarted
    | ev.ServerSpeechStopped
    | ev.TranscriptDelta
    | ev.TranscriptDone
    | ev.TranscriptFailed
    | ev.ResponseCreated
    | ev.CallDone
    | ev.ReplyAudioDelta
    | ev.ReplyAudioDone
    | ev.ReplyTextDelta
    | ev.ReplyTextDone
    | ev.ResponseDone
)


class Replies:
    """Reads the events of one connection after the other."""

    def __init__(
        self, conversation: Conversation, answers: Answers, settings: SessionSettings, *, can_truncate: bool
    ) -> None:
        self._conversation = conversation
        self._answers = answers
        self._provider = settings.provider
        self._model = settings.model
        self._transcription_model = "" if settings.transcription is None else settings.transcription.model
        self._is_free = is_free(settings)
        self._decoder = OutputDecoder(settings.output_format)
        self._can_truncate = can_truncate
        self._least_confidence = settings.least_confidence
        self._received_ms: OrderedDict[str, float] = OrderedDict()
        """Sound that came for each of the last reply items."""
        self._began: dict[str, datetime] = {}
        """When each reply item of the response under way began."""
        self._told: deque[tuple[str, str]] = deque(maxlen=256)
        """Responses and their items whose words were reported."""

    def disconnected(self) -> None:
        """Items of the lost connection never come back."""
        self._began.clear()
        self._told.clear()
        self._received_ms.clear()
        self._decoder.reset()

    def cut(self, item_id: str, played_ms: int, step: Step) -> None:
        """The speaker was silenced in this item: let the model know how much of it was heard.

        More than what came is refused by the service, and then the model believes that it said all of it. Items that
        came after this one waited behind it: nobody heard them.
        """
        self._decoder.reset()
        items = list(self._received_ms)
        if item_id not in items:
            return
        for later in items[items.index(item_id) :]:
            self._cut(later, played_ms if later == item_id else 0, step)

    def _cut(self, item_id: str, played_ms: int, step: Step) -> None:
        memory = self._answers.memory
        received_ms = int(self._received_ms.pop(item_id))
        if not received_ms or played_ms >= received_ms:
            return
        memory.cut(item_id)
        if self._can_truncate and played_ms > 0:
            step.sends.append(ev.TruncateItem(memory.new_id(), item_id, played_ms))
        elif self._can_truncate:
            step.sends.append(ev.DeleteItem(memory.new_id(), item_id))

    def receive(self, event: TurnEvent, now: Moment, step: Step) -> None:
        """Take one event of the server."""
        match event:
            case ev.AudioCommitted(item_id):
                self._conversation.committed(item_id, now, step)
            case ev.ServiceActs() | ev.ServiceActed() | ev.ToolsUnlisted() | ev.ApprovalAsked():
                self._of_service(event, now, step)
            case ev.ServerSpeechStarted(item_id) | ev.ServerSpeechStopped(item_id):
                turn = self._answers.turns.of_item(item_id)
                if turn is not None:
                    turn.touched_at = now.at
            case ev.TranscriptDelta() | ev.TranscriptDone() | ev.TranscriptFailed():
                self._transcript(event, now, step)
            case ev.ResponseCreated():
                self._response_created(event, now, step)
            case ev.CallDone(response_id, call):
                self._call_done(response_id, call, now, step)
            case ev.ReplyAudioDelta(response_id, item_id, pcm):
                turn = self._reply(response_id, item_id, now, step)
                if turn is not None:
                    turn.mark("first_sound", now.at)
                    step.audio.append(ReplyAudio(turn.turn_id, item_id, response_id, self._sound(item_id, pcm)))
            case ev.ReplyAudioDone(response_id, item_id):
                turn = self._heard_of(response_id, now)
                rest = self._decoder.flush()
                if turn is not None and rest and not turn.is_stopped:
                    step.audio.append(ReplyAudio(turn.turn_id, item_id, response_id, rest))
                if turn is not None:
                    step.audio.append(ReplyAudioEnded(turn.turn_id, item_id))
            case ev.ReplyTextDelta(response_id, item_id, _):
                self._reply(response_id, item_id, now, step)
            case ev.ReplyTextDone(response_id, item_id, text):
                turn = self._heard_of(response_id, now)
                if turn is not None:
                    self._words(turn, response_id, item_id, text, now, step)
            case ev.ResponseDone():
                self._response_done(event, now, step)
            case _:
                assert_never(event)

    def _of_service(self, event: ServiceEvent, now: Moment, step: Step) -> None:
        """What the service does by itself."""
        match event:
            case ev.ServiceActs(call_id, response_id):
                self._service_acts(call_id, response_id, now)
            case ev.ServiceActed():
                self._service_acted(event, now, step)
            case ev.ToolsUnlisted():
                detail = "the service cannot read which tools a server of session.tools has"
                step.outcomes.append(ServiceTrouble("service_tools", detail))
            case ev.ApprovalAsked(response_id, request):
                turn = self._served(request.request_id, response_id)
                if turn is None:
                    self._answers.unwanted.request(request.request_id, step)
                else:
                    turn.touched_at = self._answers.response_at = now.at
                    self._approval(turn, request, now, step)
            case _:
                assert_never(event)

    def _served(self, call_id: str, response_id: str = "") -> Turn | None:
        """For whom the service does something by itself; it need not tell."""
        turns = self._answers.turns
        named = turns.of_response(response_id)
        return named or turns.get(self._answers.sequencer.active_turn) or turns.of_service_call(call_id)

    def _service_acts(self, call_id: str, response_id: str, now: Moment) -> None:
        turn = self._served(call_id, response_id)
        if turn is None:
            return
        turn.is_acted_on = True  # said again, it would be done twice
        if not turn.is_stopped and (turn.service.began(call_id) or not call_id):  # told again, it lasts no longer
            turn.touched_at = self._answers.response_at = now.at

    def _service_acted(self, event: ev.ServiceActed, now: Moment, step: Step) -> None:
        turns = self._answers.turns
        turn = turns.of_service_call(event.call_id)
        if turn is None:
            return
        self._answers.memory.item(turn.turn_id, event.call_id)
        turn.touched_at = self._answers.response_at = now.at
        if turn.service.ended(event.call_id) and not event.is_ok:
            detail = "the service could not carry out a call of its own to a server of session.tools"
            step.outcomes.append(ServiceTrouble("service_tool_failed", detail, turn.turn_id))
        self._answers.ask_again(turn, now, step)

    def _approval(self, turn: Turn, request: ev.ApprovalRequest, now: Moment, step: Step) -> None:
        """Leave is asked for."""
        if turn.is_stopped or not self._answers.turns.add_request(request.request_id, turn):
            self._answers.unwanted.request(request.request_id, step)  # unless it was announced before
            return
        turn.mark("tool_call", now.at)
        self._answers.memory.item(turn.turn_id, request.request_id)
        wanted = ApprovalWanted(turn.turn_id, request.request_id, request.server, request.name, request.arguments)
        self._tell_call(turn, wanted, step)

    def _transcript(
        self, event: ev.TranscriptDelta | ev.TranscriptDone | ev.TranscriptFailed, now: Moment, step: Step
    ) -> None:
        turn = self._answers.turns.of_item(event.item_id)
        if isinstance(event, ev.TranscriptDone):  # billed, whoever's it was
            step.outcomes.append(
                self._usage(turn, self._transcription_model, event.usage_input, event.usage_output, event.usage_s)
            )
        if turn is None or not turn.is_transcript_due:
            return
        is_sure = True
        match event:
            case ev.TranscriptDelta(item_id, delta):
                turn.partial = (turn.partial + delta)[-8192:]
                step.outcomes.append(self._heard(turn, item_id, turn.partial, now, is_final=False))
                return
            case ev.TranscriptDone(item_id, text, language, confidence):
                turn.mark("transcript", now.at)
                step.outcomes.append(
                    self._heard(turn, item_id, text, now, is_final=True, language=language, confidence=confidence)
                )
                if self._least_confidence is not None and confidence is not None:
                    is_sure = confidence >= self._least_confidence
                self._answers.memory.heard(turn.turn_id, "user", text)
                turn.words = text
            case ev.TranscriptFailed(_, code):
                trouble = ServiceTrouble(
                    "transcription_failed", f"the service could not transcribe: {code}", turn.turn_id
                )
                step.outcomes.append(trouble)
                is_sure = self._least_confidence is None
        turn.is_transcript_due = False
        turn.partial = ""
        if not is_sure:
            self._answers.lose(turn, LostReason.EMPTY, "the service is not sure that anything was said", step)
            self._answers.ask_next(now, step)
            return
        step.outcomes += turn.withheld
        turn.withheld.clear()
        self._answers.settle(turn, now, step)

    def _heard(
        self,
        turn: Turn,
        item_id: str,
        text: str,
        now: Moment,
        *,
        is_final: bool,
        language: str | None = None,
        confidence: float | None = None,
    ) -> Transcript:
        ended_at = turn.ended_at or now.wall
        return Transcript(
            turn.turn_id,
            item_id,
            "user",
            text,
            is_final,
            turn.started_at,
            ended_at,
            language,
            confidence,
            self._provider,
        )

    def _response_created(self, event: ev.ResponseCreated, now: Moment, step: Step) -> None:
        answers = self._answers
        answers.response_at = now.at
        job = answers.sequencer.created(event.response_id, event.metadata.get("turn_id"))
        turn = None if job is None else answers.turns.get(job.turn_id)
        if turn is None or turn.is_stopped:  # its turn was lost or stopped meanwhile, or nobody asked for it
            answers.cancel(event.response_id, step)
        if turn is not None:
            answers.turns.add_response(event.response_id, turn)
            turn.touched_at = now.at

    def _sound(self, item_id: str, data: bytes) -> bytes:
        """The piece as PCM at 24 kHz; counts how much of the item came."""
        pcm = self._decoder.decode(data)
        self._received_ms[item_id] = self._received_ms.get(item_id, 0.0) + pcm_ms(pcm, SESSION_RATE_HZ)
        while len(self._received_ms) > 32:
            self._received_ms.popitem(last=False)
        return pcm

    def _usage(self, turn: Turn | None, model: str, heard: TokenCount, said: TokenCount, seconds: float = 0.0) -> Usage:
        cost = 0.0 if self._is_free else usd(model, heard, said, seconds)
        return Usage(None if turn is None else turn.turn_id, model, heard, said, seconds, cost)

    def _heard_of(self, response_id: str, now: Moment) -> Turn | None:
        self._answers.response_at = now.at
        turn = self._answers.turns.of_response(response_id)
        if turn is not None:
            turn.touched_at = now.at
        return turn

    def _reply(self, response_id: str, item_id: str, now: Moment, step: Step) -> Turn | None:
        """The turn that this piece of a reply belongs to, or None where the reply is not wanted (any more)."""
        turn = self._heard_of(response_id, now)
        if turn is None or turn.is_stopped:
            return None
        self._began.setdefault(item_id, now.wall)
        turn.service.spoke()
        if not turn.has_replied:
            turn.has_replied = turn.is_acted_on = True
            turn.audio.clear()
            step.outcomes.append(ReplyStarted(turn.turn_id))
        return turn

    def _call_done(self, response_id: str, call: ev.FunctionCall, now: Moment, step: Step) -> None:
        turn = self._heard_of(response_id, now)
        if turn is not None:
            self._call(turn, call, now, step)
        elif self._answers.sequencer.is_over(response_id):
            self._answers.unwanted.call(call.call_id, step)
        else:
            self._answers.unwanted.unclaimed(response_id, call.call_id, step)

    def _call(self, turn: Turn, call: ev.FunctionCall, now: Moment, step: Step) -> None:
        if turn.is_stopped or not self._answers.turns.add_call(call.call_id, turn):
            self._answers.unwanted.call(call.call_id, step)  # unless it was announced before
            return
        turn.mark("tool_call", now.at)
        self._tell_call(turn, ToolCall(turn.turn_id, call.call_id, call.name, call.arguments), step)

    def _tell_call(self, turn: Turn, wanted: ToolCall | ApprovalWanted, step: Step) -> None:
        if self._least_confidence is not None and turn.is_transcript_due:
            turn.withheld.append(wanted)
        else:
            step.outcomes.append(wanted)

    def _words(self, turn: Turn, response_id: str, item_id: str, text: str, now: Moment, step: Step) -> None:
        """The words of one reply item, once; servers differ in where they tell them."""
        if (response_id, item_id) in self._told or not text:
            return
        self._told.append((response_id, item_id))
        turn.is_acted_on = True
        turn.service.spoke()
        if turn.kind is not Kind.ANNOUNCED:  # those are said outside of the conversation
            self._answers.memory.heard(turn.turn_id, "assistant", text, item_id)
        began = self._began.get(item_id, now.wall)
        step.outcomes.append(
            Transcript(turn.turn_id, item_id, "assistant", text, True, began, now.wall, provider=self._provider)
        )

    def _response_done(self, event: ev.ResponseDone, now: Moment, step: Step) -> None:
        answers = self._answers
        if answers.sequencer.is_over(event.response_id):
            return
        turn = self._heard_of(event.response_id, now)
        job = answers.sequencer.done(event.response_id, event.metadata.get("turn_id"))
        if turn is None and job is not None:
            turn = answers.turns.get(job.turn_id)  # never announced as created
        step.outcomes.append(self._usage(turn, self._model, event.usage_input, event.usage_output))
        if turn is not None:
            self._turn_answered(turn, event, now, step)
        else:
            for call in event.calls:
                answers.unwanted.call(call.call_id, step)
            for request in event.approvals:
                answers.unwanted.request(request.request_id, step)
        answers.unwanted.response_over(event.response_id, step)
        self._began.clear()
        answers.ask_next(now, step)

    def _turn_answered(self, turn: Turn, event: ev.ResponseDone, now: Moment, step: Step) -> None:
        turn.status, turn.detail, turn.conversation_id = event.status, event.detail, event.conversation_id
        turn.touched_at = now.at
        is_empty = not (event.messages or event.calls or event.approvals)
        if event.status is not ResponseStatus.COMPLETED:
            turn.service.give_up()
        if event.status is ResponseStatus.FAILED and is_empty and self._answers.may_return(turn):
            self._answers.lose(turn, LostReason.REFUSED, f"{_TROUBLES[event.status]}: {event.detail}", step)
            return
        for item_id in () if turn.kind is Kind.ANNOUNCED else event.item_ids:
            self._answers.memory.item(turn.turn_id, item_id)
        for message in event.messages:
            self._words(turn, event.response_id, message.item_id, message.text, now, step)
        for call in event.calls:
            self._call(turn, call, now, step)
        for request in event.approvals:
            self._approval(turn, request, now, step)
        if len(event.calls) > MOST_CALLS:
            detail = f"more than {MOST_CALLS} tool calls in one response: the others are not made"
            step.outcomes.append(ServiceTrouble("too_many_calls", detail, turn.turn_id))
        trouble = _TROUBLES.get(event.status)
        if trouble is not None:
            step.outcomes.append(ServiceTrouble(event.detail or event.status, trouble, turn.turn_id))
        if turn.is_owed:
            self._answers.ask_again(turn, now, step)
        else:
            self._answers.settle(turn, now, step)
