"""Gate -> session: what somebody in the room says, one segment after the other.

A segment is `SpeechStarted`, then `SpeechAudio`*, then `SpeechEnded`, all with the same `turn_id`. Audio is withheld
until the segment holds enough voiced time, so a segment that ends with `is_kept` False was never sent anywhere.
"""

from dataclasses import dataclass
from enum import StrEnum


class EndReason(StrEnum):
    """Why a segment ended."""

    SILENCE = "silence"
    """The hang-over passed without speech."""
    LONGEST = "longest"
    """The longest segment was reached; what follows is a new segment."""
    HOLE = "hole"
    """Frames were lost: nothing is spliced across them."""
    SHUT = "shut"
    """The gate was shut from outside: mute, or the node speaks."""
    END = "end"
    """The source ended."""


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The gate opened."""

    turn_id: str
    start_ms: int
    """Audio time of the segment's first sample (pre-roll included), from the start of the source."""


@dataclass(frozen=True, slots=True)
class SpeechAudio:
    """A piece of the segment, in order and without holes."""

    turn_id: str
    pcm: bytes
    """Mono s16le: at the frames' rate out of the gate, at the session's rate on the pipe to the session."""


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """The gate closed."""

    turn_id: str
    start_ms: int
    end_ms: int
    """Audio time after the segment's last sample, hang-over included."""
    voiced_ms: int
    """Time in frames that were found to be speech."""
    snr_db: float
    """Mean level of the voiced frames above the noise floor."""
    is_kept: bool
    """False: too little voiced time, nothing of it was sent."""
    reason: EndReason


@dataclass(frozen=True, slots=True)
class SpeechOver:
    """Nobody will be heard any more: the session ends when the turns under way are over."""


Speech = SpeechStarted | SpeechAudio | SpeechEnded
"""Closed: match it with `assert_never`."""

Heard = Speech | SpeechOver
"""What the session is told of the room, to the end."""
