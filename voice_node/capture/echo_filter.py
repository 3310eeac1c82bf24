"""The linear echo canceller: what comes back of the node's own voice by way of the room is taken away again.

The echo is the reference (what was played) convolved with the room. The room's response is cut into partitions as long
as one frame, each held as a spectrum, so that a frame costs a few FFTs (overlap-save: an FFT is two frames long, and
the second half of its product is the frame's echo). How a filter learns:

1. Every weight has a variance: how wrong it may still be. It begins high, highest for the early partitions, since a
   room decays. A weight that was seen at work becomes surer, and all become a little less sure with each frame, in
   proportion to the power that they hold: doors open, people walk.
2. The step of a frequency is that of a Kalman filter: the echo that may still be unexplained (reference power times
   variance) over that plus what else is in the residual. A voice over the reply is residual: the step falls at its
   frequencies at once and the filter keeps what it knows. So it needs no detector of double talk.
3. What else is in the residual is its smoothed power, and never less than half of this frame's own: else the first
   frames of a voice would be learnt as if they were echo.
4. Each partition's weights are held to one frame in time, or the circular product would wrap; a third of them at each
   frame, since this is the dearest step and errors take longer to grow.

A sure filter is slow to see that it stands in another room. Therefore a canceller has a second opinion:

5. When the last second of reply was made less than 9 dB fainter, a fresh filter learns beside the first, for at most
   8 s, and takes over once it leaves 1.5 dB less. While somebody speaks over the reply it never does: it knows less.
6. After the reference was lost and found again (`seek`) it may be tens of milliseconds from where it was, which makes a
   filter worthless that is right but for that. So the next third of a second of echo is only compared with what the
   filter expects, and the filter is moved to where they are most alike.
7. Whether a filter still fits is told by how much of the echo that it expects is in what is heard: all of it (1), also
   under a voice, which is like nothing that was played; next to nothing where the sound was torn on its way by an
   underrun, or somebody moved the loudspeaker. Below `_FITS` for a fifth of a second it is lost (`is_lost`), and the
   place is looked for as in rule 6, once a second.
8. What comes out is never louder than what came in: where the filter adds power, what was heard is passed on.

A linear filter takes away nothing but echo, so who speaks over the reply is kept whole, which a wake word needs; what a
loudspeaker distorts stays. Measured in a synthetic room (T60 0.3 s, room noise 35 dB below the echo): 7 dB in the first
second, 26 dB in the fourth, 30 later, 25 under a voice as loud as the echo; with a distorting loudspeaker 16 to 20.

The method: Enzner and Vary, frequency-domain adaptive Kalman filter (2006); Kuech, Mabande and Enzner, its partitioned
form (2014).
"""

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
"""Mono; full scale is 1."""
Spectra = NDArray[np.complex64]
"""One row a partition."""

_KEPT_PER_S = 0.85
"""How much of itself a weight keeps in a second, as far as the variance knows."""
_FIRST_VARIANCE = 0.3
_FIRST_DECAY_PER_S = 2e-8
"""Of the first variance along the response: a T60 of 0.8 s."""
_SMOOTHING_PER_S = 3e-4
_SILENT_POWER = 1e-9
_JUDGED_PER_S = 0.37
"""The powers by which filters are judged are smoothed over a second."""
_POOR = 0.12
_BETTER = 0.7
_TRIAL_S = 8.0
_REST_S = 1.5
"""Of reply, before there is another trial."""
_CONSTRAINED_EVERY = 3
_SOUGHT_S = 0.3
_SOUGHT_AGAIN_S = 1.0
_SOUGHT_MS = 60
_FITS = 0.5
_FIT_PER_S = 0.003
_FAINT = 0.1
"""An expected echo that is so much fainter than what is heard tells nothing of whether it is in there."""
_AUDIBLE_POWER = 1e-7
"""Of a sample at -70 dBFS."""


class EchoFilter:
    """One model of the room, for frames of `frame` samples."""

    def __init__(self, frame: int, rate_hz: int, length: int) -> None:
        seconds = frame / rate_hz
        partitions = -(-length // frame)
        self._frame = frame
        self._kept = _KEPT_PER_S ** (2 * seconds)
        self._smoothing = _SMOOTHING_PER_S**seconds
        self._weights: Spectra = np.zeros((partitions, frame + 1), np.complex64)
        decay = _FIRST_VARIANCE * _FIRST_DECAY_PER_S ** (seconds * np.arange(partitions))
        self._variance: Samples = np.repeat(decay[:, None], frame + 1, axis=1).astype(np.float32)
        self._noise: Samples = np.zeros(frame + 1, np.float32)
        self._turn = 0

    def expect(self, played: Spectra) -> Samples:
        """The echo in this frame; `played` are the reference's spectra, the newest first."""
        echo: Samples = np.fft.irfft((played * self._weights).sum(axis=0))[self._frame :].astype(np.float32)
        return echo

    def process(self, heard: Samples, played: Spectra, power: Samples) -> Samples:
        """One frame without its echo, and learn from it; `power` are the squares of `played`."""
        n, weights, variance = self._frame, self._weights, self._variance
        rest = heard - self.expect(played)
        error = np.fft.rfft(np.concatenate([np.zeros(n, np.float32), rest])).astype(np.complex64)
        error_power = error.real**2 + error.imag**2
        self._noise = self._smoothing * self._noise + (1 - self._smoothing) * error_power
        noise = np.maximum(self._noise, error_power / 2)
        step = variance / ((power * variance).sum(axis=0) + 2 * noise + _SILENT_POWER)  # 2: the window of the error
        weights += step * played.conj() * error
        variance *= self._kept * (1 - step * power / 2)
        variance += (1 - self._kept) * (weights.real**2 + weights.imag**2)
        self._turn = (self._turn + 1) % _CONSTRAINED_EVERY
        response = np.fft.irfft(weights[self._turn :: _CONSTRAINED_EVERY])
        response[:, n:] = 0
        weights[self._turn :: _CONSTRAINED_EVERY] = np.fft.rfft(response)
        return rest

    def shift(self, samples: int) -> None:
        """The echo comes later by this from now on, or earlier where it is negative."""
        n = self._frame
        response = np.fft.irfft(self._weights)[:, :n].reshape(-1)
        moved = np.roll(response, samples)
        if samples > 0:
            moved[:samples] = 0
        elif samples < 0:
            moved[samples:] = 0
        padded = np.zeros((len(self._weights), 2 * n), np.float32)
        padded[:, :n] = moved.reshape(-1, n)
        self._weights = np.fft.rfft(padded).astype(np.complex64)


class LinearCanceller:
    """A filter and, where it fails, a second one; rules 5 to 8 above."""

    def __init__(self, frame: int, rate_hz: int, reach_ms: int = 256) -> None:
        self._frame = frame
        self._rate_hz = rate_hz
        self._length = rate_hz * reach_ms // 1000
        self._filter = self._fresh()
        self._rival: EchoFilter | None = None
        self._trial = 0
        """Frames for which the rival has learnt."""
        self._judged = _JUDGED_PER_S ** (frame / rate_hz)
        self._heard_power = self._left_power = self._rival_power = 0.0
        partitions = -(-self._length // frame)
        self._played: Spectra = np.zeros((partitions, frame + 1), np.complex64)
        self._before: Samples = np.zeros(frame, np.float32)
        self._age = 0
        self._has_learnt = False
        self._sought: list[tuple[Samples, Samples]] | None = None
        """What was heard and expected since the place of the echo is looked for."""
        self._since_sought = 0
        """Frames."""
        self._fitted = _FIT_PER_S ** (frame / rate_hz)
        self._heard = self._expected = self._alike = 0.0
        """Powers, and what is alike in both, of the last fifth of a second."""

    @property
    def is_lost(self) -> bool:
        """What is expected is not what is heard."""
        return self._expected > _FAINT * self._heard and self._alike < _FITS * self._expected

    @property
    def reach(self) -> int:
        """Samples of the reference that `look_back` takes."""
        return (len(self._played) + 1) * self._frame

    def look_back(self, played: Samples) -> None:
        """The reference does not go on where it was: these are the `reach` samples before the next frame."""
        windows = np.lib.stride_tricks.sliding_window_view(played, 2 * self._frame)[:: self._frame]
        self._played[:] = np.fft.rfft(windows)[::-1]
        self._before = played[-self._frame :]

    def shift(self, samples: int) -> None:
        """The echo comes later by this from now on, because the reference is read so much later."""
        self._filter.shift(samples)
        self._rival = None

    def seek(self) -> None:
        """The reference may be a little off from where it was."""
        self._since_sought = 0
        if self._has_learnt:
            self._sought = []

    def process(self, heard: Samples, played: Samples) -> Samples:
        """One frame without its echo."""
        self._played[1:] = self._played[:-1]
        self._played[0] = np.fft.rfft(np.concatenate([self._before, played]))
        self._before = played
        if self._sought is not None:
            return _quieter(self._compare(heard, self._sought), heard)
        power: Samples = self._played.real**2 + self._played.imag**2
        rest = self._filter.process(heard, self._played, power)
        self._note_fit(heard, heard - rest)
        trial = None if self._rival is None else self._rival.process(heard, self._played, power)
        if played.any():
            self._judge(heard, rest, trial)
        self._since_sought += 1
        if self.is_lost and self._seconds(self._since_sought) > _SOUGHT_AGAIN_S:
            self.seek()
        return _quieter(rest, heard)

    def _compare(self, heard: Samples, sought: list[tuple[Samples, Samples]]) -> Samples:
        echo = self._filter.expect(self._played)
        self._note_fit(heard, echo)
        if float(echo @ echo) > _AUDIBLE_POWER * self._frame:
            sought.append((heard, echo))
        if self._seconds(len(sought)) >= _SOUGHT_S:
            self._sought = None
            all_heard = np.concatenate([one for one, _ in sought])
            all_expected = np.concatenate([other for _, other in sought])
            self._filter.shift(_delay(all_heard, all_expected, self._rate_hz * _SOUGHT_MS // 1000))
            self._forget_fit()
        return heard - echo

    def _note_fit(self, heard: Samples, echo: Samples) -> None:
        self._heard = self._fitted * self._heard + float(heard @ heard)
        self._expected = self._fitted * self._expected + float(echo @ echo)
        self._alike = self._fitted * self._alike + float(heard @ echo)

    def _forget_fit(self) -> None:
        self._heard = self._expected = self._alike = 0.0

    def _judge(self, heard: Samples, rest: Samples, trial: Samples | None) -> None:
        share = 1 - self._judged
        self._age += 1
        self._has_learnt |= self._seconds(self._age) > _REST_S and self._left_power < _POOR * self._heard_power
        self._heard_power += share * (float(heard @ heard) - self._heard_power)
        self._left_power += share * (float(rest @ rest) - self._left_power)
        if trial is None:
            if self._seconds(self._age) > _REST_S and self._left_power > _POOR * self._heard_power:
                self._rival, self._rival_power, self._trial = self._fresh(), self._left_power, 0
            return
        self._trial += 1
        self._rival_power += share * (float(trial @ trial) - self._rival_power)
        if self._rival is not None and self._rival_power < _BETTER * self._left_power:
            self._filter, self._left_power, self._rival, self._age = self._rival, self._rival_power, None, 0
        elif self._seconds(self._trial) > _TRIAL_S:
            self._rival, self._age = None, 0

    def _seconds(self, frames: int) -> float:
        return frames * self._frame / self._rate_hz

    def _fresh(self) -> EchoFilter:
        return EchoFilter(self._frame, self._rate_hz, self._length)


def _quieter(rest: Samples, heard: Samples) -> Samples:
    return rest if float(rest @ rest) <= float(heard @ heard) else heard


def _delay(heard: Samples, expected: Samples, furthest: int) -> int:
    """By how many samples the expected lies before the heard where they are most alike."""
    size = 1 << (len(heard) + furthest).bit_length()
    likeness = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(expected, size)), size)
    near = np.concatenate([likeness[-furthest:], likeness[: furthest + 1]])
    return int(np.argmax(near)) - furthest
