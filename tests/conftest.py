"""For every test there is."""

import os
import signal
import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.fakes.wire_net import WireNet
from voice_node.session.connection import ENCODERS

# Every worker reads all modules of tests, and hundreds of processes start: what was compiled once is kept.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background job: children would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("here", deadline=None)  # a busy machine is no fault of what is tested
settings.load_profile("here")


@pytest.fixture(autouse=True)
def wire_net() -> Iterator[WireNet]:
    """Fails a test in which a node sent what is not in the published schema of its dialect."""
    net, before = WireNet(), dict(ENCODERS)
    ENCODERS.update(net.spread())
    yield net
    ENCODERS.update(before)
    assert net.torn == [], "the node sent what is not as published"
