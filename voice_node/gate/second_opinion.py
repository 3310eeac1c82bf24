"""A second opinion on what the detector nominates, from a model that is too dear to listen all the time.

It hears 16 kHz in chunks of 32 ms. Its times are audio time, as the gate's are.

Idle -> listening
    When frames are nominated, it hears the last `LOOK_BACK_MS` and what follows. What is behind is caught up with a few
    chunks a frame, so that no frame takes long.

Listening -> open, said by `is_speech`
    `_OPENING` of the last `_OPENING_OF` chunks are speech.

Listening -> idle: rejected
    For `PATIENCE_MS` after the nomination no chunk might be speech. Where the nomination goes on, as it does beside an
    appliance, it listens again after a rest, to a shorter look-back; each rejection doubles the rest up to
    `LONGEST_REST_MS`. A lull of `LULL_MS` without nomination ends the rest: what comes then is something new.
    A rest loses no speech: whoever speaks in it is still speaking when it ends, and the gate reaches back behind it.

Open -> idle
    The gate says when: `is_held` tells it which frames hold it.

Standing tones
    A chunk that is made of standing tones is no speech, whatever the model says. That is looked into where the model
    hopes; what the model holds for nothing is only kept for it, and most candidates end so.

The model is never reset between candidates: what it has heard of the room makes it better (fresh for each candidate it
opened five times as often on noise).
"""

from collections import deque
from typing import Protocol

import numpy as np

from voice_node.audio.listening import LISTENING_HZ, ListeningRate
from voice_node.gate.tonality import CHUNK_SAMPLES, Tonality
from voice_node.model.audio import BYTES_PER_SAMPLE

LOOK_BACK_MS = 500
SHORT_LOOK_BACK_MS = 300
PATIENCE_MS = 300
SHORT_PATIENCE_MS = 100
FIRST_REST_MS = 300
LONGEST_REST_MS = 1200
LULL_MS = 400

OPENS_ABOVE, HOLDS_ABOVE, HOPES_ABOVE = 0.5, 0.3, 0.2
"""Probabilities of speech: that opens, that holds, that is worth to listen on."""
MOST_TONAL = 0.45

_OPENING, _OPENING_OF = 2, 3
_MOST_UNASKED = 32
"""A second, which no candidate without hope lasts."""
_GAIN = 10 ** (12 / 20)
"""The model hears best at levels that a microphone across a room does not reach."""
_CHUNK_BYTES = CHUNK_SAMPLES * BYTES_PER_SAMPLE
_CHUNK_MS = CHUNK_SAMPLES * 1000 / LISTENING_HZ
OPENING_MS = int(_OPENING * _CHUNK_MS)
"""So much speech was heard when it opens."""

_Floats = np.ndarray[tuple[int], np.dtype[np.float32]]


class Confirmer(Protocol):
    """The model."""

    def probability(self, chunk: _Floats) -> float:
        """Of speech in the next 512 samples (-1 to 1) at 16 kHz."""


class SecondOpinion:
    """The rules stand at the top of the module."""

    def __init__(self, confirmer: Confirmer, frame_ms: int) -> None:
        def frames(milliseconds: int) -> int:
            return -(-milliseconds // frame_ms)

        self._confirmer = confirmer
        self._frame_ms = frame_ms
        self._chunks_a_frame = frame_ms // 10
        self._short_look_back = frames(SHORT_LOOK_BACK_MS)
        self._lull = frames(LULL_MS)
        self._tonality = Tonality()
        self._unasked: list[_Floats] = []
        """Chunks that `_tonality` did not hear yet, which are as dear as the model's."""
        self._rate = ListeningRate(LISTENING_HZ)
        self._rate_hz = LISTENING_HZ
        self._unheard: deque[bytes] = deque(maxlen=frames(LOOK_BACK_MS))
        """The last frames while idle."""
        self._pending = b""
        """At 16 kHz: what is still to be heard while listening."""
        self._recent: deque[float] = deque(maxlen=_OPENING_OF)
        self._is_listening = False
        self._rest_ms = 0
        """Of the last rejection; 0 after a lull."""
        self._resting_ms = 0
        """Still to rest."""
        self._since_nominated = self._lull
        """Frames."""
        self._nominated_for = 0
        """Frames since the nomination began."""
        self._hopeless_ms = 0.0
        self._patience_ms = 0
        self._hopeful_for_ms: float | None = None
        """Heard since the first chunk of this candidate that may be speech began."""

    @property
    def probability(self) -> float | None:
        """Of the chunk that was heard last, 0 where hope was made of standing tones; None while nothing is heard."""
        return self._recent[-1] if self._is_listening and self._recent else None

    @property
    def is_listening(self) -> bool:
        """There is a candidate, or the gate is open."""
        return self._is_listening

    @property
    def is_speech(self) -> bool:
        """Enough of the last chunks are speech to open."""
        return sum(chance > OPENS_ABOVE for chance in self._recent) >= _OPENING

    @property
    def is_voiced(self) -> bool:
        """The last chunk is speech."""
        return bool(self._recent) and self._recent[-1] > OPENS_ABOVE

    @property
    def is_held(self) -> bool:
        """The last chunk holds an open gate."""
        return bool(self._recent) and self._recent[-1] > HOLDS_ABOVE

    @property
    def speech_for(self) -> int:
        """Frames since speech may have begun: since the nomination, or since the model first thought so."""
        behind_ms = len(self._pending) / BYTES_PER_SAMPLE * 1000 / LISTENING_HZ
        hopeful = 0 if self._hopeful_for_ms is None else -(-(self._hopeful_for_ms + behind_ms) // self._frame_ms)
        return max(self._nominated_for, int(hopeful))

    def hear(self, pcm: bytes, rate_hz: int, nominated_for: int, *, is_open: bool) -> None:
        """Take the next frame.

        Args:
            nominated_for: frames since the nomination's first voiced one; 0: it is not nominated.
            is_open: the gate is open, so it listens, and nothing is rejected.
        """
        self._follow_nomination(nominated_for)
        if self._is_listening:
            self._pending += self._rate.process(pcm)
        else:
            self._unheard.append(pcm)
            if not is_open and (not nominated_for or self._resting_ms > 0):
                return
            self._begin(rate_hz)
        for _ in range(self._chunks_a_frame):
            if len(self._pending) < _CHUNK_BYTES:
                break
            chunk, self._pending = self._pending[:_CHUNK_BYTES], self._pending[_CHUNK_BYTES:]
            self._judge(chunk)
            if not is_open and self.is_speech:
                self._rest_ms = 0
                return
        if not is_open and self._hopeless_ms >= self._patience_ms:
            self._reject()

    def stop(self) -> None:
        """The gate closed: idle, and ready for the next candidate."""
        self._is_listening = False
        self._pending = b""
        self._recent.clear()
        self._hopeful_for_ms = None

    def forget(self) -> None:
        """No sample from before is heard after this."""
        self.stop()
        self._unheard.clear()
        self._since_nominated = self._lull
        self._nominated_for = self._rest_ms = self._resting_ms = 0

    def _follow_nomination(self, nominated_for: int) -> None:
        self._resting_ms = max(0, self._resting_ms - self._frame_ms)
        self._nominated_for += 1
        if not nominated_for:
            self._since_nominated += 1
            return
        if self._since_nominated >= self._lull:
            self._nominated_for = nominated_for
            self._rest_ms = self._resting_ms = 0
        self._since_nominated = 0

    def _begin(self, rate_hz: int) -> None:
        if rate_hz != self._rate_hz:
            self._rate, self._rate_hz = ListeningRate(rate_hz), rate_hz
        frames = list(self._unheard)
        if self._rest_ms:
            frames = frames[-self._short_look_back :]
        self._unheard.clear()
        self._tonality.forget()
        self._unasked.clear()
        self._pending = self._rate.process(b"".join(frames))
        self._is_listening = True
        # Patience counts from the nomination on: what was before it is no reason to reject.
        behind_ms = len(frames) * self._frame_ms
        self._hopeless_ms = -behind_ms
        self._patience_ms = SHORT_PATIENCE_MS if self._rest_ms else PATIENCE_MS

    def _judge(self, chunk: bytes) -> None:
        samples = np.frombuffer(chunk, "<i2").astype(np.float32)
        chance = self._confirmer.probability(np.clip(samples * np.float32(_GAIN / 32768), -1, 1))
        self._unasked.append(samples)
        if (chance > HOPES_ABOVE or len(self._unasked) >= _MOST_UNASKED) and self._is_tonal():
            chance = 0.0
        self._recent.append(chance)
        if self._hopeful_for_ms is not None:
            self._hopeful_for_ms += _CHUNK_MS
        self._hopeless_ms += _CHUNK_MS
        if chance > HOPES_ABOVE:
            self._hopeless_ms = min(self._hopeless_ms, 0.0)
            if self._hopeful_for_ms is None:
                self._hopeful_for_ms = _CHUNK_MS

    def _is_tonal(self) -> bool:
        """The chunk that came last is made of standing tones."""
        shares = [self._tonality.hear(chunk) for chunk in self._unasked]
        self._unasked.clear()
        return shares[-1] > MOST_TONAL

    def _reject(self) -> None:
        self.stop()
        self._rest_ms = min(2 * self._rest_ms or FIRST_REST_MS, LONGEST_REST_MS)
        self._resting_ms = self._rest_ms
