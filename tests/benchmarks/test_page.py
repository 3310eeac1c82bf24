from pathlib import Path

from tests.benchmarks.measure import Figure, Skipped
from tests.benchmarks.page import PICTURES, picture_name, short, write_page
from tests.benchmarks.parts import PARTS, about
from tests.benchmarks.results import PartResult, Results


def page_of(tmp_path: Path, **parts: PartResult) -> str:
    path = tmp_path / "benchmarks.md"
    write_page(Results({"processor": "a|b"}, {"Python": "3.11"}, parts), path)
    return path.read_text()


def test_every_part_has_its_words_and_no_words_are_left_over() -> None:
    assert list(about()) == list(PARTS)
    assert all(part.title and part.text for part in about().values())


def test_figures_stand_in_rows_with_bound_and_ratio(tmp_path: Path) -> None:
    figures = (Figure("quick", 4, "ms", 5, "ten times"), Figure("slow", 12.345, "ms", 10), Figure("free", 1234.5, "MB"))
    page = page_of(tmp_path, mute=PartResult("2026-01-01 12:00", 10, 0.25, figures))
    assert "| quick | 4 ms | 5 ms | 0.80 | ten times |" in page
    assert "| slow | 12.3 ms | 10 ms | **1.23** |  |" in page
    assert "| free | 1,234 MB |  |  |  |" in page
    assert "| [mute](#mute) | 2026-01-01 12:00 | 10 s | 0.25 | 1 of 2 |" in page
    assert "| processor | a\\|b |" in page


def test_figures_of_subjects_cross_and_ratios_stand_apart(tmp_path: Path) -> None:
    figures = (
        Figure("CPU", 1, "s", subject="ours"),
        Figure("memory", 20, "MB", subject="ours"),
        Figure("CPU", 4, "s", subject="theirs"),
        Figure("CPU, ours to theirs", 0.25, "x", 1, subject="theirs"),
        Figure("memory, ours to theirs", 2, "x", 1, subject="theirs"),
    )
    page = page_of(tmp_path, peers=PartResult("", 10, 0, figures))
    assert "|  | CPU | memory |\n| --- | --- | --- |\n| ours | 1 s | 20 MB |\n| theirs | 4 s |  |" in page
    assert "| ours to theirs | CPU | memory |\n| --- | --- | --- |\n| theirs | 0.25 x | 2 x **(bound 1)** |" in page


def test_what_failed_or_was_skipped_is_said(tmp_path: Path) -> None:
    broken = PartResult("", 10, 0, failure="RuntimeError: no")
    skipped = PartResult("", 10, 0, (), (Skipped("pipecat", "it could not be installed"),))
    page = page_of(tmp_path, gate=broken, peers=skipped)
    assert "**Not measured: RuntimeError: no**" in page
    assert "Not measured: pipecat (it could not be installed)." in page
    assert "| failed |" in page


def test_pictures_that_are_there_are_shown(tmp_path: Path) -> None:
    (tmp_path / PICTURES).mkdir()
    (tmp_path / PICTURES / picture_name("barge-in")).touch()
    part = PartResult("", 1, 0)
    page = page_of(tmp_path, **{"barge-in": part, "mute": part})
    assert "![Barge-in](pictures/bench_barge_in.png)" in page
    assert "bench_mute" not in page


def test_three_digits_are_enough() -> None:
    assert [short(value) for value in (0.01234, 1.5, 12.345, 123.45, 12345)] == [
        "0.0123",
        "1.5",
        "12.3",
        "123",
        "12,345",
    ]
