"""What listening costs: a real microphone over a null sink, in real time, in a process of its own.

The sound card's thread, the ring, the event loop, the detector and the gate: in a quiet room and for a minute; the same
with a wake word; and in a kitchen, which is asked about all the time.
"""

import json
import os
import subprocess
import sys
import tempfile
import wave
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from tests.benchmarks.gate import LABELLED
from tests.benchmarks.measure import Figure
from tests.fakes.sound_card import SoundCard

KITCHEN = LABELLED / "dev" / "no_kitchen.flac"
LISTENER = Path(__file__).parent / "listener.py"
SECONDS = 60
RATE_HZ = 48000
HISS = 33
"""-60 dBFS: a quiet room."""


def measure_capture(folder: Path) -> list[Figure]:
    """CPU seconds of the listening process, as a share of one core; the sound server is another process."""
    hiss = _hiss(folder / "hiss.wav")
    quiet = _listen(hiss, SECONDS, "voice")
    waiting = _listen(hiss, SECONDS // 2, "wake_word") if find_spec("pymicro_wakeword") else None
    kitchen = _listen(_kitchen(folder / "kitchen.wav"), SECONDS // 2, "voice") if KITCHEN.exists() else None
    figures = [
        _figure("listening path, quiet room, microphone to gate", quiet, 1.0),
        Figure("the same, the microphone alone", quiet["microphone_cpu_s"] * 100 / quiet["microphone_wall_s"], "%"),
    ]
    if waiting is not None:
        figures.append(_figure("listening path, quiet room, waiting for a wake word", waiting, None))
    if kitchen is not None:
        figures.append(_figure("listening path, kitchen, second opinion included", kitchen, 2.0))
    return figures


def _listen(sound: Path, seconds: int, mode: str) -> dict[str, float]:
    """What the listener tells, with this sound in the room."""
    with tempfile.TemporaryDirectory() as place, SoundCard(Path(place)) as card:
        player = card.play(sound, latency_ms=1000)
        try:
            answer = subprocess.run(
                [sys.executable, str(LISTENER), str(seconds), mode],
                env={**os.environ, **card.environment}, stdout=subprocess.PIPE, check=True, text=True,
            )  # fmt: skip
        finally:
            player.kill()
            player.wait()
    found: dict[str, float] = json.loads(answer.stdout)
    return found


def _figure(name: str, found: dict[str, float], bound: float | None) -> Figure:
    note = f"of one core; {found['frames'] / found['wall_s']:.0f} frames/s, {found['lost_frames']:.0f} lost"
    return Figure(name, found["cpu_s"] * 100 / found["wall_s"], "%", bound, note)


def _kitchen(path: Path) -> Path:
    """Clatter, again and again."""
    subprocess.run(["sox", KITCHEN, "-r", str(RATE_HZ), path, "repeat", "2"], check=True)
    return path


def _hiss(path: Path) -> Path:
    samples = np.random.default_rng(1).normal(0, HISS, RATE_HZ * 10).astype("<i2").tobytes()
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
        for _ in range(2 * SECONDS // 10):
            file.writeframes(samples)
    return path
