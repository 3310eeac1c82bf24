"""The task `listen`: frames -> attention -> gate -> segments at the session's rate, [inputs].

Nothing is heard while the room is muted, while the day's budget is spent, and, half duplex, while the node speaks: then
the gate is shut, so that no sample from before is ever sent after it. What another room answers is not sent either:
`contest`. A segment that a mute ends is ended once, and `listen` may be waiting meanwhile, for room in the inputs or
for other rooms: what is said of segments goes through one lock.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import assert_never

from voice_node.audio.resample import Resampler
from voice_node.contest import Contest
from voice_node.model.audio import Frame
from voice_node.model.control import HearClaim, HearPrivately, ListenFor, OpenGate, SetMuted, TuneGate
from voice_node.model.errors import ConfigError
from voice_node.model.speech import Speech, SpeechAudio, SpeechEnded, SpeechOver, SpeechStarted
from voice_node.model.turn import AttentionChanged, Outcome, ServiceTrouble, SpeechChanged, TurnFinished, TurnLost
from voice_node.pipes import Pipes
from voice_node.private import PrivateHearing
from voice_node.stages import Stages

CODE_WINDOW_MS = 1000
"""How much longer the room attends than a code is waited for."""


class Hearing:
    """One room's ear.

    Args:
        silence: stops the reply that is being spoken, because somebody speaks over it.
        start: begins a task of that name.
    """

    def __init__(
        self,
        stages: Stages,
        pipes: Pipes,
        *,
        is_muted: bool,
        silence: Callable[[], None],
        start: Callable[[Coroutine[None, None, None], str], None],
    ) -> None:
        self._stages = stages
        self._pipes = pipes
        self._silence = silence
        self._start = start
        self.is_muted = is_muted
        """As it was ordered last."""
        self._is_shut = is_muted
        """By a mute, until the device is opened anew: till then comes what was captured in between."""
        self._is_spent = False
        """Nothing is sent until the budget allows it again."""
        self.frame_at = 0.0
        """When the last frame came, in seconds of the steady clock."""
        self._heard_ms = 0.0
        """Captured since it was counted last."""
        self._saying = asyncio.Lock()
        self._turn_over = asyncio.Event()
        self._awaited_turn = ""
        self._resampler: Resampler | None = None
        self._is_attending = False
        """As it was told last."""
        self._private = PrivateHearing(stages.private_ear, pipes.tell, start)
        self._contest = Contest(stages.arbitration, pipes, stages.clock)

    async def listen(self) -> None:
        """Hear until the source ends; raises the NodeError of a source that cannot go on."""
        try:
            async for frame in self._stages.source:
                self.frame_at = self._stages.clock().at
                self._heard_ms += frame.duration_ms
                said = await self._hear(frame)
                self._contest.keep(self._stages.player)
                if said:
                    await self._say_all(said, frame.rate_hz)
            await self._say_all(self._stages.gate.end(), 0)
        finally:
            self._pipes.inputs.offer(SpeechOver())  # not closed: turns under way still get their answers

    def count_heard_ms(self) -> float:
        """Captured since this was asked last."""
        heard_ms, self._heard_ms = self._heard_ms, 0.0
        return heard_ms

    def mute(self, is_muted: bool) -> None:
        """Deaf at once; who is not to be muted any more hears after `unshut`."""
        self.is_muted = is_muted
        self._is_shut |= is_muted

    def unshut(self) -> None:
        """What comes from now on was captured after the mute."""
        self._is_shut = False

    def spend(self, is_spent: bool) -> None:
        """Hear nothing more, or hear again; what waits for other rooms was not begun."""
        self._is_spent = is_spent
        if is_spent:
            self._contest.give_up()

    async def fall_deaf(self) -> None:
        """End what is being said, and let the session forget what it holds; no frame may come that would do it."""
        self._contest.give_up()
        await self._say_all(self._stages.attention.close(), 0)
        self._tell_attention()
        self._pipes.inputs.offer(SetMuted(is_muted=True))

    def obey(self, control: TuneGate | HearPrivately | OpenGate | ListenFor | HearClaim) -> None:
        """Hear otherwise from now on."""
        match control:
            case TuneGate(min_snr_db, hang_over_ms):
                self._stages.gate.tune(min_snr_db, hang_over_ms)
            case HearPrivately(is_private):
                self._private.want(is_private)
                if is_private:
                    self.wait_no_more()  # a recording goes on: its turn waits for what is said now
            case OpenGate(timeout_ms):
                if not (self.is_muted or self._is_spent):
                    self._stages.attention.open(timeout_ms)
                    self._tell_attention()
            case ListenFor(wake_words, window_ms):
                self._start(self._listen_for(wake_words, window_ms), "load wake words")
            case HearClaim():
                self._contest.hear(control)
            case _:
                assert_never(control)

    def note(self, outcome: Outcome) -> None:
        """A recording goes on when the turn that it began is over."""
        if isinstance(outcome, TurnFinished | TurnLost) and outcome.turn_id == self._awaited_turn:
            self.wait_no_more()

    def wait_no_more(self) -> None:
        """The source goes on, whatever became of the turn."""
        self._turn_over.set()

    async def _hear(self, frame: Frame) -> Sequence[Speech]:
        stages = self._stages
        cleaned = stages.echo.hear(frame)  # always: a canceller follows the clocks of both devices
        if self._is_shut or self._is_spent or cleaned is None:
            return stages.attention.shut()
        if self._private.is_wanted:  # the node asked: nobody says a wake word before a code, nor between its digits
            stages.attention.open(CODE_WINDOW_MS)
        attended = stages.attention.hear(cleaned.for_gate, cleaned.for_wake)
        if attended.wake_word is not None:
            if stages.player.is_speaking:
                self._silence()  # somebody wants to be heard over the reply
            if not await self._contest.wins():
                return stages.attention.close()
        self._tell_attention(attended.wake_word)
        return attended.said

    async def _listen_for(self, wake_words: tuple[str, ...], window_ms: int) -> None:
        """Where a model cannot be used, the old words stay."""
        if self._stages.load_wake_words is None:
            return
        try:
            loaded = await asyncio.to_thread(self._stages.load_wake_words, wake_words)
        except ConfigError as error:
            self._pipes.tell(ServiceTrouble("wake_word", str(error)))
        else:
            self._stages.attention.listen_for(loaded, window_ms)

    def _tell_attention(self, wake_word: str | None = None) -> None:
        is_open = self._stages.attention.is_window_open
        if is_open != self._is_attending:
            self._is_attending = is_open
            self._pipes.tell(AttentionChanged(is_open, wake_word))

    async def _say_all(self, said: Sequence[Speech], rate_hz: int) -> None:
        async with self._saying:  # a mute ends a segment only after what was said of it
            for value in said:
                is_private = self._private.take(value, rate_hz)
                if isinstance(value, SpeechStarted) and not is_private and self._stages.player.is_speaking:
                    self._silence()  # somebody speaks over the reply
                for passed in await self._contest.passes(value, is_certain=is_private):
                    if not is_private:
                        await self._say(passed, rate_hz)

    async def _say(self, value: Speech, rate_hz: int) -> None:
        """Hand a piece of speech to the session, at its rate, and tell the router of the gate."""
        match value:
            case SpeechStarted(turn_id):
                self._resampler = Resampler(rate_hz, self._stages.session_rate_hz)
                self._turn_over.clear()
                self._awaited_turn = turn_id
                self._pipes.tell(SpeechChanged(turn_id, is_open=True))
                await self._pipes.inputs.put(value)
            case SpeechAudio(turn_id, pcm):
                await self._put_audio(turn_id, pcm if self._resampler is None else self._resampler.process(pcm))
            case SpeechEnded(turn_id, start_ms, end_ms, voiced_ms, snr_db, is_kept):
                if is_kept and self._resampler is not None:
                    await self._put_audio(turn_id, self._resampler.flush())
                self._pipes.tell(SpeechChanged(turn_id, False, end_ms - start_ms, voiced_ms, snr_db, is_kept))
                await self._pipes.inputs.put(value)
                if is_kept and self._stages.waits_for_turns and not self._pipes.inputs.is_closed:
                    await self._turn_over.wait()
                    await self._stages.player.drained()
            case _:
                assert_never(value)

    async def _put_audio(self, turn_id: str, pcm: bytes) -> None:
        if pcm:
            await self._pipes.inputs.put(SpeechAudio(turn_id, self._stages.encode_sound(pcm)))
