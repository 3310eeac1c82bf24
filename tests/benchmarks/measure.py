"""Figures and how they are shown."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure and the bound that it is held against."""

    name: str
    value: float
    unit: str
    bound: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """The figure as a share of its bound: at most 1 holds it."""
        return None if self.bound is None else self.value / self.bound

    def as_json(self) -> dict[str, object]:
        """For `--json`."""
        return asdict(self) | {"ratio": self.ratio}

    def __str__(self) -> str:
        held = ""
        if self.ratio is not None:
            held = f"{self.ratio:6.2f} of {self.bound:g} {self.unit}  {'holds' if self.ratio <= 1 else 'EXCEEDED'}"
        return f"{self.name:<54} {self.value:9.3f} {self.unit:<5} {held}  {self.note}".rstrip()


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)]
