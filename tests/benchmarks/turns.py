"""How long a turn takes inside the node: end of speech to the call on the broker, and call to result and back."""

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path

from tests.benchmarks.measure import Figure, percentile
from tests.benchmarks.room import instant_server, write_room, write_sentences
from tests.fakes.broker import Broker
from voice_node.app import SWITCH_S, Node
from voice_node.model.audio import Frame
from voice_node.model.turn import Outcome, SpeechChanged
from voice_node.pipes import Pipes
from voice_node.runtime.orders import Orders
from voice_node.runtime.systemd import ServiceManager
from voice_node.settings.load import load_room
from voice_node.settings.secrets import Secrets
from voice_node.stages import Source

TURNS = 100


class _Timed:
    """A source that notes when it gave the last frame."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.start, self.close = source.start, source.close
        self.pause, self.resume = source.pause, source.resume
        self.given_at = 0.0

    def __aiter__(self) -> "_Timed":
        return self

    async def __anext__(self) -> Frame:
        frame = await anext(self._source)
        self.given_at = time.monotonic()
        return frame


class _TimedNode(Node):
    """Notes when the frame that ended each segment was captured."""

    timed: _Timed
    ended_at: list[float]

    def _source(self, pipes: Pipes) -> Source:
        self.ended_at = []
        self.timed = _Timed(super()._source(pipes))
        tell = pipes.tell

        def noting(outcome: Outcome) -> None:
            if isinstance(outcome, SpeechChanged) and not outcome.is_open and outcome.is_kept:
                self.ended_at.append(self.timed.given_at)
            tell(outcome)

        pipes.tell = noting  # type: ignore[method-assign]  # a benchmark looks where no product does
        return self.timed


def measure_turns(folder: Path) -> list[Figure]:
    """Runs about 200 s of sound in real time."""
    with Broker() as broker, instant_server() as server:
        recording = write_sentences(folder / "sentences.wav", TURNS)
        path = write_room(folder, server.port, broker.port, recording)
        command = [sys.executable, "-m", "tests.benchmarks.answering_home", str(broker.port)]
        home = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert home.stdout is not None
        home.stdout.readline()
        node = _TimedNode(load_room(path), Secrets(), ServiceManager({}))
        sys.setswitchinterval(SWITCH_S)  # as `voice-node run` does
        asyncio.run(node.run(Orders()))
        told, _ = home.communicate(timeout=20)
        facts = [json.loads(line) for line in told.splitlines()]
        called_at = [fact["heard_at"] for fact in facts if "heard_at" in fact]
        round_trips_ms = [fact["duration_ms"] for fact in facts if "duration_ms" in fact]
        inside_ms: list[float] = []
        for ended_at, heard_at in zip(node.ended_at, called_at, strict=True):
            times = server.turn()
            inside_ms.append((heard_at - ended_at - (times["call_at"] - times["commit_at"])) * 1000)
    return [
        Figure("end of speech to call on the broker, p50", percentile(inside_ms, 0.5), "ms"),
        Figure(
            "end of speech to call on the broker, p99", percentile(inside_ms, 0.99), "ms", 10, f"{len(inside_ms)} turns"
        ),
        Figure("call to result through the broker, p50", percentile(round_trips_ms, 0.5), "ms"),
        Figure("call to result through the broker, p99", percentile(round_trips_ms, 0.99), "ms", 5),
    ]
