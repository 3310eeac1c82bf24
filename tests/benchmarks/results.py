"""What a run of the benchmarks found, as it is kept in JSON."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from tests.benchmarks.measure import Figure, Finding, Skipped


@dataclass(frozen=True, slots=True)
class PartResult:
    """One part's figures, or why there are none."""

    measured_at: str
    """The date and time of UTC, as `2026-11-20 17:05`."""
    seconds: float
    """How long the part took."""
    load: float
    """Processes that wanted a core in the minute before: from 1 on, somebody else worked too."""
    figures: tuple[Figure, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    failure: str = ""

    @property
    def is_well(self) -> bool:
        """It was measured, and every bound holds."""
        return not self.failure and all(figure.ratio is None or figure.ratio <= 1 for figure in self.figures)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All that there is to show."""
        return self.figures + self.skipped


@dataclass(slots=True)
class Results:
    """By part. What ran on another machine is not mixed in."""

    machine: dict[str, str]
    versions: dict[str, str]
    parts: dict[str, PartResult] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """As JSON."""
        parts = {
            name: asdict(part) | {"figures": [figure.as_json() for figure in part.figures]}
            for name, part in self.parts.items()
        }
        content = {"machine": self.machine, "versions": self.versions, "parts": parts}
        path.write_text(json.dumps(content, indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> Self:
        """What `write` wrote."""
        content = json.loads(path.read_text())
        parts = {name: _part(part) for name, part in content["parts"].items()}
        return cls(content["machine"], content["versions"], parts)


def _part(content: dict[str, Any]) -> PartResult:
    figures = tuple(Figure.from_json(figure) for figure in content.pop("figures"))
    skipped = tuple(Skipped(**one) for one in content.pop("skipped"))
    return PartResult(**content, figures=figures, skipped=skipped)
