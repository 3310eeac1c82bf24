"""What the gate made of every frame, as a value, and as text for people and machines."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from voice_node.gate.gate import Phase
from voice_node.model.speech import EndReason

EVERY_MS = 100
"""Between changes, so often is a line worth reading."""

_ENDS = {
    EndReason.SILENCE: "nothing held it for the hang-over",
    EndReason.LONGEST: "the longest segment was reached",
    EndReason.HOLE: "frames were lost",
    EndReason.SHUT: "shut from outside",
    EndReason.END: "the recording ended",
}


@dataclass(frozen=True, slots=True)
class Observation:
    """One frame and what became of it."""

    at_ms: int
    """Where the frame begins."""
    is_speech: bool
    """The detector's verdict."""
    level_db: float
    floor_db: float
    probability: float | None
    """Of speech, by the second opinion; None where it was not asked."""
    phase: Phase
    """After the frame."""
    why: str
    """Why the phase changed with this frame; empty where it did not."""


def why_changed(before: Phase, after: Phase, reason: EndReason | None, is_kept: bool) -> str:
    """In words; empty where nothing changed.

    Args:
        reason: why a segment ended with this frame, if one did.
        is_kept: it was sent.
    """
    if reason is not None:
        what = _ENDS[reason] if is_kept else f"{_ENDS[reason]}, and too little was voiced: nothing was sent"
        return what if after is Phase.CLOSED else f"{what}; the next began"
    if before is after:
        return ""
    match after:
        case Phase.CANDIDATE:
            return "enough frames were voiced: the second opinion is asked"
        case Phase.CLOSED:
            return "the second opinion: nobody speaks"
        case Phase.WITHHELD:
            is_asked = before is Phase.CANDIDATE
            return "the second opinion: somebody speaks" if is_asked else "enough frames were voiced"
        case Phase.SENT:
            return "enough of the segment was voiced: it is sent"


def worth_reading(observations: Iterable[Observation]) -> Iterator[Observation]:
    """Every change, and one of every `EVERY_MS`."""
    due_ms = 0
    for observation in observations:
        if observation.why or observation.at_ms >= due_ms:
            yield observation
            due_ms = observation.at_ms - observation.at_ms % EVERY_MS + EVERY_MS


def as_json(observation: Observation, file: Path | None = None) -> str:
    """One line for a machine; with the recording's name where there are several."""
    fields = ({} if file is None else {"file": str(file)}) | asdict(observation)
    fields |= {
        "level_db": round(observation.level_db, 1),
        "floor_db": round(observation.floor_db, 1),
        "probability": None if observation.probability is None else round(observation.probability, 3),
        "phase": observation.phase.value,
    }
    return json.dumps(fields)


HEADER = "       s  verdict  level dB  floor dB  probability  state"


def as_row(observation: Observation) -> str:
    """One line for a person, below `HEADER`; a machine may split it at its blanks."""
    chance = "-" if observation.probability is None else f"{observation.probability:.2f}"
    verdict = "speech" if observation.is_speech else "-"
    why = f"  <- {observation.why}" if observation.why else ""
    return (
        f"{observation.at_ms / 1000:8.2f}  {verdict:7}{observation.level_db:10.1f}{observation.floor_db:10.1f}"
        f"{chance:>13}  {observation.phase.value:9}{why}".rstrip()
    )
