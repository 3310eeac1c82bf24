"""A speaker over the fake sound card, and what the room hears of it."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.fakes.sound_card import SoundCard
from tests.fakes.tone import loudness_of, tone
from tests.fakes.until import until
from voice_node.playback.queue import RATE_HZ
from voice_node.playback.speaker import Speaker
from voice_node.settings.schema import PlaybackSettings
from voice_node.stages import Player

LOUD = PlaybackSettings(volume=100)
Told = list[tuple[bool, float]]
"""What was told, and when."""
Samples = NDArray[np.int16]


@contextlib.asynccontextmanager
async def open_speaker(settings: PlaybackSettings = LOUD, tail_ms: int = 100) -> AsyncIterator[tuple[Speaker, Told]]:
    told: Told = []
    speaker = Speaker(settings, lambda change: told.append((change.is_speaking, time.monotonic())), tail_ms)
    await speaker.start()
    try:
        yield speaker, told
    finally:
        await speaker.close()


async def drained(player: Player, deadline_s: float = 15) -> None:
    async with asyncio.timeout(deadline_s):
        await player.drained()


@contextlib.asynccontextmanager
async def recorded(card: SoundCard, path: Path) -> AsyncIterator[Path]:
    """What the default speaker sounds, from before until after, as mono s16le at the speaker's rate in `path`.

    It is a sink of that rate, so that nothing on the way changes a sample.
    """

    def size() -> int:
        return path.stat().st_size

    card.load("exact", RATE_HZ, 2)
    card.play_to("exact")
    recorder = card.record(path, RATE_HZ, "exact.monitor")
    try:
        await until(lambda: size() > 0)
        yield path
        before = size()
        await until(lambda: size() > before + RATE_HZ // 2)
    finally:
        recorder.terminate()
        recorder.wait()


def samples_of(recording: bytes) -> Samples:
    """What sounded of it, bit by bit.

    Silence is left out: where the machine is busy the sound server runs dry, and puts some between two samples.
    """
    samples = np.frombuffer(recording[: len(recording) // 2 * 2], np.int16)
    sounding: Samples = samples[samples != 0]
    return sounding


def gaps_in(heard: Samples, reply: Samples) -> int:
    """How often a piece of the reply is missing, its end among them; AssertionError: something else was heard.

    A driver that recovers from running dry drops what lay in its buffer.
    """
    at = gaps = 0
    while len(heard):
        here = min(len(heard), len(reply) - at)
        other = np.flatnonzero(heard[:here] != reply[at : at + here])
        same = int(other[0]) if len(other) else here
        heard, at = heard[same:], at + same
        if len(heard):
            key = heard[:16].tobytes()
            place = reply[at:].tobytes().find(key)
            assert place >= 0, "what was heard is not in the rest of the reply"
            at, gaps = at + place // 2, gaps + 1
    return gaps + (at < len(reply))


async def next_reply_is_heard(card: SoundCard, speaker: Speaker, folder: Path, sink: str = "usb") -> float:
    """Play replies until one sounds; how many seconds that took."""
    began = time.monotonic()
    recorder = card.record(folder / f"{began}.raw", source=f"{sink}.monitor")
    try:
        for number in range(20):
            speaker.play(f"item_{began}_{number}", tone(1000, RATE_HZ, 300))
            await drained(speaker)
            heard = (folder / f"{began}.raw").read_bytes()
            if loudness_of(1000, heard[: len(heard) // 2 * 2], 48000) > 100:
                return time.monotonic() - began
    finally:
        recorder.terminate()
        recorder.wait()
    raise AssertionError("it stays silent")
