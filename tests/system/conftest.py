import socket
from collections.abc import Iterator

import pytest

from tests.fakes import broker as fake
from tests.fakes.broker import Broker
from tests.fakes.sound_card import sound_card

__all__ = ["sound_card"]


@pytest.fixture
def broker() -> Iterator[Broker]:
    if fake.ABSENT:
        pytest.skip(fake.ABSENT)
    with Broker() as running:
        yield running


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
