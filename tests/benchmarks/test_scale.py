from pathlib import Path

import pytest

from tests.benchmarks.measure import Figure
from tests.benchmarks.scale import CPU, DELIVERY, LISTENER, ROUND_TRIP, Load, figures_of, measure_scale
from tests.fakes.broker import ABSENT


def load(rooms: int, cpu_percent: float, calls: int) -> Load:
    return Load(rooms, cpu_percent, 10 + rooms / 10, rooms / 2, [1, 2, 3], [5.0] * calls, 1.0, 0.5)


def test_each_size_has_its_figures_and_the_largest_two_are_compared() -> None:
    figures = figures_of([load(10, 0.2, 3), load(100, 1.5, 80)])
    assert [figure.value for figure in figures if figure.name == CPU] == [0.2, 1.5]
    assert {figure.subject for figure in figures if figure.name.startswith(ROUND_TRIP)} == {100}
    growth = {figure.name: figure.value for figure in figures if figure.subject == ""}
    assert growth["CPU from 10 to 100 rooms, against 10 times as much"] == pytest.approx(0.75)
    assert growth["memory of the broker for each room beyond 10"] == pytest.approx(100)


@pytest.mark.slow
@pytest.mark.skipif(bool(ABSENT), reason=ABSENT)
def test_ten_rooms_come_online_speak_and_are_heard(tmp_path: Path) -> None:
    found = measure_scale(tmp_path, sizes=(10,), watch_s=4)
    figures = {figure.name: figure for figure in found if isinstance(figure, Figure)}
    assert all(figure.subject == 10 for figure in figures.values())
    assert figures[LISTENER].note == "120 messages"
    assert figures[f"{DELIVERY}, p50"].value > 0
    assert figures["messages to the home"].value > 0
