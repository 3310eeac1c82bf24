import asyncio
import time

import numpy as np

from voice_node.capture.calm import CALM_MS
from voice_node.capture.ring import PATIENCE_MS, Ring
from voice_node.capture.tap import Tap
from voice_node.model.audio import Frame
from voice_node.runtime.portaudio import StreamFormat

BLOCK_MS = 100
BLOCK = bytes(2 * 48 * BLOCK_MS)
STEREO = StreamFormat(48000, 2)


async def waiting(ring: Ring) -> "asyncio.Future[Frame]":
    """Somebody who waits for the next block."""
    consumer = asyncio.ensure_future(anext(ring))
    await asyncio.sleep(0)
    return consumer


async def turn() -> None:
    """All that is ready happens."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_calm_blocks_wait_until_enough_are_held() -> None:
    ring = Ring()
    consumer = await waiting(ring)
    for _ in range(PATIENCE_MS // BLOCK_MS - 1):
        ring.push(BLOCK, 48000, is_calm=True)
        await turn()
        assert not consumer.done()
    ring.push(BLOCK, 48000, is_calm=True)
    frames = [await consumer, *[await anext(ring) for _ in range(PATIENCE_MS // BLOCK_MS - 1)]]
    assert [frame.index for frame in frames] == list(range(len(frames)))


async def test_what_is_not_calm_wakes_at_once_and_brings_what_waited() -> None:
    ring = Ring()
    consumer = await waiting(ring)
    ring.push(BLOCK, 48000, is_calm=True)
    ring.push(BLOCK, 48000)
    assert [(await consumer).index, (await anext(ring)).index] == [0, 1]


async def test_the_end_of_the_ring_wakes_too() -> None:
    ring = Ring()
    consumer = await waiting(ring)
    ring.push(BLOCK, 48000, is_calm=True)
    ring.close()
    assert (await consumer).index == 0


async def test_the_tap_says_what_is_calm_of_its_own_channel() -> None:
    """The other one may be as loud as it likes."""
    ring = Ring(frames_per_block=5)
    tap = Tap(ring, 20, BLOCK_MS, 1, None)
    rng = np.random.default_rng(3)

    def block(dbfs: float) -> bytes:
        both = rng.normal(0, 32768 * 10 ** (np.array([-10, dbfs]) / 20), (4800, 2))
        return np.clip(both, -32768, 32767).astype("<i2").tobytes()

    for _ in range(CALM_MS // BLOCK_MS):
        tap.receive(block(-60), STEREO, False)
        await anext(ring)
    consumer = await waiting(ring)
    tap.receive(block(-60), STEREO, False)
    await turn()
    assert not consumer.done()
    tap.receive(block(-40), STEREO, False)
    await asyncio.wait_for(consumer, 5)
    assert tap.heard_at <= time.monotonic()
