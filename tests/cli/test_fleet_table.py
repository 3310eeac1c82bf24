import io
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from voice_node.cli.fleet_rooms import FleetRoom
from voice_node.cli.fleet_table import fleet_view

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def shown(rooms: Sequence[FleetRoom], *, width: int = 130, height: int | None = None, notice: str = "") -> list[str]:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    with console.capture() as capture:
        console.print(fleet_view(rooms, NOW, width, height, notice))
    return [line.rstrip() for line in capture.get().splitlines()]


def living(name: str, **facts: object) -> FleetRoom:
    return FleetRoom(name, is_online=True, state="idle", **facts)  # type: ignore[arg-type]  # facts of several types


def row(room: FleetRoom, width: int = 130) -> str:
    return " ".join(shown([room], width=width)[3].split())


def test_rooms_that_need_somebody_stand_first() -> None:
    rooms = [living("attic"), FleetRoom("hall", is_online=False), living("bath")]
    assert [line.split()[0] for line in shown(rooms)[3:]] == ["hall", "attic", "bath"]


def test_a_line_sums_it_up() -> None:
    talking = FleetRoom("a", is_online=True, state="speaking", usd_today=0.5)
    old = FleetRoom("b", is_online=False, state="speaking", usd_today=9.0, usage_date="2026-11-01")
    assert shown([talking, old])[0] == "2 rooms  1 online  1 in a turn  1 in trouble  $0.50 today"


def test_a_row_tells_everything() -> None:
    room = living(
        "kitchen",
        since=NOW - timedelta(minutes=5),
        last_status="completed",
        timings_ms={"first_sound": 620},
        usd_today=0.8,
        budget_usd=1.0,
        problems={"session_lost": 3, "timeout": 1},
        last_error="session_lost",
        version="0.1.0",
        seen_at=NOW - timedelta(seconds=4),
    )
    assert row(room) == "kitchen idle 5 min completed 620 ms $0.80 80% session lost ×3, 1 other 0.1.0 4 s ago"  # noqa: RUF001 - it is meant


def test_what_does_not_work_now_is_told_before_what_went_wrong() -> None:
    assert "the disk is full" in row(living("kitchen", broken=("the disk is full",), last_error="timeout"))


def test_a_node_that_is_gone_is_down_whatever_it_said_last() -> None:
    assert row(FleetRoom("kitchen", is_online=False, state="speaking", turn_id="ab-1")).startswith("kitchen down -")


def test_a_room_of_which_nothing_is_known() -> None:
    assert row(FleetRoom("kitchen")) == "kitchen ? - - - - - -"


@pytest.mark.parametrize(
    ("age", "text"),
    [(-5, "0 s"), (99, "99 s"), (100, "2 min"), (7200, "2 h"), (90000, "25 h"), (200000, "2 d")],
)
def test_ages_are_short(age: float, text: str) -> None:
    assert f"idle {text} -" in row(living("kitchen", since=NOW - timedelta(seconds=age)))


def test_names_of_rooms_are_no_markup() -> None:
    assert "[bold]" in row(living("kitchen", last_error="[bold]"))


@pytest.mark.parametrize("width", [60, 80, 109, 110, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    rooms = [living("a" * 64, last_error="b" * 100, version="1.2.3.dev456+local", timings_ms={"done": 12345})]
    lines = shown(rooms, width=width)
    assert max(map(len, lines)) <= width
    assert len(lines) == 4, "a row is one line"


def test_what_has_no_place_is_counted() -> None:
    lines = shown([living(f"room_{number:02}") for number in range(30)], height=20, notice="The broker is away.")
    assert len(lines) <= 20
    assert lines[-2:] == ["and 16 more", "The broker is away."]


def test_an_empty_house() -> None:
    assert shown([])[-1] == "No room has told anything yet."
