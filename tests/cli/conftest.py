import socket
from collections.abc import Iterator

import pytest

from tests.fakes.sound_card import sound_card

__all__ = ["sound_card"]


@pytest.fixture
def free_port() -> Iterator[int]:
    """Bound, but nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        yield probe.getsockname()[1]
