"""One part in a process of its own: what it leaves behind, or breaks, is no other part's.

usage: python -m tests.benchmarks.alone PART FOLDER    Writes FOLDER/findings.json.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks.measure import Figure, Skipped
from tests.benchmarks.results import PartResult
from tests.benchmarks.room import environment

_FINDINGS = "findings.json"
_MOST_S = 1800.0
"""A part that takes longer hangs."""
_LOOK_EVERY_S = 0.1
_stopping = threading.Event()


def measure_alone(name: str, timeout_s: float = _MOST_S) -> PartResult:
    """Measure a part in a child; whatever becomes of it is the result."""
    measured_at, load = f"{datetime.now(UTC):%Y-%m-%d %H:%M}", os.getloadavg()[0]
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="voice-node-bench-") as place:
        failure = run_part(
            [sys.executable, "-m", "tests.benchmarks.alone", name, place], Path(place) / "complaint.txt", timeout_s
        )
        figures, skipped = _read(Path(place) / _FINDINGS)
    seconds = round(time.monotonic() - began, 1)
    return PartResult(measured_at, seconds, round(load, 2), figures, skipped, failure)


def stop_all() -> None:
    """Every part that is measured in this process's children ends at once."""
    _stopping.set()


def run_part(command: list[str], complaints: Path, timeout_s: float) -> str:
    """Why it failed; empty where it did not. Its state is beside its `complaints`."""
    with complaints.open("w") as file:
        # A session of its own, so that what it started ends with it.
        # And a state of its own: what earlier runs had left to publish made the turns of this one late.
        child = subprocess.Popen(command, stderr=file, start_new_session=True, env=environment(complaints.parent))
        overdue_at = time.monotonic() + timeout_s
        try:
            while (code := child.poll()) is None:
                if time.monotonic() > overdue_at:
                    return f"it took more than {timeout_s:g} s"
                if _stopping.wait(_LOOK_EVERY_S):
                    return "it was stopped"
        finally:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    if code == 0:
        return ""
    complaint = complaints.read_text()
    sys.stderr.write(complaint)
    lines = complaint.strip().splitlines()
    return lines[-1] if lines else f"it ended with {code}"


def _read(path: Path) -> tuple[tuple[Figure, ...], tuple[Skipped, ...]]:
    if not path.exists():
        return (), ()
    content = json.loads(path.read_text())
    return (
        tuple(Figure.from_json(figure) for figure in content["figures"]),
        tuple(Skipped(**one) for one in content["skipped"]),
    )


def _main(name: str, folder: Path) -> None:
    from tests.benchmarks.parts import PARTS  # here: they bring everything that is measured

    findings = PARTS[name](folder)
    content = {
        "figures": [found.as_json() for found in findings if isinstance(found, Figure)],
        "skipped": [asdict(found) for found in findings if isinstance(found, Skipped)],
    }
    (folder / _FINDINGS).write_text(json.dumps(content))


if __name__ == "__main__":
    _main(sys.argv[1], Path(sys.argv[2]))
