"""What is said on a session: spoken turns as sound, typed ones as text. Sans-I/O; what becomes of them is `answers`'s,
the rules of turns that the service ends stand in `server_ending`.

While the session is not ready, turns are held. A held turn that ended more than 10 s ago is refused as stale: a command
must not act when nobody remembers saying it. At most 45 s of audio is held; more refuses the oldest turn.
"""

from collections.abc import Callable, Iterable
from typing import assert_never

from voice_node.model.moment import Moment
from voice_node.model.speech import Speech, SpeechAudio, SpeechEnded, SpeechStarted
from voice_node.model.turn import LostReason
from voice_node.session import events as ev
from voice_node.session.answers import Answers
from voice_node.session.formats import InputEncoder
from voice_node.session.server_ending import ServerEnding
from voice_node.session.step import Step
from voice_node.session.turns import Kind, Phase, Turn
from voice_node.settings.session import SessionSettings

STALE_S = 10.0
HELD_MS = 45_000
SHORTEST_COMMIT_MS = 100
"""The service refuses to commit less."""
PIECE_MS = 100
"""What was held is sent in pieces of so much: some servers refuse larger ones."""


class Conversation:
    """The room's side of its turns."""

    def __init__(
        self,
        settings: SessionSettings,
        new_event_id: Callable[[], str],
        answers: Answers,
        encoder: InputEncoder,
        ending: ServerEnding | None,
    ) -> None:
        """`ending`: who lets the service end turns; None where the gate does."""
        self._is_transcribed = settings.transcription is not None or settings.type == "transcription"
        self._new_event_id = new_event_id
        self._answers = answers
        self._encoder = encoder
        self._ending = ending

    def speech(self, value: Speech, now: Moment, step: Step) -> None:
        """Take one piece of a segment."""
        match value:
            case SpeechStarted(turn_id, _):
                if self._ending is not None:
                    self._give_up(self._ending, filter(self._ending.is_unheard, self._answers.turns), step)
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

    def begin_typed(self, turn: Turn, now: Moment, step: Step) -> None:
        """Somebody asks or has something said in writing."""
        self._answers.turns.begin(turn)
        if turn.kind is Kind.TYPED:
            self._answers.memory.heard(turn.turn_id, "user", turn.text)
        if self._answers.is_ready:
            self._answers.ask(turn, now, step)

    def committed(self, item_id: str, now: Moment, step: Step) -> None:
        """The service made an item of what it heard."""
        turn = self._answers.turns.committed(item_id) if self._ending is None else self._answers.turns.of_item(item_id)
        if turn is None:
            return
        turn.touched_at = now.at
        self._answers.memory.item(turn.turn_id, item_id)
        if self._ending is not None and turn.phase is Phase.SENDING:
            self._ending.committed(turn)
            if not turn.is_ended:
                turn.end_segment(now)
            turn.phase = Phase.COMMITTED
            turn.mark("commit", now.at)
            self._answers.complete(turn, now, step)

    def ready(self, now: Moment, step: Step) -> None:
        """The session can be spoken to: send what was held, in order."""
        self._answers.is_ready = True
        step.sends += self._answers.memory.put_back(now.at)
        pause = b""
        for turn in self._answers.turns:
            if self._lose_if_stale(turn, now, step):
                continue
            if turn.kind is not Kind.SPOKEN:
                self._answers.ask(turn, now, step)
                continue
            self._append(pause, step)
            self._send_audio(turn, bytes(turn.audio), step)
            if turn.is_ended:
                self._end_sound(turn, now, step)
            pause = b"" if self._ending is None else self._ending.separation()

    def disconnected(self, trouble: str, now: Moment, step: Step) -> None:
        """The connection is gone, wanted or because of `trouble`: keep what can be sent again, end the rest."""
        self._answers.disconnected(trouble, now, step)
        if self._ending is not None:
            self._ending.disconnected()

    def tick(self, now: Moment, step: Step) -> None:
        """Let time pass: turns that were held too long, silence that the service has to hear."""
        if self._answers.give_up(now, step):
            return
        if not self._answers.is_ready:
            for turn in self._answers.turns:
                self._lose_if_stale(turn, now, step)
        elif self._ending is not None:
            self._keep_alive(self._ending, now, step)
        self._answers.tick(now, step)

    def _begin_spoken(self, turn_id: str, now: Moment, *, is_rest: bool = False) -> Turn:
        turn = Turn(turn_id, Kind.SPOKEN, now.wall, now.at, is_transcript_due=self._is_transcribed, is_rest=is_rest)
        self._answers.turns.begin(turn)
        return turn

    def _spoken(self, segment: str, now: Moment) -> Turn | None:
        """The turn that gets the sound of this segment."""
        if self._ending is None:
            return self._answers.turns.get(segment)
        turn_id = self._ending.turn_of(segment)
        if turn_id is None:
            return self._begin_spoken(self._ending.next_part(segment), now, is_rest=True)
        return self._answers.turns.get(turn_id)

    def _speech_ended(self, value: SpeechEnded, now: Moment, step: Step) -> None:
        turn_id = value.turn_id if self._ending is None else self._ending.ended(value.turn_id)
        turn = self._answers.turns.get(turn_id)
        if turn is None:
            return
        if not value.is_kept:
            if turn.phase is Phase.SENDING:
                step.sends.append(ev.ClearAudio(self._new_event_id()))
            self._answers.turns.end(turn)
            self._answers.ask_next(now, step)
            return
        turn.duration_ms = value.end_ms - value.start_ms
        turn.started_at = now.minus_ms(turn.duration_ms)
        turn.end_segment(now)
        if self._answers.is_ready:
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
        self._give_up(ending, (turn for turn in self._answers.turns if ending.is_overdue(turn, now.at)), step)
        self._append(ending.silence(self._answers.turns, now.at), step)

    def _give_up(self, ending: ServerEnding, turns: Iterable[Turn], step: Step) -> None:
        """The service does not end these."""
        for turn in turns:
            why = ending.why(turn)
            ending.forget(turn)
            self._answers.turns.end(turn)
            if why is not None:
                self._answers.lose(turn, *why, step)
            if not any(other.phase is Phase.SENDING for other in self._answers.turns):
                step.sends.append(ev.ClearAudio(self._new_event_id()))

    def _send_audio(self, turn: Turn, pcm: bytes, step: Step) -> None:
        if self._answers.is_ready:
            turn.phase = Phase.SENDING
            self._append(pcm, step)

    def _append(self, pcm: bytes, step: Step) -> None:
        size = self._encoder.size(PIECE_MS)
        step.sends.extend(ev.AppendAudio(pcm[at : at + size]) for at in range(0, len(pcm), size))

    def _commit(self, turn: Turn, now: Moment, step: Step) -> None:
        event_id = self._new_event_id()
        if len(turn.audio) < self._encoder.size(SHORTEST_COMMIT_MS):
            step.sends.append(ev.ClearAudio(event_id))
            self._answers.lose(turn, LostReason.EMPTY, "less than 100 ms of sound", step)
            return
        turn.phase = Phase.COMMITTED
        turn.touched_at = now.at
        turn.mark("commit", now.at)
        self._answers.await_verdict(event_id, turn)
        step.sends.append(ev.CommitAudio(event_id))
        self._answers.complete(turn, now, step)

    def _lose_if_stale(self, turn: Turn, now: Moment, step: Step) -> bool:
        is_stale = now.at - (turn.speech_end_s if turn.is_ended else turn.touched_at) > STALE_S
        if is_stale:
            self._answers.lose(turn, LostReason.STALE, f"not sent within {STALE_S:.0f} s", step)
        return is_stale

    def _bound_held(self, now: Moment, step: Step) -> None:
        for turn in () if self._answers.is_ready else self._answers.turns.beyond(self._encoder.size(HELD_MS)):
            self._answers.lose(turn, LostReason.STALE, "more sound than can be held", step)
