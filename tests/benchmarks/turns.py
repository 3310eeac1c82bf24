"""How long a turn takes inside the node: to the wire, to the call on the broker, and from the call to its result."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.benchmarks.instructions import ABSENT, instructions
from tests.benchmarks.measure import Figure, Finding, Skipped, percentile
from tests.benchmarks.room import instant_server, write_room, write_sentences
from tests.fakes.broker import Broker
from voice_node.app import SWITCH_S, Node
from voice_node.building import Room
from voice_node.model.audio import Frame
from voice_node.model.speech import SpeechAudio
from voice_node.model.turn import Outcome, SpeechChanged
from voice_node.pipes import MOST_SPEECH, Pipes
from voice_node.runtime.orders import Orders
from voice_node.runtime.pipe import Pipe
from voice_node.runtime.systemd import ServiceManager
from voice_node.session.protocol import Input
from voice_node.settings.load import load_room
from voice_node.settings.secrets import Secrets
from voice_node.stages import Source

TURNS = 100
SEGMENTS = 30


@dataclass(slots=True)
class Found:
    """Milliseconds, one for each turn."""

    withheld: list[float] = field(default_factory=list)
    """From the frame that opened the gate to the one that let its sound go: the gate's own rule."""
    sent: list[float] = field(default_factory=list)
    """From the frame that let it go to the first sound at the server."""
    committed: list[float] = field(default_factory=list)
    """From the frame that closed it to the commit at the server."""
    called: list[float] = field(default_factory=list)
    """From the frame that closed it to the call on the broker, without what the server took."""
    answered: list[float] = field(default_factory=list)
    """From the call to its result, as the node counts it."""


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


class _TimedPipe(Pipe[Input]):
    """Notes when the frame that let the first sound of each turn go was captured."""

    def __init__(self, given_at: Callable[[], float]) -> None:
        super().__init__(MOST_SPEECH)
        self.let_go_at: dict[str, float] = {}
        self._given_at = given_at

    async def put(self, item: Input) -> None:
        if isinstance(item, SpeechAudio):
            self.let_go_at.setdefault(item.turn_id, self._given_at())
        await super().put(item)


class _TimedPipes(Pipes):
    """Notes when the frames that began and ended each segment were captured."""

    inputs: _TimedPipe

    def __init__(self) -> None:
        super().__init__()
        self.inputs = _TimedPipe(lambda: 0.0 if self.source is None else self.source.given_at)
        self.source: _Timed | None = None
        self.opened_at: list[float] = []
        self.ended_at: list[float] = []

    def tell(self, outcome: Outcome) -> None:
        if isinstance(outcome, SpeechChanged) and self.source is not None:
            if outcome.is_open:
                self.opened_at.append(self.source.given_at)
            elif outcome.is_kept:
                self.ended_at.append(self.source.given_at)
            else:
                self.opened_at.pop()
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
    found = _run(folder, TURNS)
    name = "end of speech to call on the broker"
    return [
        Figure(f"{name}, p50", percentile(found.called, 0.5), "ms"),
        Figure(f"{name}, p99", percentile(found.called, 0.99), "ms", 10, f"{len(found.called)} turns"),
        Figure("call to result through the broker, p50", percentile(found.answered, 0.5), "ms"),
        Figure("call to result through the broker, p99", percentile(found.answered, 0.99), "ms", 5),
    ]


def measure_segment(folder: Path) -> list[Finding]:
    """Runs about 60 s of sound in real time; and what sending costs, in instructions."""
    found = _run(folder, SEGMENTS)
    note = f"{len(found.sent)} segments"
    return [
        Figure("sound let go to sound at the server, p50", percentile(found.sent, 0.5), "ms"),
        Figure("sound let go to sound at the server, p95", percentile(found.sent, 0.95), "ms", 20, note),
        Figure("gate closed to commit at the server, p50", percentile(found.committed, 0.5), "ms"),
        Figure("gate closed to commit at the server, p95", percentile(found.committed, 0.95), "ms", 20, note),
        Figure("gate open, sound withheld until it is worth it, p50", percentile(found.withheld, 0.5), "ms"),
        _sending(),
    ]


def _sending() -> Finding:
    name = "instructions to send, against base64 and json.dumps alone"
    if ABSENT:
        return Skipped(name, ABSENT)
    send, bare = instructions(("send", "send-bare"), 48000)
    return Figure(name, send / bare, "x", note=f"callgrind; {send / 1e6:.1f} million for a second of sound at 48 kHz")


def _run(folder: Path, turns: int) -> Found:
    with Broker() as broker, instant_server() as server:
        recording = write_sentences(folder / "sentences.wav", turns)
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
        found = Found(answered=[fact["duration_ms"] for fact in facts if "duration_ms" in fact])
        timed = node.timed
        let_go_at = timed.inputs.let_go_at.values()
        every = zip(timed.opened_at, let_go_at, timed.ended_at, called_at, strict=True)
        for opened_at, released_at, ended_at, heard_at in every:
            times = server.turn()
            found.withheld.append((released_at - opened_at) * 1000)
            found.sent.append((times["append_at"] - released_at) * 1000)
            found.committed.append((times["commit_at"] - ended_at) * 1000)
            found.called.append((heard_at - ended_at - (times["call_at"] - times["commit_at"])) * 1000)
    return found
