"""What was played, found by when it was heard: the reference of an echo canceller at the frames' rate.

Loudspeaker and microphone count samples each by a clock of its own, and their threads come late as they please. So:

1. Of each stream is kept when its sample 0 would have been, going by its pieces. Captured frames may come late but
   never early, so the earliest since the last gap counts, and ages by `CREEP` of the time, which is more than clocks
   drift: PulseAudio is 50 ms late for ten seconds on end and then in time again, while no sample is lost. Of what is
   played the driver says when it will leave, however late it was handed over, so the middle of a third of a second
   counts. After an underrun three pieces in a row are enough: they are handed over before they are heard, so no echo
   is taken for a voice meanwhile.
2. The reference of a frame is what left the loudspeaker, by its driver's estimate, `LEAD_MS` after the frame came in.
   So the echo is in the past of the reference, where a filter can find it, also when that estimate is late: over
   PulseAudio by 14 ms, measured.
3. From frame to frame the reference goes on without a splice, until it is `SLIP_MS` from where the paces put it. Then
   it is read anew from there (`Found.slip`): that much is the clocks' drift, and the canceller shifts what it knows.
   Where what is played leaps by `LEAP_MS` or more, that is no drift (an underrun): its place is found anew.
4. A gap in either stream's numbers ends its pace. Without a second of what is heard and five pieces of what is played
   there is no place and no reference.
5. Silence is not handed over; the positions tell of it. Three to six seconds of sound are held, the oldest give way.
"""

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voice_node.audio.resample import Resampler
from voice_node.model.audio import BYTES_PER_SAMPLE, Frame, PlayedBlock

SLIP_MS = 15
LEAP_MS = 8
LEAD_MS = 20
CREEP = 2e-4
_HELD_S = 3
_PLAYED_PIECES = 32
_FEWEST_PLAYED = 5
_LEAPT = 3
SETTLED_S = 1.0
"""PulseAudio brings some blocks up to 100 ms late by turns: only in a second is there one that came in time."""
_LONGEST_SILENCE_S = 1
"""A longer one is not held: the sound after it begins anew."""
_FULL_SCALE = np.float32(32768)

Samples = NDArray[np.float32]
"""Mono; full scale is 1."""


@dataclass(frozen=True, slots=True)
class Found:
    """The reference of one frame."""

    played: Samples
    """As long as the frame."""
    past: Samples | None
    """What was played before it, where that is not what the last frame found; None: this goes on from there."""
    slip: int | None
    """Samples by which it is read later than before, because the clocks drifted; None: its place is found anew."""


class HeardPace:
    """When the sample 0 of a stream would have been whose pieces come in time or late: by the earliest."""

    def __init__(self, fewest: int) -> None:
        self._missing = fewest
        self._latest = 0.0
        self.origin = math.inf

    @property
    def is_known(self) -> bool:
        """Enough pieces came."""
        return self._missing <= 0

    def note(self, seconds: float, at: float) -> None:
        """What lies `seconds` from the stream's beginning came then."""
        aged = self.origin + CREEP * (seconds - self._latest)
        self.origin = min(aged, at - seconds)
        self._latest = seconds
        self._missing -= 1


class PlayedPace:
    """The same of one whose pieces are said to leave now too late, now too early: by the middle of the last."""

    def __init__(self) -> None:
        self._origins: deque[float] = deque(maxlen=_PLAYED_PIECES)
        self._fewest = _FEWEST_PLAYED

    @property
    def is_known(self) -> bool:
        """Enough pieces came."""
        return len(self._origins) >= self._fewest

    @property
    def origin(self) -> float:
        """In seconds of the clock by which the pieces leave."""
        return sorted(self._origins)[len(self._origins) // 2]

    def note(self, seconds: float, at: float) -> None:
        """What lies `seconds` from the stream's beginning leaves then."""
        self._origins.append(at - seconds)

    def heeds_leap(self, least_s: float) -> bool:
        """Where the last three pieces are all as far as that from the middle, only they count from now on."""
        last, middle = list(self._origins)[-_LEAPT:], self.origin
        if len(self._origins) > _LEAPT and all(abs(origin - middle) > least_s for origin in last):
            self._origins.clear()
            self._origins.extend(last)
            self._fewest = min(self._fewest, _LEAPT)
            return True
        return False


class Reference:
    """What was played, for frames of `frame` samples at `rate_hz`; the rules stand above.

    Args:
        reach: samples of the past that are given where the reference does not go on.
        settled_s: how much must be captured before it is known when frames come in time.
    """

    def __init__(self, frame: int, rate_hz: int, reach: int, settled_s: float = SETTLED_S) -> None:
        self._frame = frame
        self._rate_hz = rate_hz
        self._reach = reach
        self._settled = round(settled_s * rate_hz / frame)
        self._played_pace = PlayedPace()
        self._heard_pace = HeardPace(self._settled)
        self._next_frame = -1
        self._next_sample: int | None = None
        """Where the next frame's reference begins if it goes on, in samples since the device was opened."""
        self._has_rested = False
        self._played_hz = 0
        self._next_position = 0
        self._resampler = Resampler(self._rate_hz, self._rate_hz)
        self._start = 0
        """The place of the first sample that is held."""
        self._held: Samples = np.zeros(2 * _HELD_S * rate_hz, np.float32)
        self._held_count = 0

    @property
    def is_lost(self) -> bool:
        """So few frames came since the last gap that their reference is not known."""
        return not self._heard_pace.is_known

    def add(self, block: PlayedBlock) -> None:
        """Take the next piece that was handed to the loudspeaker."""
        if block.rate_hz != self._played_hz or block.position < self._next_position:
            self._played_hz = block.rate_hz
            self._played_pace = PlayedPace()
            self._next_sample = None
            self._begin(block.position)
        silence = block.position - self._next_position
        if silence > _LONGEST_SILENCE_S * block.rate_hz:
            self._begin(block.position)
        elif silence:
            self._append(bytes(silence * BYTES_PER_SAMPLE))
        self._append(block.pcm)
        self._next_position = block.position + len(block.pcm) // BYTES_PER_SAMPLE
        self._played_pace.note(block.position / block.rate_hz, block.at)
        if self._played_pace.is_known and self._played_pace.heeds_leap(LEAP_MS / 1000):
            self._next_sample = None

    def find(self, frame: Frame) -> Found | None:
        """What was played while this frame came in; None: not known."""
        frame_s = self._note(frame)
        if not (self._heard_pace.is_known and self._played_pace.is_known):
            self._next_sample = None
            return None
        began_at = self._heard_pace.origin + frame.index * frame_s
        wanted = round((began_at - self._played_pace.origin + LEAD_MS / 1000) * self._rate_hz)
        at = self._next_sample
        slip: int | None = 0
        if at is None or abs(wanted - at) > 2 * SLIP_MS * self._rate_hz // 1000:
            at, slip = wanted, None
        elif abs(wanted - at) > SLIP_MS * self._rate_hz // 1000:
            at, slip = wanted, wanted - at
        goes_on = slip == 0 and not self._has_rested
        self._next_sample, self._has_rested = at + self._frame, False
        return Found(self._read(at, self._frame), None if goes_on else self._read(at - self._reach, self._reach), slip)

    def rest(self, frame: Frame) -> None:
        """Nothing is played: only note when this frame came."""
        self._note(frame)
        self._has_rested = True
        if self._next_sample is not None:
            self._next_sample += self._frame

    def _note(self, frame: Frame) -> float:
        """Its length in seconds."""
        frame_s = self._frame / self._rate_hz
        if frame.index != self._next_frame:
            self._heard_pace = HeardPace(self._settled)
            self._next_sample = None
        self._next_frame = frame.index + 1
        self._heard_pace.note(frame.index * frame_s, frame.at - frame_s)
        return frame_s

    def _begin(self, position: int) -> None:
        self._resampler = Resampler(self._played_hz, self._rate_hz, is_instant=True)
        self._next_position = position
        self._start = round(position * self._rate_hz / self._played_hz)
        self._held_count = 0

    def _append(self, pcm: bytes) -> None:
        samples = np.frombuffer(self._resampler.process(pcm), np.int16) / _FULL_SCALE
        if self._held_count + len(samples) > len(self._held):
            surplus = self._held_count - _HELD_S * self._rate_hz
            self._held[: self._held_count - surplus] = self._held[surplus : self._held_count]
            self._held_count -= surplus
            self._start += surplus
        self._held[self._held_count : self._held_count + len(samples)] = samples
        self._held_count += len(samples)

    def _read(self, at: int, count: int) -> Samples:
        """Silence where nothing is held."""
        out = np.zeros(count, np.float32)
        first, last = max(at, self._start), min(at + count, self._start + self._held_count)
        if first < last:
            out[first - at : last - at] = self._held[first - self._start : last - self._start]
        return out
