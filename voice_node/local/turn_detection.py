"""Where speech begins and ends in a stream of frames, as `server_vad` and `semantic_vad` describe it.

The rules, on the clock of the sound that was received (without sound, time stands still):

1. Speech begins when, of the last `_WINDOW` frames, the share that `threshold` asks for is voiced. It began
   `prefix_padding_ms` before the first of them.
2. It ends when nothing was voiced for `silence_duration_ms`. A voiced frame counts where `_LEAST_VOICED` of its window
   are: a click does not hold the turn open.
3. Speech that is longer than `LONGEST_MS` ends there, and the next begins.
4. With `idle_timeout_ms`, so much silence after a reply was played times out, once: then a person must speak again.

`semantic_vad` has no model of meaning here: its `eagerness` is a length of silence.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

FRAME_MS = 20
LONGEST_MS = 110_000
"""Below what is held, so that nothing of a turn is forgotten."""
_WINDOW = 10
_LEAST_VOICED = 3
_SILENCE_MS = {"low": 1200, "medium": 800, "auto": 800, "high": 500}
"""By eagerness. OpenAI waits 8, 4 and 2 s at most, and less where a sentence is complete."""
_THRESHOLD = 0.5
_PREFIX_MS = 300


@dataclass(frozen=True, slots=True)
class Turns:
    """What a session's `turn_detection` asks for."""

    threshold: float
    prefix_ms: int
    silence_ms: int
    idle_ms: int | None
    creates_response: bool
    interrupts_response: bool


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """Speech began here, its padding included."""

    start_ms: int


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """The turn is over here, its silence included."""

    end_ms: int


@dataclass(frozen=True, slots=True)
class TimedOut:
    """Nobody has spoken between these."""

    start_ms: int
    end_ms: int


Edge = SpeechStarted | SpeechStopped | TimedOut
"""Closed: match it with `assert_never`."""


def turns_of(config: Mapping[str, Any] | None) -> Turns | None:
    """From a whole, checked `turn_detection`; None: the client commits."""
    if config is None:
        return None
    flags = config["create_response"], config["interrupt_response"]
    if config["type"] == "semantic_vad":
        return Turns(_THRESHOLD, _PREFIX_MS, _SILENCE_MS[config["eagerness"]], None, *flags)
    silence_ms, idle_ms = config["silence_duration_ms"], config["idle_timeout_ms"]
    return Turns(config["threshold"], config["prefix_padding_ms"], silence_ms, idle_ms, *flags)


class TurnDetector:
    """Feed it each frame of 20 ms with `step`; it begins at `now_ms`."""

    def __init__(self, turns: Turns, now_ms: int) -> None:
        self._turns = turns
        self._needed = min(_WINDOW, max(_LEAST_VOICED, ceil(turns.threshold * _WINDOW)))
        self._window: deque[bool] = deque(maxlen=_WINDOW)
        self._first_ms = now_ms
        self._now_ms = now_ms
        self._started_ms: int | None = None
        self._voiced_ms = now_ms
        self._idle_from_ms: int | None = None

    @property
    def is_speech(self) -> bool:
        """Whether somebody speaks."""
        return self._started_ms is not None

    def reply_was_played(self, end_ms: int) -> None:
        """A reply of which the client hears the last at that time: silence is counted from there."""
        self._idle_from_ms = end_ms

    def step(self, is_voiced: bool) -> Edge | None:
        """One frame, and what it brought."""
        self._now_ms += FRAME_MS
        self._window.append(is_voiced)
        voiced = sum(self._window)
        if is_voiced and voiced >= _LEAST_VOICED:
            self._voiced_ms = self._now_ms
        if self._started_ms is None:
            return self._start() if voiced >= self._needed else self._time_out()
        silence_ms = self._now_ms - self._voiced_ms
        is_long = self._now_ms - self._started_ms >= LONGEST_MS
        return self._stop() if is_long or silence_ms >= max(self._turns.silence_ms, FRAME_MS) else None

    def _start(self) -> SpeechStarted:
        begun_ms = self._now_ms - FRAME_MS * (len(self._window) - self._window.index(True))
        self._started_ms = max(self._first_ms, begun_ms - self._turns.prefix_ms)
        self._idle_from_ms = None
        return SpeechStarted(self._started_ms)

    def _stop(self) -> SpeechStopped:
        self._window.clear()
        self._started_ms = None
        self._first_ms = self._now_ms
        return SpeechStopped(self._now_ms)

    def _time_out(self) -> TimedOut | None:
        begun_ms, wait_ms = self._idle_from_ms, self._turns.idle_ms
        if begun_ms is None or wait_ms is None or self._now_ms - begun_ms < wait_ms:
            return None
        self._idle_from_ms = None
        return TimedOut(begun_ms, self._now_ms)
