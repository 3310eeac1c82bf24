"""Ten minutes of sound with breaking connections: nothing is left behind. `script/soak --goals G6` takes a day."""

from pathlib import Path

import pytest

from tests.fakes import broker as fake
from tests.system.soak import soak

SEED = 20_262


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(bool(fake.ABSENT), reason=fake.ABSENT)
async def test_nothing_grows_and_nothing_is_left(tmp_path: Path) -> None:
    outcome = await soak(tmp_path, hours=3, turns=7, faults=5, seed=SEED, hour_s=200)
    print(outcome)  # noqa: T201 - pytest shows it on failure
    assert outcome.failures == []
