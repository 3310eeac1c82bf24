"""From the gate's opening over a reply to silence in the room, over a null sink."""

import asyncio
import os
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from tests.benchmarks.measure import Figure, percentile
from tests.fakes.sound_card import SoundCard
from tests.fakes.tone import tone
from tests.fakes.until import until
from voice_node.playback.speaker import Speaker
from voice_node.settings.schema import PlaybackSettings

REPEATS = 20
LOUD = 200
REPLY = tone(440, 24_000, 3000)


class Listener:
    """Hears what leaves the sink, and when each piece came; its own delay is a few milliseconds and counts."""

    def __init__(self) -> None:
        command = ["parec", "--raw", "--device=speaker.monitor", "--rate=48000", "--channels=1", "--latency-msec=5"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)
        self.last_loud_at = 0.0
        self._thread = threading.Thread(target=self._hear, daemon=True)
        self._thread.start()

    def _hear(self) -> None:
        assert self._process.stdout is not None
        while piece := os.read(self._process.stdout.fileno(), 4096):
            samples = np.frombuffer(piece[: len(piece) // 2 * 2], "<i2")
            if len(samples) and int(np.abs(samples.astype(np.int32)).max()) > LOUD:
                self.last_loud_at = time.monotonic()

    def close(self) -> None:
        """Hear no more."""
        self._process.terminate()
        self._process.wait()
        self._thread.join()
        assert self._process.stdout is not None
        self._process.stdout.close()


def measure_barge_in(_folder: Path) -> list[Figure]:
    """The gate opens and the pipeline stops the player in one step of the event loop: the rest is the speaker's."""
    with tempfile.TemporaryDirectory() as place, SoundCard(Path(place)) as card:
        os.environ.update(card.environment)
        waits_ms = asyncio.run(_interrupt())
    return [
        Figure("barge-in: gate open to silence, p50", percentile(waits_ms, 0.5), "ms"),
        Figure("barge-in: gate open to silence, p95", percentile(waits_ms, 0.95), "ms", 60, f"{len(waits_ms)} times"),
    ]


async def _interrupt() -> list[float]:
    waits_ms = []
    speaker = Speaker(PlaybackSettings(), lambda _: None)
    await speaker.start()
    listener = await asyncio.to_thread(Listener)
    for number in range(REPEATS):
        speaker.play(f"item_{number}", REPLY)
        began = time.monotonic()
        await _sounding(listener, began + 0.3)
        stopped = time.monotonic()
        speaker.stop()
        await asyncio.sleep(0.5)
        waits_ms.append((listener.last_loud_at - stopped) * 1000)
        await speaker.drained()
    listener.close()
    await speaker.close()
    return waits_ms


async def _sounding(listener: Listener, until_at: float) -> None:
    await until(lambda: listener.last_loud_at > until_at)
