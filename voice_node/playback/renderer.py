"""From the queue to what a sound card takes: sample rate, volume, channels, and no clicks."""

import numpy as np
from numpy.typing import NDArray

from voice_node.audio.resample import Resampler
from voice_node.model.audio import BYTES_PER_SAMPLE
from voice_node.model.control import Chime
from voice_node.playback.chimes import samples as chime_samples
from voice_node.playback.queue import RATE_HZ, PlaybackQueue, Played

_LOUDNESS_EXPONENT = 5 / 3
"""Loudness grows with the 0.6th power of the amplitude (Stevens), so half the volume sounds half as loud."""
_FADE_MS = 5


def gain_of(volume: int) -> float:
    """The factor on the samples for a volume of 0..100."""
    return float((volume / 100) ** _LOUDNESS_EXPONENT)


class Renderer:
    """Renders a `PlaybackQueue` at 24 kHz for one device. Not safe between threads: its owner holds a lock.

    A change of volume is spread over the block in which it happens. What is stopped fades out within 5 ms, which are
    counted as played.
    """

    def __init__(self, queue: PlaybackQueue, volume: int) -> None:
        self._queue = queue
        self._gain = self._wanted_gain = gain_of(volume)
        self._resampler: Resampler | None = None
        self._rate_hz = 0
        self._ready = b""
        self._is_flowing = False
        self._chime: Chime | None = None
        self._chimed = 0
        """Samples of it that were rendered."""

    def chime(self, chime: Chime) -> None:
        """Let this sound from now on, beside what is queued and in place of a chime that sounds."""
        self._chime, self._chimed = chime, 0

    @property
    def is_chiming(self) -> bool:
        """A chime is not over."""
        return self._chime is not None

    def set_volume(self, volume: int) -> None:
        """0..100, from the next block on."""
        self._wanted_gain = gain_of(volume)

    def stop(self) -> Played | None:
        """Fade out and drop everything else; what was played of the item under way."""
        if self._resampler is not None and not self._queue.is_empty:
            n = RATE_HZ * _FADE_MS // 1000
            end = np.frombuffer(self._queue.pull(n * BYTES_PER_SAMPLE), np.int16) * np.linspace(1, 0, n)
            self._ready += self._resampler.process(end.astype(np.int16).tobytes()) + self._resampler.flush()
            self._is_flowing = False
        return self._queue.clear()

    def reset(self) -> None:
        """Forget the device; the next one may be another."""
        self._resampler = None
        self._ready = b""
        self._is_flowing = False

    def render(self, count: int, rate_hz: int, channels: int) -> tuple[bytes, bool]:
        """`count` samples for each channel, interleaved, and whether a microphone may take them for a voice.

        So it may what is queued, and the chime of an error: without a second opinion the gate opened for it, the turn
        came to nothing, and that sounded the chime again. The others are shorter than what a gate keeps, and deaf to
        them a room would miss what is said in the same breath as a wake word.
        """
        is_like_speech = self._chime is Chime.ERROR
        mono = self._mono(count * BYTES_PER_SAMPLE, rate_hz)
        if not mono:
            self._gain = self._wanted_gain
            if self._chime is None:
                return bytes(count * BYTES_PER_SAMPLE * channels), False
        samples = np.frombuffer(mono.ljust(count * BYTES_PER_SAMPLE, b"\0"), np.int16)
        if self._gain != self._wanted_gain:
            samples = (samples * np.linspace(self._gain, self._wanted_gain, count)).astype(np.int16)
            self._gain = self._wanted_gain
        elif self._gain != 1:
            samples = (samples * np.float32(self._gain)).astype(np.int16)
        if self._chime is not None:
            samples = self._with_chime(self._chime, samples, rate_hz)
        return (np.repeat(samples, channels) if channels > 1 else samples).tobytes(), is_like_speech or bool(mono)

    def _with_chime(self, chime: Chime, below: NDArray[np.int16], rate_hz: int) -> NDArray[np.int16]:
        sound = chime_samples(chime, rate_hz)[self._chimed :][: len(below)]
        self._chimed += len(below)
        if not len(sound):
            self._chime = None
            return below
        mixed = below.astype(np.float32)
        mixed[: len(sound)] += sound * np.float32(self._wanted_gain)
        return np.clip(mixed, -32768, 32767).astype(np.int16)

    def _mono(self, n_bytes: int, rate_hz: int) -> bytes:
        """At most `n_bytes` at the device's rate; fewer only where the sound ends."""
        if self._resampler is None or rate_hz != self._rate_hz:
            self.reset()
            self._resampler, self._rate_hz = Resampler(RATE_HZ, rate_hz), rate_hz
        while len(self._ready) < n_bytes:
            if self._queue.is_empty:
                if self._is_flowing:
                    self._ready += self._resampler.flush()
                    self._is_flowing = False
                break
            missing = (n_bytes - len(self._ready)) // BYTES_PER_SAMPLE
            samples = min(-(-missing * RATE_HZ // rate_hz), self._queue.queued_samples)
            self._ready += self._resampler.process(self._queue.pull(samples * BYTES_PER_SAMPLE))
            self._is_flowing = True
        mono, self._ready = self._ready[:n_bytes], self._ready[n_bytes:]
        return mono
