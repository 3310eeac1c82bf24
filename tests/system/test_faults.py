"""200 faults, from a seed: nothing is lost that may wait, nothing acts late or twice.

`script/faults` runs 1,000 over 3 seeds, in about 5 minutes.
"""

from pathlib import Path

import pytest

from tests.fakes import broker as fake
from tests.system.faults import storm

SEED = 20_260


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(bool(fake.ABSENT), reason=fake.ABSENT)
async def test_two_hundred_faults(tmp_path: Path) -> None:
    outcome = await storm(SEED, 200, tmp_path)
    print(outcome)  # noqa: T201 - pytest shows it on failure
    assert outcome.failures == []
