"""What a turn comes to: its response, the calls in between, its end. Sans-I/O; the rules of turns stand in `turns`,
those of responses in `sequencer`, of what is remembered in `memory`.

While a response is requested or active the service has to show a sign of it every 20 s, or the connection is given up.
While a tool call is open it is home automation's move; a call that nobody answers ends its turn. While the service asks
for leave to make a call itself it is a person's; a call of its own whose end it does not tell is not waited for.

Where somebody else can answer (`patience_s`), a turn that the service cannot take, refuses or is slow with is returned
instead of held or lost, unless anything was done or said for it: nothing acts twice. Once returned, it is unknown here.
"""

from collections.abc import Callable

from voice_node.model.control import AnswerApproval
from voice_node.model.moment import Moment
from voice_node.model.turn import LostReason, ResponseStatus, ServiceTrouble, TurnFinished, TurnLost
from voice_node.session import events as ev
from voice_node.session.memory import Memory
from voice_node.session.sequencer import Job, Sequencer
from voice_node.session.server_ending import ServerEnding
from voice_node.session.service_calls import MOST_ROUNDS
from voice_node.session.step import Returned, Step
from voice_node.session.turns import TRANSCRIPT_PATIENCE_S, Kind, Phase, Turn, Turns
from voice_node.session.unwanted import Unwanted
from voice_node.settings.session import SessionSettings

SERVICE_PATIENCE_S = 20.0
"""How long a response may show no sign of life; the slowest models think for seconds, not for twenty."""
SLOW = "the service is too slow"
RETURNABLE = frozenset(
    {LostReason.DISCONNECTED, LostReason.STALE, LostReason.REFUSED, LostReason.TIMEOUT, LostReason.SPENT}
)
"""Losses that another session might make good."""
CALL_PATIENCE_S = 90.0
"""How long a call may stay open; the router answers every call within a tool's longest `timeout_s`, 60 s."""
RUN_PATIENCE_S = 60.0
"""How long the service's own call may take without a word; as long as any tool of a room may."""
LONGEST_WAIT_S = 60.0
"""What was typed acts by then or not at all: nobody remembers it longer."""


class Answers:
    """The turns of a room, across connections, and their way to an end."""

    def __init__(
        self,
        settings: SessionSettings,
        new_event_id: Callable[[], str],
        ending: ServerEnding | None,
        *,
        can_cancel: bool = True,
        patience_s: float | None = None,
    ) -> None:
        """`ending`: who lets the service end turns; None where the gate does.

        `patience_s`: how long after the end of speech the first answer may take; None: nobody else could give one.
        """
        self._patience_s = patience_s
        self._can_cancel = can_cancel
        self._is_answered = settings.type == "realtime"
        self._new_event_id = new_event_id
        self._ending = ending
        self.memory = Memory(settings.conversation, new_event_id)
        self.turns = Turns()
        self.unwanted = Unwanted(self.turns, self.memory, lambda: self.is_ready)
        self.sequencer = Sequencer()
        self.is_ready = False
        """The session can be spoken to."""
        self.response_at = 0.0
        """When the service last showed a sign of a response, or was asked for one."""
        self._asked_at = 0.0
        """When the response under way was asked for."""
        self._awaited: dict[str, str] = {}
        """Client events whose refusal concerns a turn, with the turn's id."""

    @property
    def is_quiet(self) -> bool:
        """Nothing is said, answered or waited for."""
        return len(self.turns) == 0 and self.sequencer.is_idle

    def stop(self, now: Moment, step: Step, *, is_barge_in: bool = False) -> None:
        """Cancel the response under way, and the ones that open calls would lead to; what waits behind goes on.

        A barge-in stops only who has begun to reply: a command in the making is no part of what was spoken over.
        """
        for turn in self.turns:
            is_meant = turn.has_replied or not is_barge_in
            if is_meant and (turn.turn_id == self.sequencer.active_turn or turn.is_waiting):
                self.stop_turn(turn.turn_id, now, step)

    def stop_turn(self, turn_id: str, now: Moment, step: Step) -> None:
        """Cancel its response if it is under way, and ask for none after its open calls."""
        turn = self.turns.get(turn_id)
        if turn is None:
            return
        turn.is_stopped = True
        turn.touched_at = now.at
        turn.service.give_up()
        self.unwanted.withdraw(turn, step)
        self.ask_again(turn, now, step)
        if turn_id == self.sequencer.active_turn:
            self.cancel(self.sequencer.active_response, step)

    def cancel(self, response_id: str | None, step: Step) -> None:
        """Stop this response; what comes of it is dropped. One without a name is cancelled when it begins."""
        if self._can_cancel and response_id:
            step.sends.append(ev.CancelResponse(self._new_event_id(), response_id))

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
        """Let time pass: calls that nobody answers, late transcripts."""
        for turn in self.turns if self.is_ready else ():
            if (turn.open_calls or turn.service.open_requests) and now.at - turn.touched_at > CALL_PATIENCE_S:
                self.lose(turn, LostReason.TIMEOUT, "a tool call was not answered", step)
            elif turn.kind is Kind.TYPED and turn.phase is Phase.HELD and now.at - turn.touched_at > LONGEST_WAIT_S:
                self.lose(turn, LostReason.BUSY, f"other turns took {LONGEST_WAIT_S:.0f} s", step)
            elif turn.withheld and now.at - turn.touched_at >= TRANSCRIPT_PATIENCE_S:
                self.lose(turn, LostReason.TIMEOUT, "no transcript came to judge its tool calls by", step)
            elif turn.service.running and now.at - turn.touched_at > RUN_PATIENCE_S:
                turn.service.give_up()
                self.ask_again(turn, now, step)
            else:
                self.settle(turn, now, step)
        if len(self.turns) > 0:  # an announcement may have waited for somebody who said nothing in the end
            self.ask_next(now, step)

    def give_up(self, now: Moment, step: Step) -> bool:
        """True: the service shows no sign of the response that is due, and the connection is closed for it."""
        for late in self.turns:
            if self._is_slow(late, now):
                self.lose(late, LostReason.TIMEOUT, SLOW, step)
                if self.is_ready:
                    step.close = SLOW
                    return True
        turn = self.turns.get(self.sequencer.active_turn)
        patience_s = SERVICE_PATIENCE_S
        if turn is not None and turn.service.is_waiting:
            patience_s = CALL_PATIENCE_S if turn.service.open_requests else RUN_PATIENCE_S
        if not self.is_ready or self.sequencer.is_idle or now.at - self.response_at <= patience_s:
            return False
        if turn is not None:
            self.lose(turn, LostReason.TIMEOUT, f"no answer from the service in {patience_s:.0f} s", step)
        step.close = "the service does not answer"
        return True

    def disconnected(self, trouble: str, now: Moment, step: Step) -> None:
        """The connection is gone, and its responses with it; turns that were not acted on are held again, or returned.

        `trouble` is why it went; empty where that was wanted.
        """
        self.is_ready = False
        for turn in self.turns:
            if turn.is_stopped:
                turn.status = ResponseStatus.CANCELLED
            if turn.is_stopped or self.has_answer(turn):
                self.finish(turn, step)
            elif turn.is_acted_on:
                self.lose(turn, LostReason.DISCONNECTED, "", step)
            elif trouble and self.may_return(turn):
                self.lose(turn, LostReason.DISCONNECTED, trouble, step)
            else:
                turn.touched_at = now.at
        self.sequencer.clear()
        self._awaited.clear()
        self.turns.disconnect()
        self.unwanted.disconnected()
        self.memory.disconnected()

    def settle(self, turn: Turn, now: Moment, step: Step) -> None:
        """Report a turn as finished if it is."""
        is_late = now.at - turn.touched_at >= TRANSCRIPT_PATIENCE_S
        if not self.has_answer(turn) or (turn.is_transcript_due and not is_late):
            return
        if turn.is_transcript_due:
            detail = f"the service sent no transcript within {TRANSCRIPT_PATIENCE_S:.0f} s"
            step.outcomes.append(ServiceTrouble("transcript_missing", detail, turn.turn_id))
        self.finish(turn, step)

    def lose(self, turn: Turn, reason: LostReason, detail: str, step: Step) -> None:
        """A turn comes to nothing, and so does its response."""
        if self.is_ready and turn.turn_id == self.sequencer.active_turn:
            self.cancel(self.sequencer.active_response, step)
        self.unwanted.abandon(turn, step)
        self.sequencer.drop(turn.turn_id)
        self.turns.end(turn)
        if self._ending is not None:
            self._ending.forget(turn)
        self._remember(turn, step, is_lost=True)
        if reason in RETURNABLE and self.may_return(turn):
            step.returned.append(Returned(turn.turn_id, detail, turn.again()))
        else:
            step.outcomes.append(TurnLost(turn.turn_id, reason, detail))

    def may_return(self, turn: Turn) -> bool:
        """Somebody else may answer this turn: nothing was done for it."""
        return self._patience_s is not None and not (turn.is_acted_on or turn.is_stopped or turn.is_rest)

    def spend(self, step: Step) -> None:
        """Nothing may be sent (again) from now on but what finishes the turns that were sent."""
        if self._patience_s is None:
            self.turns.forget_sound()
        for turn in self.turns:
            if turn.phase is Phase.HELD:
                self.lose(turn, LostReason.SPENT, "", step)

    def ask(self, turn: Turn, now: Moment, step: Step) -> None:
        """Want a response for this turn."""
        announcement = turn.text if turn.kind is Kind.ANNOUNCED else None
        is_typed = turn.kind is Kind.TYPED and turn.phase is Phase.HELD
        self.sequencer.add(Job(turn.turn_id, announcement, turn.instructions, is_typed))
        self.ask_next(now, step)

    def ask_next(self, now: Moment, step: Step) -> None:
        """Ask for the next response that is wanted, if none is under way."""
        if not self.is_ready:
            return
        event_id = self._new_event_id()
        may_begin = not any(turn.is_owed for turn in self.turns)
        job = self.sequencer.next(event_id, may_announce=not self.turns.is_anybody_speaking, may_begin=may_begin)
        if job is None:
            return
        self._put(job, step)
        self.response_at = self._asked_at = now.at
        metadata = {"turn_id": job.turn_id}
        if job.announcement is not None:
            step.sends.append(ev.CreateAnnouncement(event_id, job.announcement, metadata | {"voice_node": "say"}))
        else:
            step.sends.append(ev.CreateResponse(event_id, metadata, job.instructions))

    def _put(self, job: Job, step: Step) -> None:
        """What was asked for in writing is begun: typed words go to the service right before the request."""
        turn = self.turns.get(job.turn_id)
        if turn is None or turn.phase is not Phase.HELD:
            return
        turn.phase = Phase.COMMITTED
        if turn.kind is not Kind.TYPED:
            return
        event_id, item_id = self._new_event_id(), f"item_{turn.turn_id}"[:32]
        self.await_verdict(event_id, turn)
        self.memory.item(turn.turn_id, item_id)
        step.sends.append(ev.CreateText(event_id, item_id, "user", turn.text))

    def complete(self, turn: Turn, now: Moment, step: Step) -> None:
        """The turn is whole at the service: ask for its answer, or wait for the one that the service gives unasked."""
        if not self._is_answered:
            turn.status = ResponseStatus.NONE
        elif self._ending is not None and self._ending.creates_responses:
            self.sequencer.expect(Job(turn.turn_id))
            self.response_at = self._asked_at = now.at
        else:
            self.ask(turn, now, step)

    def call_answered(self, call_id: str, output: str, now: Moment, step: Step) -> None:
        """Home automation's answer to a call."""
        turn = self.turns.of_call(call_id)
        if turn is None:
            return  # its turn is gone; the router told home automation when it was lost
        turn.open_calls.discard(call_id)
        turn.touched_at = now.at
        event_id = self._new_event_id()
        self.await_verdict(event_id, turn)
        item_id = f"out_{event_id}"
        self.memory.item(turn.turn_id, item_id)
        step.sends.append(ev.CreateCallOutput(event_id, item_id, call_id, output))
        self.ask_again(turn, now, step)

    def approval_answered(self, answer: AnswerApproval, now: Moment, step: Step) -> None:
        """A person's answer, or nobody's, to a request of the service."""
        turn = self.turns.of_request(answer.call_id)
        if turn is None:
            return  # as above
        turn.service.answer(answer.call_id, is_approved=answer.is_approved)
        turn.touched_at = self.response_at = now.at
        event_id = self._new_event_id()
        self.await_verdict(event_id, turn)
        item_id = f"leave_{event_id}"
        self.memory.item(turn.turn_id, item_id)
        step.sends.append(ev.CreateApproval(event_id, item_id, answer.call_id, answer.is_approved, answer.reason))
        self.ask_again(turn, now, step)

    def ask_again(self, turn: Turn, now: Moment, step: Step) -> None:
        """Let the model go on once all that its last response led to is answered and that response is done."""
        if turn.is_waiting or not turn.is_owed or self.sequencer.active_turn == turn.turn_id:
            return
        turn.calls_to_answer = 0
        if turn.service.is_answer_due:
            turn.service.is_answer_due = False
            turn.service.rounds += 1
            if turn.service.rounds > MOST_ROUNDS:
                detail = f"the service made calls of its own in more than {MOST_ROUNDS} responses of a turn"
                step.outcomes.append(ServiceTrouble("too_many_calls", detail, turn.turn_id))
                self.settle(turn, now, step)
                return
        if turn.is_stopped:
            turn.status = ResponseStatus.CANCELLED
        if turn.status is ResponseStatus.COMPLETED:
            self.ask(turn, now, step)
        else:
            self.settle(turn, now, step)

    def has_answer(self, turn: Turn) -> bool:
        return turn.status is not None and not turn.is_waiting and not self.sequencer.has(turn.turn_id)

    def finish(self, turn: Turn, step: Step) -> None:
        assert turn.status is not None
        turn.mark("done", turn.touched_at)
        self.turns.end(turn)
        self._remember(turn, step, is_lost=False)
        timings_ms = dict(turn.timings_ms)
        step.outcomes.append(TurnFinished(turn.turn_id, turn.status, turn.detail, timings_ms, turn.conversation_id))

    def await_verdict(self, event_id: str, turn: Turn) -> None:
        self._awaited[event_id] = turn.turn_id
        while len(self._awaited) > 256:  # the server never says that an event was right: forget the oldest
            self._awaited.pop(next(iter(self._awaited)))

    def _is_slow(self, turn: Turn, now: Moment) -> bool:
        """The first answer takes too long; who waits behind another's is not counted."""
        if self._patience_s is None or not turn.is_ended or not self.may_return(turn):
            return False
        asked_at = self._asked_at if self.is_ready else 0.0
        is_next = not self.is_ready or turn.turn_id == self.sequencer.active_turn
        return is_next and now.at - max(turn.speech_end_s, asked_at) > self._patience_s

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
