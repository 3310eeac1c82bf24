"""What listening costs: a real microphone over a null sink, in real time, in a process of its own.

The sound card's thread, the ring, the event loop, the detector and the gate, in a quiet room and for a minute.
"""

import json
import os
import subprocess
import sys
import tempfile
import wave
from pathlib import Path

import numpy as np

from tests.benchmarks.measure import Figure
from tests.fakes.sound_card import SoundCard

LISTENER = Path(__file__).parent / "listener.py"
SECONDS = 60
RATE_HZ = 48000
HISS = 33
"""-60 dBFS: a quiet room."""


def measure_capture(folder: Path) -> list[Figure]:
    """CPU seconds of the listening process in a minute, as a share of one core; the sound server is another process."""
    with tempfile.TemporaryDirectory() as place, SoundCard(Path(place)) as card:
        player = card.play(_hiss(folder / "hiss.wav"), latency_ms=1000)
        try:
            answer = subprocess.run(
                [sys.executable, str(LISTENER), str(SECONDS)],
                env={**os.environ, **card.environment}, stdout=subprocess.PIPE, check=True, text=True,
            )  # fmt: skip
        finally:
            player.kill()
            player.wait()
    found = json.loads(answer.stdout)
    share = 100 / found["wall_s"]
    return [
        Figure(
            "listening path, quiet room, microphone to gate", found["cpu_s"] * share, "%", 1.0,
            f"of one core; {found['frames'] / found['wall_s']:.0f} frames/s, {found['lost_frames']} lost",
        ),
        Figure("the same, the microphone alone", found["microphone_cpu_s"] * 100 / found["microphone_wall_s"], "%"),
    ]  # fmt: skip


def _hiss(path: Path) -> Path:
    samples = np.random.default_rng(1).normal(0, HISS, RATE_HZ * 10).astype("<i2").tobytes()
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
        for _ in range(SECONDS // 5):
            file.writeframes(samples)
    return path
