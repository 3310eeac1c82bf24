"""For every test there is."""

from collections.abc import Iterator

import pytest

from tests.fakes.wire_net import WireNet
from voice_node.session.connection import ENCODERS


@pytest.fixture(autouse=True)
def wire_net() -> Iterator[WireNet]:
    """Fails a test in which a node sent what is not in the published schema of its dialect."""
    net, before = WireNet(), dict(ENCODERS)
    ENCODERS.update(net.spread())
    yield net
    ENCODERS.update(before)
    assert net.torn == [], "the node sent what is not as published"
