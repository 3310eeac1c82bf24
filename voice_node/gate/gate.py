"""Is somebody speaking? From frames and verdicts to segments.

The gate holds no clock and no detector: it counts frames, so all its times are audio time, index x frame_ms.

Voiced
    A frame is voiced when the detector says speech and its level lies `min_snr_db` above the noise floor. With half
    of that it still holds an open segment, because who has begun to speak may fade. At 0 the detector decides alone.

Closed -> withheld: the onset
    The gate opens when `onset_ms` of the last 2 x `onset_ms` were voiced. The segment begins `pre_roll_ms` before the
    first voiced frame of that window, and never before what was sent already. `SpeechStarted` is said at once.

With a second opinion (`second_opinion` has its rules)
    Half of `min_snr_db` is enough, and the onset only nominates: a candidate. The gate opens when the second opinion
    is that somebody speaks, and from then on that opinion alone says which frames are voiced and which hold; then half
    of `min_speech_ms` is enough, and the hang-over is longer by `ABRUPT_MS`. The segment begins `pre_roll_ms` before
    speech may have begun; where what was heard lies less than `FAINT_DB` above the floor, `FAINT_MS` before that,
    because faint words are noticed late. It reaches back `REACH_MS` at most.

Withheld -> sent: enough voiced time
    Audio is withheld until `min_speech_ms` of the segment were voiced; then all of it leaves in one piece, and what
    follows leaves frame by frame.

Sent: pauses
    The first `TRAILING_MS` of a pause are sent as they come, because a transcription wants a little silence. More of
    it is withheld: it is sent when speech goes on, so that a segment has no holes, and never when it does not.

Withheld, sent -> closed: the end
    SILENCE   For `hang_over_ms` no frame held it. What was withheld may be the pre-roll of the next segment, so
              nothing that could belong to it is lost.
    LONGEST   `max_segment_s` were reached. In speech the next segment begins with the very next sample, and its first
              voiced frame is enough to send it; in a pause the gate closes as it does for SILENCE.
    HOLE      A frame's number or rate is not what follows. What was buffered is forgotten, the frame begins anew.
    SHUT      `shut()`: muted, or the node speaks. What was buffered is forgotten: no sample from before is ever sent.
    END       `end()`: the source has no more.
    A segment ends after the last frame that held it and as much of `TRAILING_MS` as was heard. `is_kept` says whether
    it was sent; segments that were sent never overlap.

Memory: closed, pre-roll and onset window, or `REACH_MS` with a second opinion; withheld, at most `max_segment_s`;
sent, one hang-over.
The noise floor is no sound: it outlives holes and shuts.
"""

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from voice_node.audio.level import SILENCE_DBFS, level_dbfs
from voice_node.gate.noise_floor import NoiseFloor
from voice_node.gate.second_opinion import OPENING_MS, Confirmer, SecondOpinion
from voice_node.model.audio import Frame
from voice_node.model.speech import EndReason, Speech, SpeechAudio, SpeechEnded, SpeechStarted
from voice_node.settings.schema import GateSettings

TRAILING_MS = 300
"""Silence that is sent after speech: 200 cut five of 52 labelled utterances short that 300 sent whole."""

FAINT_DB, FAINT_MS = 15, 700
"""Of 52 labelled utterances, one at 5 dB began a second before anything noticed it."""
REACH_MS = 1500
ABRUPT_MS = 100
"""webrtcvad says speech for so long after it ended, and bridges the same in a pause; a second opinion does not."""

FLOOR_STEP_MS = 60
"""How often the noise floor takes a level: a whole number of frames of 10, 20 and 30 ms."""


class Phase(StrEnum):
    """Where the gate stands."""

    CLOSED = "closed"
    CANDIDATE = "candidate"
    """Closed, and the second opinion is asked."""
    WITHHELD = "withheld"
    """Open, but nothing was sent yet."""
    SENT = "sent"


@dataclass(slots=True)
class _Segment:
    """The open segment. Lengths are counted in frames."""

    turn_id: str
    start: int
    """Index of its first frame."""
    floor_db: float
    voiced_needed: int
    voiced: int = 0
    measured: int = 0
    """Voiced frames whose levels are in `level_sum`."""
    level_sum: float = 0.0
    """In dBFS."""
    silent: int = 0
    """Frames since the last that held it open."""
    withheld: list[bytes] = field(default_factory=list)

    @property
    def is_kept(self) -> bool:
        return self.voiced >= self.voiced_needed


class Gate:
    """Opens and closes on verdicts; the rules stand at the top of the module."""

    def __init__(
        self, settings: GateSettings, next_turn_id: Callable[[], str], confirmer: Confirmer | None = None
    ) -> None:
        def frames(milliseconds: float) -> int:
            return math.ceil(milliseconds / settings.frame_ms)

        self._frame_ms = settings.frame_ms
        self._onset = frames(settings.onset_ms)
        self._window_mask = (1 << 2 * self._onset) - 1
        self._pre_roll = frames(settings.pre_roll_ms)
        self._opinion = None if confirmer is None else SecondOpinion(confirmer, settings.frame_ms)
        self._strictness = 1.0 if confirmer is None else 0.5
        self._least_voiced = frames(settings.min_speech_ms * self._strictness)
        self._reach = self._pre_roll + 2 * self._onset if confirmer is None else frames(REACH_MS)
        self._faint = frames(FAINT_MS)
        self._abrupt_ms = 0 if confirmer is None else ABRUPT_MS
        self._opening = frames(OPENING_MS)
        self._longest = frames(settings.max_segment_s * 1000)
        self._tuned = (settings.min_snr_db, settings.hang_over_ms)
        self._take_over()
        self._floor_step = FLOOR_STEP_MS // settings.frame_ms
        self._next_turn_id = next_turn_id

        self._floor = NoiseFloor(FLOOR_STEP_MS)
        self._floor_due = 0  # frames until the floor takes its next level
        self._next_index = -1
        self._rate_hz = 0
        self._window = 0  # the last verdicts while closed, one bit a frame, the newest lowest
        self._window_levels: deque[float] = deque(maxlen=self._onset)  # of the last voiced frames while closed
        self._unsent: deque[bytes] = deque(maxlen=self._reach)  # the last frames while closed
        self._segment: _Segment | None = None

    @property
    def is_open(self) -> bool:
        """True from `SpeechStarted` to `SpeechEnded`."""
        return self._segment is not None

    @property
    def phase(self) -> Phase:
        """Closed, or open with or without sending."""
        if self._segment is None:
            is_asked = self._opinion is not None and self._opinion.is_listening
            return Phase.CANDIDATE if is_asked else Phase.CLOSED
        return Phase.SENT if self._segment.is_kept else Phase.WITHHELD

    @property
    def floor_db(self) -> float:
        """The noise floor in dBFS."""
        return self._floor.level_dbfs

    @property
    def probability(self) -> float | None:
        """Of speech, by the second opinion; None where it is not asked."""
        return None if self._opinion is None else self._opinion.probability

    def hear(self, frame: Frame, is_speech: bool) -> Sequence[Speech]:
        """Take the next frame and the detector's verdict on it. Nothing said is an empty tuple."""
        said: Sequence[Speech] = ()
        if frame.index != self._next_index or frame.rate_hz != self._rate_hz:
            said = self._forget(EndReason.HOLE)
            self._next_index, self._rate_hz = frame.index, frame.rate_hz
        self._next_index += 1

        # The level costs about as much as the verdict, so in a quiet room only the floor asks for it.
        level, snr_db = SILENCE_DBFS, -math.inf
        is_floor_due = self._floor_due == 0
        self._floor_due = (self._floor_due or self._floor_step) - 1
        is_followed = self._opinion is not None and self._segment is not None
        if is_speech or is_floor_due or is_followed:
            level = level_dbfs(frame.pcm)
            if is_floor_due:
                self._floor.hear(level)
            if is_speech:
                snr_db = level - self._floor.level_dbfs

        if self._segment is not None:
            return self._follow(self._segment, frame, level, snr_db)
        self._unsent.append(frame.pcm)
        self._window = self._window << 1 & self._window_mask
        if snr_db >= self._onset_snr_db:
            self._window |= 1
            self._window_levels.append(level)
        is_onset = self._window.bit_count() >= self._onset
        if self._opinion is None:
            return (
                [*said, *self._open(self._pre_roll + self._window.bit_length(), self._onset, self._least_voiced)]
                if is_onset
                else said
            )
        self._opinion.hear(frame.pcm, frame.rate_hz, self._window.bit_length() if is_onset else 0, is_open=False)
        if not self._opinion.is_speech:
            return said
        loudest = max(self._window_levels, default=level)
        is_faint = loudest - self.floor_db < FAINT_DB
        before = self._opinion.speech_for + self._pre_roll + is_faint * self._faint
        return [*said, *self._open(before, self._opening, self._least_voiced)]

    def shut(self) -> Sequence[Speech]:
        """Close from outside and forget every sample: the node is muted, or it speaks itself."""
        return self._forget(EndReason.SHUT)

    def end(self) -> Sequence[Speech]:
        """Close because the source has no more."""
        return self._forget(EndReason.END)

    def tune(self, min_snr_db: float, hang_over_ms: int) -> None:
        """Use these from the next segment on."""
        self._tuned = (min_snr_db, hang_over_ms)
        if self._segment is None:
            self._take_over()

    def _take_over(self) -> None:
        min_snr_db, hang_over_ms = self._tuned
        self._hang_over = math.ceil((hang_over_ms + self._abrupt_ms) / self._frame_ms)
        self._trailing = min(math.ceil(TRAILING_MS / self._frame_ms), self._hang_over)
        min_snr_db *= self._strictness
        self._onset_snr_db = min_snr_db or SILENCE_DBFS  # no level lies further below another
        self._hold_snr_db = min_snr_db / 2 or SILENCE_DBFS

    def _open(self, before: int, voiced: int, voiced_needed: int) -> Sequence[Speech]:
        """Begin a segment with the last frames, of which some were voiced."""
        withheld = list(self._unsent)[-before:] if before else []
        segment = self._begin(self._next_index - len(withheld), voiced_needed)
        segment.withheld = withheld
        segment.voiced = voiced
        segment.measured = len(self._window_levels)
        segment.level_sum = sum(self._window_levels)
        self._window = 0
        self._window_levels.clear()
        self._unsent.clear()
        started = SpeechStarted(segment.turn_id, segment.start * self._frame_ms)
        return [started, *self._send(segment)] if segment.is_kept else [started]

    def _follow(self, segment: _Segment, frame: Frame, level: float, snr_db: float) -> Sequence[Speech]:
        """Take the next frame of the open segment."""
        said: Sequence[Speech] = ()
        segment.withheld.append(frame.pcm)
        if self._opinion is None:
            is_voiced, is_held = snr_db >= self._onset_snr_db, snr_db >= self._hold_snr_db
        else:
            self._opinion.hear(frame.pcm, frame.rate_hz, 0, is_open=True)
            is_voiced, is_held = self._opinion.is_voiced, self._opinion.is_held
        if is_voiced:
            segment.voiced += 1
            segment.measured += 1
            segment.level_sum += level
        segment.silent = 0 if is_held else segment.silent + 1
        if segment.is_kept and segment.silent <= self._trailing:
            said = self._send(segment)
        if segment.silent >= self._hang_over:
            return [*said, self._close(EndReason.SILENCE)]
        if self._next_index - segment.start >= self._longest:
            return [*said, *self._cut(segment)]
        return said

    def _cut(self, segment: _Segment) -> Sequence[Speech]:
        """The longest segment is reached: go on with a new one, unless this is a pause."""
        ended = self._close(EndReason.LONGEST)
        if segment.silent > self._trailing:
            if self._opinion is not None:
                self._opinion.stop()
            return [ended]
        self._unsent.clear()
        following = self._begin(self._next_index, 1 if segment.is_kept else self._least_voiced)
        following.silent = segment.silent
        return [ended, SpeechStarted(following.turn_id, following.start * self._frame_ms)]

    def _begin(self, start: int, voiced_needed: int) -> _Segment:
        self._segment = _Segment(self._next_turn_id(), start, self.floor_db, voiced_needed)
        return self._segment

    def _send(self, segment: _Segment) -> Sequence[Speech]:
        audio = SpeechAudio(segment.turn_id, b"".join(segment.withheld))
        segment.withheld.clear()
        return [audio]

    def _close(self, reason: EndReason) -> SpeechEnded:
        """End the open segment; what was not sent of it may be the pre-roll of the next."""
        segment = self._segment
        assert segment is not None
        self._segment = None
        if self._opinion is not None and reason is not EndReason.LONGEST:
            self._opinion.stop()
        self._unsent.extend(segment.withheld)
        end = self._next_index - max(0, segment.silent - self._trailing)
        self._take_over()
        return SpeechEnded(
            segment.turn_id,
            start_ms=segment.start * self._frame_ms,
            end_ms=end * self._frame_ms,
            voiced_ms=segment.voiced * self._frame_ms,
            snr_db=segment.level_sum / segment.measured - segment.floor_db if segment.measured else 0.0,
            is_kept=segment.is_kept,
            reason=reason,
        )

    def _forget(self, reason: EndReason) -> Sequence[Speech]:
        """End the open segment, if any, and drop every sample."""
        said = () if self._segment is None else (self._close(reason),)
        self._unsent.clear()
        self._window = 0
        self._window_levels.clear()
        if self._opinion is not None:
            self._opinion.forget()
        self._next_index = -1
        return said
