from collections.abc import Iterator

import pytest

from tests.fakes import broker as fake
from tests.fakes.broker import Broker


@pytest.fixture
def broker() -> Iterator[Broker]:
    if fake.ABSENT:
        pytest.skip(fake.ABSENT)
    with Broker() as running:
        yield running
