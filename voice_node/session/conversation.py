"""What is said on a session: turns in, responses and calls out. Sans-I/O; the rules of turns stand in `turns`, those of
responses in `sequencer`, those of turns that the service ends in `server_ending`, of what is remembered in `memory`.

While the session is not ready, turns are held. A held turn that ended more than 10 s ago is refused as stale: a command
must not act when nobody remembers saying it. At most 45 s of audio is held; more refuses the oldest turn.

While a response is requested or active the service has to show a sign of it every 20 s, or the connection is given up.
While a tool call is open it is home automation's move; a call that nobody answers ends its turn.
"""

from collections.abc import Callable, Iterable
from typing import assert_never

from voice_node.model.moment import Moment
from voice_node.model.speech import Speech, SpeechAudio, SpeechEnded, SpeechStarted
from voice_node.model.turn import LostReason, ResponseStatus, ServiceTrouble, TurnFinished, TurnLost
from voice_node.session import events as ev
from voice_node.session.formats import InputEncoder
from voice_node.session.memory import Memory
from voice_node.session.sequencer import Job, Sequencer
from voice_node.session.server_ending import ServerEnding
from voice_node.session.step import Step
from voice_node.session.turns import TRANSCRIPT_PATIENCE_S, Kind, Phase, Turn, Turns
from voice_node.settings.session import SessionSettings
from voice_node.settings.session_limits import dialect_of, turn_detection_of

STALE_S = 10.0
HELD_MS = 45_000
SHORTEST_COMMIT_MS = 100
"""The service refuses to commit less."""
PIECE_MS = 100
"""What was held is sent in pieces of so much: some servers refuse larger ones."""
SERVICE_PATIENCE_S = 20.0
"""How long a response may show no sign of life; the slowest models think for seconds, not for twenty."""
CALL_PATIENCE_S = 90.0
"""How long a call may stay open; the router answers every call within a tool's longest `timeout_s`, 60 s."""


class Conversation:
    """The turns of a room, across connections."""

    def __init__(self, settings: SessionSettings, new_event_id: Callable[[], str], *, can_cancel: bool = True) -> None:
        self._can_cancel = can_cancel
        self._is_transcribed = settings.transcription is not None or settings.type == "transcription"
        self._is_answered = settings.type == "realtime"
        self._new_event_id = new_event_id
        self._encoder = InputEncoder(settings.input_format)
        detection = turn_detection_of(settings, dialect_of(settings) or "ga")
        self._ending = None if detection is None else ServerEnding(detection, self._encoder)
        self.memory = Memory(settings.conversation, new_event_id)
        self.turns = Turns()
        self.sequencer = Sequencer()
        self.is_ready = False
        self.response_at = 0.0
        """When the service last showed a sign of a response, or was asked for one."""
        self._awaited: dict[str, str] = {}
        """Client events whose refusal concerns a turn, with the turn's id."""

    @property
    def is_quiet(self) -> bool:
        """Nothing is said, answered or waited for."""
        return len(self.turns) == 0 and self.sequencer.is_idle

    def speech(self, value: Speech, now: Moment, step: Step) -> None:
        """Take one piece of a segment."""
        match value:
            case SpeechStarted(turn_id, _):
                if self._ending is not None:
                    self._give_up(self._ending, filter(self._ending.is_unheard, self.turns), step)
                    self._ending.began(turn_id)
                self._begin_spoken(turn_id, now)
            case SpeechAudio(turn_id, pcm):
                turn = self._spoken(turn_id, now)
                if turn is not None:  # else it was lost in the middle: nothing is spliced
                    turn.audio += pcm
                    turn.touched_at = now.at
                    self._send_audio(turn, pcm, step)
                    self._bound_held(now, step)
            case SpeechEnded():
                self._speech_ended(value, now, step)
            case _:
                assert_never(value)

    def stop(self, now: Moment, step: Step) -> None:
        """Cancel the response under way, and the ones that open calls would lead to; what waits behind goes on."""
        active = self.turns.get(self.sequencer.active_turn)
        for turn in self.turns:
            if turn is active or turn.open_calls:
                turn.is_stopped = True
                turn.touched_at = now.at
        if active is not None:
            self.cancel(self.sequencer.active_response, step)

    def committed(self, item_id: str, now: Moment, step: Step) -> None:
        """The service made an item of what it heard."""
        turn = self.turns.committed(item_id) if self._ending is None else self.turns.of_item(item_id)
        if turn is None:
            return
        turn.touched_at = now.at
        self.memory.item(turn.turn_id, item_id)
        if self._ending is not None and turn.phase is Phase.SENDING:
            self._ending.committed(turn)
            if not turn.is_ended:
                turn.end_segment(now)
            turn.phase = Phase.COMMITTED
            turn.mark("commit", now.at)
            self._await_answer(turn, now, step)

    def cancel(self, response_id: str | None, step: Step) -> None:
        """Stop this response; what comes of it is dropped. One without a name is cancelled when it begins."""
        if self._can_cancel and response_id:
            step.sends.append(ev.CancelResponse(self._new_event_id(), response_id))

    def ready(self, now: Moment, step: Step) -> None:
        """The session can be spoken to: send what was held, in order."""
        self.is_ready = True
        step.sends += self.memory.put_back(now.at)
        pause = b""
        for turn in self.turns:
            if self._lose_if_stale(turn, now, step):
                continue
            if turn.kind is not Kind.SPOKEN:
                self._send_typed(turn, now, step)
                continue
            self._append(pause, step)
            self._send_audio(turn, bytes(turn.audio), step)
            if turn.is_ended:
                self._end_sound(turn, now, step)
            pause = b"" if self._ending is None else self._ending.separation()

    def disconnected(self, now: Moment, step: Step) -> None:
        """The connection is gone: keep what can be sent again, end the rest."""
        self.is_ready = False
        for turn in self.turns:
            if turn.is_stopped:
                turn.status = ResponseStatus.CANCELLED
            if turn.is_stopped or self._has_answer(turn):
                self._finish(turn, step)
            elif turn.is_acted_on:
                self.lose(turn, LostReason.DISCONNECTED, "", step)
            else:
                turn.touched_at = now.at
        self.sequencer.clear()
        self._awaited.clear()
        self.turns.disconnect()
        self.memory.disconnected()
        if self._ending is not None:
            self._ending.disconnected()

    def refused(self, event_id: str, code: str, now: Moment, step: Step) -> bool:
        """The service refused one of our events; True where that was a turn's and is dealt with."""
        if code == "conversation_already_has_active_response":
            taken = self.sequencer.busy(event_id)
            if taken:
                self._give_back(taken, step)
            if taken is not None:
                self.response_at = now.at
                return True
        job = self.sequencer.refused(event_id)
        turn = self.turns.get(self._awaited.pop(event_id, None) if job is None else job.turn_id)
        if turn is not None and code == "input_audio_buffer_commit_empty":
            self.lose(turn, LostReason.EMPTY, "the service heard nothing", step)
        elif turn is not None:
            self.lose(turn, LostReason.REFUSED, code, step)
        self.ask_next(now, step)
        return turn is not None

    def tick(self, now: Moment, step: Step) -> None:
        """Let time pass: stale turns, late transcripts, a service that shows no sign of life."""
        if self.is_ready and not self.sequencer.is_idle and now.at - self.response_at > SERVICE_PATIENCE_S:
            turn = self.turns.get(self.sequencer.active_turn)
            if turn is not None:
                self.lose(turn, LostReason.TIMEOUT, f"no answer from the service in {SERVICE_PATIENCE_S:.0f} s", step)
            step.close = "the service does not answer"
            return
        if self._ending is not None and self.is_ready:
            self._keep_alive(self._ending, now, step)
        for turn in self.turns:
            if not self.is_ready:
                self._lose_if_stale(turn, now, step)
            elif turn.open_calls and now.at - turn.touched_at > CALL_PATIENCE_S:
                self.lose(turn, LostReason.TIMEOUT, "a tool call was not answered", step)
            else:
                self.settle(turn, now, step)
        if len(self.turns) > 0:  # an announcement may have waited for somebody who said nothing in the end
            self.ask_next(now, step)

    def settle(self, turn: Turn, now: Moment, step: Step) -> None:
        """Report a turn as finished if it is."""
        is_late = now.at - turn.touched_at >= TRANSCRIPT_PATIENCE_S
        if not self._has_answer(turn) or (turn.is_transcript_due and not is_late):
            return
        if turn.is_transcript_due:
            detail = f"the service sent no transcript within {TRANSCRIPT_PATIENCE_S:.0f} s"
            step.outcomes.append(ServiceTrouble("transcript_missing", detail, turn.turn_id))
        self._finish(turn, step)

    def lose(self, turn: Turn, reason: LostReason, detail: str, step: Step) -> None:
        """A turn comes to nothing, and so does its response."""
        if self.is_ready and turn.turn_id == self.sequencer.active_turn:
            self.cancel(self.sequencer.active_response, step)
        self.sequencer.drop(turn.turn_id)
        self.turns.end(turn)
        if self._ending is not None:
            self._ending.forget(turn)
        self._remember(turn, step, is_lost=True)
        step.outcomes.append(TurnLost(turn.turn_id, reason, detail))

    def ask(self, turn: Turn, now: Moment, step: Step) -> None:
        """Want a response for this turn."""
        announcement = turn.text if turn.kind is Kind.ANNOUNCED else None
        self.sequencer.add(Job(turn.turn_id, announcement, turn.instructions))
        self.ask_next(now, step)

    def ask_next(self, now: Moment, step: Step) -> None:
        """Ask for the next response that is wanted, if none is under way."""
        if not self.is_ready:
            return
        event_id = self._new_event_id()
        job = self.sequencer.next(event_id, may_announce=not self.turns.is_anybody_speaking)
        if job is None:
            return
        self.response_at = now.at
        metadata = {"turn_id": job.turn_id}
        if job.announcement is not None:
            step.sends.append(ev.CreateAnnouncement(event_id, job.announcement, metadata | {"voice_node": "say"}))
        else:
            step.sends.append(ev.CreateResponse(event_id, metadata, job.instructions))

    def _begin_spoken(self, turn_id: str, now: Moment, *, is_rest: bool = False) -> Turn:
        turn = Turn(turn_id, Kind.SPOKEN, now.wall, now.at, is_transcript_due=self._is_transcribed, is_rest=is_rest)
        self.turns.begin(turn)
        return turn

    def _spoken(self, segment: str, now: Moment) -> Turn | None:
        """The turn that gets the sound of this segment."""
        if self._ending is None:
            return self.turns.get(segment)
        turn_id = self._ending.turn_of(segment)
        if turn_id is None:
            return self._begin_spoken(self._ending.next_part(segment), now, is_rest=True)
        return self.turns.get(turn_id)

    def _speech_ended(self, value: SpeechEnded, now: Moment, step: Step) -> None:
        turn_id = value.turn_id if self._ending is None else self._ending.ended(value.turn_id)
        turn = self.turns.get(turn_id)
        if turn is None:
            return
        if not value.is_kept:
            if turn.phase is Phase.SENDING:
                step.sends.append(ev.ClearAudio(self._new_event_id()))
            self.turns.end(turn)
            self.ask_next(now, step)
            return
        turn.duration_ms = value.end_ms - value.start_ms
        turn.started_at = now.minus_ms(turn.duration_ms)
        turn.end_segment(now)
        if self.is_ready:
            self._end_sound(turn, now, step)

    def _end_sound(self, turn: Turn, now: Moment, step: Step) -> None:
        """All sound of this turn was sent."""
        if self._ending is None:
            self._commit(turn, now, step)
        else:
            self._ending.wait(turn, now.at)
            self._keep_alive(self._ending, now, step)

    def _keep_alive(self, ending: ServerEnding, now: Moment, step: Step) -> None:
        """Let the service hear the silence that ends the last turn, unless somebody speaks."""
        self._give_up(ending, (turn for turn in self.turns if ending.is_overdue(turn, now.at)), step)
        self._append(ending.silence(self.turns, now.at), step)

    def _give_up(self, ending: ServerEnding, turns: Iterable[Turn], step: Step) -> None:
        """The service does not end these."""
        for turn in turns:
            why = ending.why(turn)
            ending.forget(turn)
            self.turns.end(turn)
            if why is not None:
                self.lose(turn, *why, step)
            if not any(other.phase is Phase.SENDING for other in self.turns):
                step.sends.append(ev.ClearAudio(self._new_event_id()))

    def _send_audio(self, turn: Turn, pcm: bytes, step: Step) -> None:
        if self.is_ready:
            turn.phase = Phase.SENDING
            self._append(pcm, step)

    def _append(self, pcm: bytes, step: Step) -> None:
        size = self._encoder.size(PIECE_MS)
        step.sends.extend(ev.AppendAudio(pcm[at : at + size]) for at in range(0, len(pcm), size))

    def _commit(self, turn: Turn, now: Moment, step: Step) -> None:
        event_id = self._new_event_id()
        if len(turn.audio) < self._encoder.size(SHORTEST_COMMIT_MS):
            step.sends.append(ev.ClearAudio(event_id))
            self.lose(turn, LostReason.EMPTY, "less than 100 ms of sound", step)
            return
        turn.phase = Phase.COMMITTED
        turn.touched_at = now.at
        turn.mark("commit", now.at)
        self._await(event_id, turn)
        step.sends.append(ev.CommitAudio(event_id))
        self._await_answer(turn, now, step)

    def _await_answer(self, turn: Turn, now: Moment, step: Step) -> None:
        """The turn is whole at the service: ask for its answer, or wait for the one that the service gives unasked."""
        if not self._is_answered:
            turn.status = ResponseStatus.NONE
        elif self._ending is not None and self._ending.creates_responses:
            self.sequencer.expect(Job(turn.turn_id))
            self.response_at = now.at
        else:
            self.ask(turn, now, step)

    def begin_typed(self, turn: Turn, now: Moment, step: Step) -> None:
        """Somebody asks or has something said in writing."""
        self.turns.begin(turn)
        if turn.kind is Kind.TYPED:
            self.memory.heard(turn.turn_id, "user", turn.text)
        if self.is_ready:
            self._send_typed(turn, now, step)

    def _send_typed(self, turn: Turn, now: Moment, step: Step) -> None:
        turn.phase = Phase.COMMITTED
        if turn.kind is Kind.TYPED:
            event_id, item_id = self._new_event_id(), f"item_{turn.turn_id}"[:32]
            self._await(event_id, turn)
            self.memory.item(turn.turn_id, item_id)
            step.sends.append(ev.CreateText(event_id, item_id, "user", turn.text))
        self.ask(turn, now, step)

    def answer(self, call_id: str, output: str, now: Moment, step: Step) -> None:
        """Home automation's answer to a call."""
        turn = self.turns.of_call(call_id)
        if turn is None:
            return  # its turn is gone; the router told home automation when it was lost
        turn.open_calls.discard(call_id)
        turn.touched_at = now.at
        event_id = self._new_event_id()
        self._await(event_id, turn)
        item_id = f"out_{event_id}"
        self.memory.item(turn.turn_id, item_id)
        step.sends.append(ev.CreateCallOutput(event_id, item_id, call_id, output))
        self.ask_again(turn, now, step)

    def ask_again(self, turn: Turn, now: Moment, step: Step) -> None:
        """Let the model go on once every call of its last response is answered and that response is done."""
        if turn.open_calls or not turn.calls_to_answer or self.sequencer.active_turn == turn.turn_id:
            return
        turn.calls_to_answer = 0
        if turn.is_stopped:
            turn.status = ResponseStatus.CANCELLED
        if turn.status is ResponseStatus.COMPLETED:
            self.ask(turn, now, step)
        else:
            self.settle(turn, now, step)

    def _has_answer(self, turn: Turn) -> bool:
        return turn.status is not None and not turn.open_calls and not self.sequencer.has(turn.turn_id)

    def _finish(self, turn: Turn, step: Step) -> None:
        assert turn.status is not None
        turn.mark("done", turn.touched_at)
        self.turns.end(turn)
        self._remember(turn, step, is_lost=False)
        step.outcomes.append(TurnFinished(turn.turn_id, turn.status, turn.detail, dict(turn.timings_ms)))

    def _remember(self, turn: Turn, step: Step, *, is_lost: bool) -> None:
        too_old = self.memory.turn_over(turn.turn_id, turn.touched_at, is_lost=is_lost)
        if self.is_ready:
            step.sends += too_old

    def _give_back(self, response_id: str, step: Step) -> None:
        """This response was taken for one that we asked for: it is another turn's, or nobody's."""
        self.turns.drop_response(response_id)
        owner = self.turns.get(self.sequencer.active_turn) if self.sequencer.active_response == response_id else None
        if owner is None:
            self.cancel(response_id, step)
        else:
            self.turns.add_response(response_id, owner)

    def _await(self, event_id: str, turn: Turn) -> None:
        self._awaited[event_id] = turn.turn_id
        while len(self._awaited) > 256:  # the server never says that an event was right: forget the oldest
            self._awaited.pop(next(iter(self._awaited)))

    def _lose_if_stale(self, turn: Turn, now: Moment, step: Step) -> bool:
        is_stale = now.at - (turn.speech_end_s if turn.is_ended else turn.touched_at) > STALE_S
        if is_stale:
            self.lose(turn, LostReason.STALE, f"not sent within {STALE_S:.0f} s", step)
        return is_stale

    def _bound_held(self, now: Moment, step: Step) -> None:
        for turn in () if self.is_ready else self.turns.beyond(self._encoder.size(HELD_MS)):
            self.lose(turn, LostReason.STALE, "more sound than can be held", step)
