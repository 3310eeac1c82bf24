"""What the whole process costs: time to readiness, memory, CPU of the listening path."""

import os
import subprocess
import sys
import time
import wave
from pathlib import Path

import numpy as np
import psutil

from tests.benchmarks.measure import Figure
from tests.benchmarks.room import environment, instant_server, write_room, write_sentences
from tests.fakes.broker import Broker
from voice_node.audio.level import level_dbfs
from voice_node.gate.gate import Gate
from voice_node.gate.webrtc import WebrtcDetector
from voice_node.model.audio import Frame
from voice_node.settings.schema import GateSettings

STARTS = 5


def measure_process(folder: Path) -> list[Figure]:
    """Starts `voice-node run` a few times against a broker and a server."""
    with Broker() as broker, instant_server() as server:
        recording = write_sentences(folder / "few.wav", 12)
        path = write_room(folder, server.port, broker.port, recording)
        ready_s, rss_mb = [], 0.0
        for attempt in range(STARTS):
            elapsed_s, rss_mb = _start(path, broker.port, folder, stay_s=8.0 if attempt == STARTS - 1 else 0.0)
            ready_s.append(elapsed_s)
    return [
        Figure("start to ready (online and session up), worst of 5", max(ready_s), "s", 1.0),
        Figure("resident memory of `run`, remote session", rss_mb, "MB", 70),
    ]


def _start(path: Path, port: int, folder: Path, stay_s: float) -> tuple[float, float]:
    watch = [
        "mosquitto_sub",
        "-p",
        str(port),
        "-t",
        "voice_node/bench/info",
        "-t",
        "voice_node/bench/availability",
        "-v",
    ]
    with subprocess.Popen(watch, stdout=subprocess.PIPE, text=True) as watcher:
        assert watcher.stdout is not None
        began = time.monotonic()
        node = subprocess.Popen(
            [sys.executable, "-m", "voice_node", "run", str(path)], env=environment(folder), stderr=subprocess.DEVNULL
        )
        is_online = is_up = False
        for line in watcher.stdout:
            if node.poll() is not None:
                raise RuntimeError(f"the node ended with {node.returncode}")
            is_online = is_online or line.rstrip().endswith("availability online")
            is_up = is_up or "sess_instant" in line
            if is_online and is_up:
                break
        if not (is_online and is_up):
            node.kill()
            raise RuntimeError("the node did not get ready within 20 s")
        elapsed_s = time.monotonic() - began
        time.sleep(stay_s)  # turns go by: memory is read while it works
        rss_mb = psutil.Process(node.pid).memory_info().rss / 1e6
        node.terminate()
        node.wait()
        watcher.terminate()
        # What is retained would make the next start look ready at once.
        for topic in ("info", "availability"):
            subprocess.run(
                ["mosquitto_pub", "-p", str(port), "-t", f"voice_node/bench/{topic}", "-r", "-n"], check=True
            )
    return elapsed_s, rss_mb


def measure_gate(folder: Path) -> list[Figure]:
    """CPU of detector, level and gate, against bare webrtcvad, in one process."""
    figures = []
    for name, samples in (("quiet room", _hiss(0.001)), ("speech", _speech(folder))):
        frames = _frames(samples)
        seconds = len(frames) * 0.02
        bare = _cpu_s(lambda frames=frames: _bare(frames))
        whole = _cpu_s(lambda frames=frames: _whole(frames))
        figures += [
            Figure(f"gating, {name}", 100 * whole / seconds, "%", 1.0, "of one core"),
            Figure(f"gating, {name}, against bare webrtcvad", whole / bare, "x", 3.0),
        ]
    return figures


def _bare(frames: list[Frame]) -> None:
    detector = WebrtcDetector(3)
    for frame in frames:
        detector.is_speech(frame)


def _whole(frames: list[Frame]) -> None:
    detector, gate = WebrtcDetector(3), Gate(GateSettings(), lambda: "turn")
    for frame in frames:
        gate.hear(frame, detector.is_speech(frame))


def _cpu_s(work: "object") -> float:
    best = float("inf")
    for _ in range(5):
        began = time.process_time()
        work()  # type: ignore[operator]  # a closure over the frames
        best = min(best, time.process_time() - began)
    return best


def _hiss(amplitude: float) -> "np.ndarray[tuple[int], np.dtype[np.int16]]":
    noise = np.random.default_rng(1).normal(0, amplitude * 32768, 48000 * 60)
    return noise.astype(np.int16)


def _speech(folder: Path) -> "np.ndarray[tuple[int], np.dtype[np.int16]]":
    path = write_sentences(folder / "gate.wav", 30)
    with wave.open(str(path)) as source:
        pcm = np.frombuffer(source.readframes(source.getnframes()), "<i2")
    assert level_dbfs(pcm.tobytes()) > -60
    return np.repeat(pcm, 3)  # 16 to 48 kHz: what a sound card gives


def _frames(samples: "np.ndarray[tuple[int], np.dtype[np.int16]]") -> list[Frame]:
    size = 48000 // 50
    return [
        Frame(index, samples[at : at + size].tobytes(), 48000)
        for index, at in enumerate(range(0, len(samples) - size, size))
    ]


def machine() -> dict[str, object]:
    """What the figures were measured on."""
    return {"python": sys.version.split()[0], "cores": os.cpu_count(), "load": os.getloadavg()[0]}
