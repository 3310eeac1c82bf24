"""The part `peers`: the same recording through our listening path and through other people's.

Each is started a few times, one after the other, for the time to readiness. Then all listen at once, each in real time
and for as long: together they need a fraction of a core, and what is compared is the CPU time of each.
"""

import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.benchmarks.measure import Figure, Finding, Skipped, percentile
from tests.benchmarks.peers.ears import Ear, RealtimeEar, WyomingEar
from tests.benchmarks.peers.environments import UnavailableError, environment_of, version_of
from tests.benchmarks.peers.recording import write_recording
from tests.benchmarks.room import environment
from tests.fakes.broker import Broker

MINUTES = 2.0
STARTS = 3
_TAIL_S = 60.0
"""The recording is longer: nobody comes to its end, however long the others need to start."""
_ROOT = Path(__file__).parents[3]
_FEEDER = "tests.benchmarks.peers.paced"
"""The microphone of a peer that starts a program for it; it is ours, and is not counted."""
OURS = "voice_node"
START, CPU, MEMORY = "start to ready", "CPU for a minute of sound", "resident memory"
SENT, WIRE = "sound sent of a minute", "bytes sent in a minute"


@dataclass(frozen=True, slots=True)
class Peer:
    """Somebody else's program."""

    name: str
    requirements: tuple[str, ...]
    """Of its environment; none: the project's own has it."""
    package: str
    """Whose version is shown."""
    driver: str | None
    """The module here that feeds it; None: it is a program of its own, a Wyoming satellite."""
    rate_hz: int
    """Of the recording: what its own path takes."""
    remark: str = ""
    is_gated: bool = True


PEERS = (
    Peer("websockets", (), "websockets", "drive_websockets", 24000, ", no gate", is_gated=False),
    Peer("openai", ("openai[realtime]~=3.51",), "openai", "drive_openai", 24000, ", no gate", is_gated=False),
    Peer("wyoming-satellite", ("wyoming-satellite[silerovad]",), "wyoming-satellite", None, 16000, " --vad"),
    Peer(
        "livekit-agents",
        ("livekit-agents~=1.8", "livekit-plugins-openai~=1.8", "livekit-plugins-silero~=1.8"),
        "livekit-agents", "drive_livekit", 24000, ", Silero",
    ),
    Peer(
        "pipecat", ("pipecat-ai[silero,openai,websocket]~=1.14",),
        "pipecat-ai", "drive_pipecat", 16000, ", Silero, smart-turn",
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Listener:
    """Somebody who listens."""

    name: str
    make_ear: Callable[[], Ear]
    command: Callable[[int], list[str]]
    """Of the ear's port."""
    environment: dict[str, str] | None = field(default=None, hash=False)
    is_gated: bool = False
    """It has a detector of speech, so ours may be held against it."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What a listener took and sent."""

    start_s: float
    cpu_s: float
    """For a minute of sound; so are the next but the last."""
    sent_s: float
    sent_mb: float
    memory_mb: float
    turns: int


@dataclass(slots=True)
class _Running:
    ear: Ear
    process: subprocess.Popen[bytes]
    began_at: float

    def members(self) -> Iterator[psutil.Process]:
        """The process and what it started, but for our feeder."""
        whole = psutil.Process(self.process.pid)
        yield whole
        for child in whole.children(recursive=True):
            if _FEEDER not in child.cmdline():
                yield child

    def spent_s(self) -> float:
        return sum(times.user + times.system for times in (member.cpu_times() for member in self.members()))

    def memory_mb(self) -> float:
        return sum(member.memory_info().rss for member in self.members()) / 1e6

    def end(self) -> dict[str, float]:
        if self.process.poll() is None:
            for child in psutil.Process(self.process.pid).children(recursive=True):
                child.kill()
        self.process.kill()
        self.process.wait()
        return self.ear.close()


def measure_peers(folder: Path, minutes: float = MINUTES) -> list[Finding]:
    """The figures of each, and ours against theirs."""
    if not (shutil.which("espeak-ng") and shutil.which("sox")):
        return [Skipped("peers", "espeak-ng and sox make the recording, and are not installed")]
    seconds = minutes * 60
    files, spoken_s = write_recording(folder, seconds + _TAIL_S)
    listeners, skipped = _others(files)
    with ExitStack() as stack:
        for confirm, name in (("off", f"{OURS}, webrtcvad alone"), ("auto", OURS)):
            broker = stack.enter_context(Broker())
            listeners.insert(0, _ours(folder / confirm, name, confirm, files[48000], broker.port))
        waits_s, failed = _start_each(listeners)
        costs, ended = _listen_together(waits_s, seconds)
    skipped += failed + ended
    share = 100 * spoken_s / (seconds + _TAIL_S)
    return [*figures_of(costs, share), *skipped]


def figures_of(costs: Mapping[Listener, Costs], spoken_percent: float) -> list[Figure]:
    """Each measure of each listener; then what ours is of those that gate as well, where less is better."""
    figures = [Figure("speech in a minute of the recording", spoken_percent * 0.6, "s")]
    for listener, cost in costs.items():
        note = "" if listener.is_gated else "no gate: it listens to nothing"
        figures += [
            Figure(START, cost.start_s, "s", note=f"median of {STARTS}", subject=listener.name),
            Figure(CPU, cost.cpu_s, "s", note=note, subject=listener.name),
            Figure(MEMORY, cost.memory_mb, "MB", subject=listener.name),
            Figure(SENT, cost.sent_s, "s", note=f"{cost.turns} turns", subject=listener.name),
            Figure(WIRE, cost.sent_mb, "MB", subject=listener.name),
        ]
    ours = next((cost for listener, cost in costs.items() if listener.name == OURS), None)
    for listener, theirs in costs.items():
        if ours is None or listener.name.startswith(OURS):
            continue
        bound = 1.0 if listener.is_gated else None
        figures += [
            Figure(f"{name}, ours to theirs", mine / other, "x", bound, subject=listener.name)
            for name, mine, other in (
                (START, ours.start_s, theirs.start_s),
                (CPU, ours.cpu_s, theirs.cpu_s),
                (MEMORY, ours.memory_mb, theirs.memory_mb),
                (SENT, ours.sent_s, theirs.sent_s),
            )
            if other > 0
        ]
    return figures


def _ours(folder: Path, name: str, confirm: str, recording: Path, broker_port: int) -> Listener:
    folder.mkdir()
    room = folder / "bench.yaml"

    def command(port: int) -> list[str]:
        room.write_text(
            f"""
room: bench
capture: {{device: "wav:{recording}"}}
gate: {{confirm: "{confirm}"}}
session:
  provider: custom
  url: ws://127.0.0.1:{port}/v1/realtime
  output_modalities: [text]
  connect: always
playback: {{device: none}}
mqtt: {{port: {broker_port}}}
"""
        )
        return [sys.executable, "-m", "voice_node", "run", str(room)]

    return Listener(name, RealtimeEar, command, environment(folder), is_gated=True)


def _others(files: Mapping[int, Path]) -> tuple[list[Listener], list[Finding]]:
    listeners: list[Listener] = []
    skipped: list[Finding] = []
    for peer in PEERS:
        try:
            python = environment_of(peer.name, peer.requirements) if peer.requirements else Path(sys.executable)
        except UnavailableError as error:
            skipped.append(Skipped(peer.name, str(error)))
            continue
        name = f"{peer.name} {version_of(python, peer.package)}{peer.remark}"
        recording = files[peer.rate_hz]
        if peer.driver is None:
            listeners.append(Listener(name, WyomingEar, _satellite(python, recording), is_gated=peer.is_gated))
        else:
            command = _driver(python, peer.driver, recording)
            listeners.append(Listener(name, RealtimeEar, command, is_gated=peer.is_gated))
    return listeners, skipped


def _driver(python: Path, driver: str, recording: Path) -> Callable[[int], list[str]]:
    def command(port: int) -> list[str]:
        url = f"ws://127.0.0.1:{port}/v1/realtime"
        return [str(python), "-m", f"tests.benchmarks.peers.{driver}", url, str(recording)]

    return command


def _satellite(python: Path, recording: Path) -> Callable[[int], list[str]]:
    def command(port: int) -> list[str]:
        microphone = shlex.join([sys.executable, "-m", _FEEDER, str(recording)])
        place = ["--uri", f"tcp://127.0.0.1:{port}", "--no-zeroconf"]
        return [str(python), "-m", "wyoming_satellite", *place, "--vad", "--mic-command", microphone]

    return command


def _start_each(listeners: Sequence[Listener]) -> tuple[dict[Listener, float], list[Finding]]:
    """How long each takes to get ready, alone: the median of a few times; and who does not."""
    waits_s: dict[Listener, float] = {}
    failed: list[Finding] = []
    for listener in listeners:
        try:
            waits_s[listener] = percentile([_start_alone(listener) for _ in range(STARTS)], 0.5)
        except TimeoutError as error:
            failed.append(Skipped(listener.name, str(error)))
    return waits_s, failed


def _start_alone(listener: Listener) -> float:
    one = _start(listener)
    try:
        return one.ear.ready_at() - one.began_at
    finally:
        one.end()


def _listen_together(waits_s: Mapping[Listener, float], seconds: float) -> tuple[dict[Listener, Costs], list[Finding]]:
    """What each takes in so many seconds; and who did not last so long."""
    running = {listener: _start(listener) for listener in waits_s}
    costs: dict[Listener, Costs] = {}
    ended: list[Finding] = []
    try:
        ready_at = {listener: one.ear.ready_at() for listener, one in running.items()}
        began, before_s = time.monotonic(), {listener: one.spent_s() for listener, one in running.items()}
        time.sleep(seconds)
        for listener, one in running.items():
            if one.process.poll() is not None:
                ended.append(Skipped(listener.name, f"it ended by itself, with {one.process.returncode}"))
                continue
            cpu_s, memory_mb, now = one.spent_s() - before_s[listener], one.memory_mb(), time.monotonic()
            sent = one.end()
            to_minute = 60 / (now - ready_at[listener])
            costs[listener] = Costs(
                waits_s[listener], cpu_s * 60 / (now - began), sent["audio_s"] * to_minute,
                sent["megabytes"] * to_minute, memory_mb, int(sent["turns"]),
            )  # fmt: skip
    finally:
        for listener, one in running.items():
            if listener not in costs:
                one.end()
    return costs, ended


def _start(listener: Listener) -> _Running:
    ear = listener.make_ear()
    began_at = time.monotonic()
    process = subprocess.Popen(
        listener.command(ear.port), cwd=_ROOT, env=listener.environment,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    return _Running(ear, process, began_at)
