"""What a listener is connected to, and what it counts."""

import json
import socket
import subprocess
import sys
import threading
from typing import Protocol

from tests.benchmarks.peers.wyoming_sink import WyomingSink

PATIENCE_S = 60.0


class Ear(Protocol):
    """One end of a listener's wire."""

    port: int

    def ready_at(self) -> float:
        """When the listener was ready, by the monotonic clock; blocks. TimeoutError where it does not get so."""

    def close(self) -> dict[str, float]:
        """When the listener has gone: `audio_s`, `megabytes` and `turns`."""


class RealtimeEar:
    """`sink` in a process of its own; the listener is ready when it sends its first `session.update`."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.peers.sink"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.port = int(self._line())

    def ready_at(self) -> float:
        """When the first `session.update` came."""
        overdue = threading.Timer(PATIENCE_S, self._process.kill)
        overdue.start()
        line = self._line()
        overdue.cancel()
        if not line:
            raise TimeoutError("it did not get ready")
        return float(line)

    def close(self) -> dict[str, float]:
        """What came."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        counted: dict[str, float] = json.loads(self._line() or "{}")
        self._process.wait(10)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return counted

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


class WyomingEar:
    """The satellite is the one who accepts; it is ready when it does."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._sink = WyomingSink(self.port)

    def ready_at(self) -> float:
        """When it accepted."""
        return self._sink.connect(PATIENCE_S)

    def close(self) -> dict[str, float]:
        """What came."""
        return self._sink.close()
