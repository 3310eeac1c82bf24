"""A microphone over the fake sound card, and what is taken from it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.fakes.sound_card import SoundCard
from tests.fakes.tone import loudness_of, tone, write_wav
from tests.fakes.until import until
from voice_node.capture.microphone import Microphone
from voice_node.model.audio import Frame
from voice_node.model.turn import CaptureChanged, ServiceTrouble
from voice_node.settings.schema import CaptureSettings

SETTINGS = CaptureSettings()
NAMED = CaptureSettings(device="usb")


@contextlib.asynccontextmanager
async def open_microphone(
    settings: CaptureSettings = SETTINGS, frame_ms: int = 20, **options: Any
) -> AsyncIterator[tuple[Microphone, list[CaptureChanged]]]:
    told: list[CaptureChanged] = []

    def tell(change: CaptureChanged | ServiceTrouble) -> None:
        assert isinstance(change, CaptureChanged)
        told.append(change)

    microphone = Microphone(settings, frame_ms, tell, **options)
    await microphone.start()
    try:
        yield microphone, told
    finally:
        await microphone.close()


async def take(microphone: Microphone, ms: int) -> list[Frame]:
    """So much sound, within a deadline."""
    frames: list[Frame] = []
    async with asyncio.timeout(20):
        async for frame in microphone:
            frames.append(frame)
            if sum(frame.duration_ms for frame in frames) >= ms:
                break
    return frames


async def take_loud(microphone: Microphone, ms: int) -> list[Frame]:
    """So much sound in one piece, none of it silent: a busy machine begins to play late, and with holes."""
    frames: list[Frame] = []
    async with asyncio.timeout(20):
        while sum(frame.duration_ms for frame in frames) < ms:
            frame = await anext(microphone)
            is_next = not frames or frame.index == frames[-1].index + 1
            is_loud = np.abs(np.frombuffer(frame.pcm, np.int16).astype(int)).max() > 9000
            frames = [*(frames if is_next else []), frame] if is_loud else []
    return frames


async def last_told(told: list[CaptureChanged], is_open: bool) -> CaptureChanged:
    """The last thing told, once it is this."""
    await until(lambda: bool(told) and told[-1].is_open is is_open)
    return told[-1]


async def drain(microphone: Microphone) -> None:
    """Read to the end."""
    async for _ in microphone:
        pass


def sound(frames: list[Frame]) -> bytes:
    return b"".join(frame.pcm for frame in frames)


async def next_after_hole(microphone: Microphone, frames: list[Frame]) -> None:
    """Read up to the first frame behind a hole."""
    async with asyncio.timeout(10):
        while len(frames) < 2 or frames[-1].index == frames[-2].index + 1:
            frames.append(await anext(microphone))


async def played_into(card: SoundCard, microphone: Microphone, sink: str, path: Path) -> bytes:
    """What it hears while a tone of 1 kHz sounds there."""
    player = card.play(write_wav(path, tone(1000, 48000, 3000)), sink)
    await take(microphone, 700)
    heard = sound(await take(microphone, 300))
    player.terminate()
    player.wait()
    return heard


def cleanest(frames: list[Frame], hz: float) -> Frame:
    """The frame that holds most of this sine: where the machine is busy the sound server tears holes into others."""
    return max(frames, key=lambda frame: loudness_of(hz, frame.pcm, frame.rate_hz))
