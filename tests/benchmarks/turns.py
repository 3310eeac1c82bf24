"""How long a turn takes inside the node: end of speech to the call on the broker, and call to result and back."""

import asyncio
import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from tests.benchmarks.measure import Figure, percentile
from tests.benchmarks.room import instant_server, write_room, write_sentences
from tests.fakes.broker import Broker
from voice_node.app import SWITCH_S, Node
from voice_node.building import Room
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


class _TimedPipes(Pipes):
    """Notes when the frame that ended each segment was captured."""

    def __init__(self) -> None:
        super().__init__()
        self.source: _Timed | None = None
        self.ended_at: list[float] = []

    def tell(self, outcome: Outcome) -> None:
        is_end = isinstance(outcome, SpeechChanged) and not outcome.is_open and outcome.is_kept
        if is_end and self.source is not None:
            self.ended_at.append(self.source.given_at)
        super().tell(outcome)


class _TimedNode(Node):
    timed: _TimedPipes

    def _make_pipes(self) -> Pipes:
        self.timed = _TimedPipes()
        return self.timed

    async def _build(self, pipes: Pipes) -> Room:
        room = await super()._build(pipes)
        self.timed.source = _Timed(room.stages.source)
        return replace(room, stages=replace(room.stages, source=self.timed.source))


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
        for ended_at, heard_at in zip(node.timed.ended_at, called_at, strict=True):
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
