"""Figures and how they are shown."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure and the bound that it is held against."""

    name: str
    value: float
    unit: str
    bound: float | None = None
    note: str = ""
    subject: str | int = ""
    """Whose figure it is, where several are compared: a program's name, or how many of something there were."""

    @property
    def ratio(self) -> float | None:
        """The figure as a share of its bound: at most 1 holds it."""
        return None if self.bound is None else self.value / self.bound

    @property
    def title(self) -> str:
        """The name, with its subject."""
        return self.name if self.subject == "" else f"{self.name}, {self.subject}"

    def as_json(self) -> dict[str, object]:
        """For `--json`."""
        return asdict(self) | {"ratio": self.ratio}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """What `as_json` made."""
        return cls(**{name: value for name, value in content.items() if name != "ratio"})

    def __str__(self) -> str:
        held = ""
        if self.ratio is not None:
            held = f"{self.ratio:6.2f} of {self.bound:g} {self.unit}  {'holds' if self.ratio <= 1 else 'EXCEEDED'}"
        return f"{self.title:<54} {self.value:9.3f} {self.unit:<5} {held}  {self.note}".rstrip()


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that was not measured here."""

    what: str
    why: str

    def __str__(self) -> str:
        return f"{self.what:<54} not measured: {self.why}"


Finding = Figure | Skipped


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)]
