from pathlib import Path

import pytest

from tests.benchmarks.measure import Figure, Skipped, percentile
from tests.benchmarks.results import PartResult, Results

HELD = Figure("time", 4, "ms", 5, "ten times")
EXCEEDED = Figure("time", 6, "ms", 5)


def test_a_figure_is_held_against_its_bound() -> None:
    assert HELD.ratio == pytest.approx(0.8)
    assert "0.80 of 5 ms  holds" in str(HELD)
    assert "EXCEEDED" in str(EXCEEDED)
    assert Figure("time", 6, "ms").ratio is None


def test_a_subject_is_part_of_the_title() -> None:
    assert str(Figure("CPU", 1, "s", subject="pipecat")).startswith("CPU, pipecat ")
    assert Figure("CPU", 1, "s", subject=10).title == "CPU, 10"


@pytest.mark.parametrize(("share", "value"), [(0.5, 2), (0.99, 4), (0.01, 1)])
def test_percentiles_are_of_the_nearest_rank(share: float, value: float) -> None:
    assert percentile([4, 1, 3, 2], share) == value


def test_a_part_is_well_when_it_was_measured_and_holds() -> None:
    assert PartResult("", 1, 0, (HELD,)).is_well
    assert not PartResult("", 1, 0, (HELD, EXCEEDED)).is_well
    assert not PartResult("", 1, 0, (HELD,), failure="it broke").is_well


def test_results_come_back_from_json_as_they_were(tmp_path: Path) -> None:
    part = PartResult("2026-01-01 12:00", 1.5, 0.2, (HELD, Figure("CPU", 1, "s", subject=10)), (Skipped("it", "why"),))
    results = Results({"processor": "one"}, {"Python": "3"}, {"part": part, "other": PartResult("", 0, 0, failure="x")})
    results.write(tmp_path / "bench.json")
    assert Results.read(tmp_path / "bench.json") == results
