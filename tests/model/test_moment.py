from datetime import UTC, datetime, timedelta

import pytest

from voice_node.model.moment import Moment

WALL = datetime(2026, 3, 29, 1, 0, 0, 500_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("duration_ms", "wall"),
    [
        (0, WALL),
        (500, WALL.replace(microsecond=0)),
        (0.5, WALL.replace(microsecond=499_500)),
        (86_400_000, WALL - timedelta(days=1)),
        (-1000, WALL + timedelta(seconds=1)),
    ],
)
def test_the_wall_clock_some_time_ago(duration_ms: float, wall: datetime) -> None:
    ago = Moment(12.0, WALL).minus_ms(duration_ms)
    assert ago == wall
    assert ago.tzinfo is UTC
