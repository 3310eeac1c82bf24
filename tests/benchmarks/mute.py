"""How long a mute takes until the device is closed: a real microphone over a null sink."""

import asyncio
import os
import tempfile
import time
from pathlib import Path

from tests.benchmarks.measure import Figure, percentile
from tests.fakes.sound_card import SoundCard
from voice_node.capture.microphone import Microphone
from voice_node.settings.schema import CaptureSettings

MUTES = 50


def measure_mute(_folder: Path) -> list[Figure]:
    """From the order to the sound server's word that nobody records, which it gives before `pause` returns."""
    with tempfile.TemporaryDirectory() as place, SoundCard(Path(place)) as card:
        os.environ.update(card.environment)
        waits_ms = asyncio.run(_mute(card))
    return [
        Figure("mute: order to device closed, p50", percentile(waits_ms, 0.5), "ms"),
        Figure(f"mute: order to device closed, worst of {MUTES}", max(waits_ms), "ms", 100),
    ]


async def _mute(card: SoundCard) -> list[float]:
    waits_ms = []
    microphone = Microphone(CaptureSettings(), 20, lambda _: None)
    await microphone.start()
    for _ in range(MUTES):
        await anext(microphone)
        began = time.monotonic()
        await microphone.pause()
        waits_ms.append((time.monotonic() - began) * 1000)
        if card.listeners():
            raise RuntimeError("it is still open")
        await microphone.resume()
    await microphone.close()
    return waits_ms
