"""A room for benchmarks: its YAML, its recording, and the processes that it talks to."""

import json
import os
import subprocess
import sys
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SERVER = "tests.benchmarks.instant_server"
RECORDING = Path(__file__).parents[2] / "config" / "demo" / "three_sentences.wav"


@dataclass(slots=True)
class InstantServer:
    """The server in a process of its own."""

    process: subprocess.Popen[str]
    port: int

    def turn(self) -> dict[str, float]:
        """The times of the next turn; blocks."""
        assert self.process.stdout is not None
        times: dict[str, float] = json.loads(self.process.stdout.readline())
        return times


@contextmanager
def instant_server() -> Iterator[InstantServer]:
    """Runs until the context is left."""
    process = subprocess.Popen(
        [sys.executable, "-m", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    assert process.stdout is not None
    yield InstantServer(process, int(process.stdout.readline()))
    assert process.stdin is not None
    process.stdin.close()
    code = process.wait(30)
    process.stdout.close()
    if code != 0:
        raise RuntimeError("the node sent what is not in the published schema")


def write_room(folder: Path, server_port: int, broker_port: int, recording: Path) -> Path:
    """A room file with a remote session, a recording for a microphone and no speaker."""
    path = folder / "bench.yaml"
    path.write_text(
        f"""
room: bench
capture: {{device: "wav:{recording}", echo: "off"}}
gate: {{hang_over_ms: 300}}
session:
  provider: custom
  url: ws://127.0.0.1:{server_port}/v1/realtime
  output_modalities: [text]
  connect: always
playback: {{device: none}}
mqtt: {{port: {broker_port}}}
tools:
  - name: set_light
    description: Switch the light.
    max_per_minute: 600
    parameters: {{type: object, properties: {{state: {{type: string}}}}, required: [state]}}
"""
    )
    return path


def write_sentences(path: Path, turns: int) -> Path:
    """A recording with `turns` short pieces of the shipped one, with pauses: 1.9 s each."""
    with wave.open(str(RECORDING)) as source:
        rate_hz = source.getframerate()
        pcm = np.frombuffer(source.readframes(source.getnframes()), "<i2")
    piece = pcm[int(0.9 * rate_hz) : int(1.8 * rate_hz)]
    background = pcm[: int(0.5 * rate_hz)]
    quiet = np.concatenate([background, background])
    with wave.open(str(path), "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(rate_hz)
        target.writeframes(quiet.tobytes())
        for _ in range(turns):
            target.writeframes(piece.tobytes() + quiet.tobytes())
    return path


def environment(folder: Path) -> dict[str, str]:
    """A child's environment, with its state in `folder`."""
    return os.environ | {"STATE_DIRECTORY": str(folder / "state")}
