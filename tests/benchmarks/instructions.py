"""Instructions in place of seconds: callgrind counts them, and does not mind who runs beside."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

ABSENT = "" if shutil.which("valgrind") else "valgrind is not installed"
_LONG_S, _SHORT_S = 12, 2


def instructions(works: Sequence[str], rate_hz: int) -> list[float]:
    """For one second of sound, of each work of `gate_work`: the count for 12 s less that for 2 s."""
    runs = [(work, seconds) for work in works for seconds in (_LONG_S, _SHORT_S)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        counts = list(pool.map(lambda run: _counted(run[0], rate_hz, run[1]), runs))
    return [(long - short) / (_LONG_S - _SHORT_S) for long, short in zip(counts[::2], counts[1::2], strict=True)]


def _counted(work: str, rate_hz: int, seconds: int) -> int:
    python = [sys.executable, "-m", "tests.benchmarks.gate_work", work, str(rate_hz), str(seconds)]
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *python]
    told = subprocess.run(command, capture_output=True, check=True, text=True).stderr
    found = re.search(r"Collected : (\d+)", told)
    assert found is not None
    return int(found[1])
