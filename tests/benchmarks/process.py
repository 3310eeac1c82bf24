"""What the whole process costs: time to readiness, memory."""

import subprocess
import sys
import time
from pathlib import Path

import psutil

from tests.benchmarks.measure import Figure
from tests.benchmarks.room import environment, instant_server, write_room, write_sentences
from tests.fakes.broker import Broker

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
