from pathlib import Path

import pytest

from tests.benchmarks.measure import Figure
from tests.benchmarks.page import picture_name
from tests.benchmarks.results import PartResult, Results

pytest.importorskip("matplotlib", reason="the extra `plot` is not installed")

from tests.benchmarks.plot import draw_all

LARGEST = 100_000
"""Bytes of a picture: they are kept in the repository."""
FIGURES = {
    "turns": (
        Figure("p50", 1, "ms"),
        Figure("p99", 12, "ms", 10),
        Figure("speed", 3, "turns/s"),
        Figure("none", 0, "MB"),
    ),
    "peers": tuple(
        Figure(name, 1.5, unit, subject=subject)
        for subject in ("voice_node", "somebody 1.0, with a long name")
        for name, unit in (("CPU", "s"), ("CPU, ours to theirs", "x"))
    ),
    "scale": (
        *(
            Figure(name, rooms / 7, "ms", subject=rooms)
            for name in ("wait, p50", "wait, p99")
            for rooms in (1, 10, 1000)
        ),
        Figure("CPU", 0, "%", subject=1),
        Figure("growth", 1.1, "x"),
    ),
}


def test_each_part_with_figures_gets_a_small_picture(tmp_path: Path) -> None:
    parts = {name: PartResult("", 1, 0, figures) for name, figures in FIGURES.items()}
    drawn = draw_all(Results({}, {}, parts), tmp_path / "pictures")
    assert [path.name for path in drawn] == [picture_name(name) for name in FIGURES]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in drawn)
    assert all(path.stat().st_size < LARGEST for path in drawn)


def test_a_part_that_failed_leaves_no_older_picture(tmp_path: Path) -> None:
    older = tmp_path / picture_name("turns")
    older.touch()
    assert draw_all(Results({}, {}, {"turns": PartResult("", 1, 0, failure="no")}), tmp_path) == []
    assert not older.exists()
