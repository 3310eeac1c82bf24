"""The goals in their short form; `script/soak` takes the long one."""

from pathlib import Path

import pytest

from tests.fakes import broker as fake
from tests.system.cost import television
from tests.system.disk import bad_disks, kill_writers, small_disk
from tests.system.goal import GOALS
from tests.system.goals import PROGRAMS
from tests.system.recovery import recover
from tests.system.stale import storm_of_commands

SEED = 20_263
needs_broker = pytest.mark.skipif(bool(fake.ABSENT), reason=fake.ABSENT)


def test_every_goal_has_its_program() -> None:
    assert sorted(goal for goals in PROGRAMS for goal in goals) == sorted(GOALS)


@pytest.mark.slow
def test_no_command_is_executed_late() -> None:
    result = storm_of_commands(1000, SEED)
    assert result.failures == [], str(result)


@pytest.mark.slow
@pytest.mark.timeout(400)
@needs_broker
async def test_what_is_back_is_found() -> None:
    """Times are the goals', which a test of correctness does not judge: that it comes back at all is what it says."""
    results = await recover(1)
    assert [result.figures["repeats"] for result in results] == [10] * 4


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_killed_writers_lose_nothing(tmp_path: Path) -> None:
    result = await kill_writers(tmp_path, 20, SEED)
    assert result.failures == [], str(result)


@pytest.mark.slow
@pytest.mark.timeout(300)
@needs_broker
async def test_a_bad_disk_costs_nothing(tmp_path: Path) -> None:
    try:
        with small_disk(tmp_path / "probe"):
            pass
    except OSError as error:
        pytest.skip(f"no disk can be mounted here: {error}")
    for result in await bad_disks(tmp_path):
        assert result.failures == [], str(result)


@pytest.mark.slow
@pytest.mark.timeout(300)
@needs_broker
async def test_a_television_costs_no_more_than_the_cap(tmp_path: Path) -> None:
    result = await television(tmp_path, 900)
    assert result.failures == [], str(result)
