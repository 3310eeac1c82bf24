"""What a goal of reliability came to: figures, and what failed."""

from dataclasses import dataclass, field
from typing import Any

GOALS = {
    "G1": "tool calls and results survive",
    "G2": "no call is executed twice",
    "G3": "every transcript arrives",
    "G4": "nothing stale is executed",
    "G5": "it comes back",
    "G6": "a day leaves nothing behind",
    "G7": "bad input",
    "G8": "poison",
    "G9": "the disk",
    "G10": "the MQTT round trip",
    "G11": "hardening",
    "G12": "secrets, TLS, ACL",
    "G13": "mute and cost",
}


@dataclass
class Result:
    """Of one goal, or of a part of it."""

    goal: str
    what: str
    seed: int | None = None
    figures: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    failures: list[str] = field(default_factory=list)

    def demand(self, what: str, holds: bool) -> None:
        """`what` is the failure's text where it does not hold."""
        if not holds:
            self.failures.append(what)

    def __str__(self) -> str:
        seed = "" if self.seed is None else f", seed {self.seed}"
        figures = ", ".join(f"{name} {value}" for name, value in self.figures.items())
        lines = [f"{self.goal} {self.what}{seed}: {figures} ({self.seconds:.0f} s)"]
        return "\n".join([*lines, *(f"  FAILED: {failure}" for failure in self.failures)])
