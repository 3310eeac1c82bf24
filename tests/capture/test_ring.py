import asyncio
import threading

import pytest

from voice_node.capture.ring import Ring
from voice_node.model.errors import CaptureLost

FRAME = b"\0" * 1920
"""20 ms at 48 kHz."""


async def test_frames_come_out_in_order_and_numbered() -> None:
    ring = Ring()
    for n in range(3):
        ring.push(bytes([n]) * 1920, 48000)
    ring.close()
    frames = [frame async for frame in ring]

    assert [(frame.index, frame.pcm[0], frame.rate_hz) for frame in frames] == [(n, n, 48000) for n in range(3)]


async def test_newest_wins_and_the_gap_is_seen_and_counted() -> None:
    ring = Ring(capacity_ms=100)
    for _ in range(8):
        ring.push(FRAME, 48000)
    ring.close()

    assert [frame.index async for frame in ring] == [3, 4, 5, 6, 7]
    assert ring.lost == 3


async def test_what_the_driver_lost_is_a_gap_too() -> None:
    ring = Ring()
    ring.push(FRAME, 48000)
    ring.skip(4)
    ring.push(FRAME, 48000)
    ring.close()

    assert [frame.index async for frame in ring] == [0, 5]
    assert ring.lost == 4


async def test_what_is_dropped_on_purpose_leaves_a_gap_but_is_not_lost() -> None:
    ring = Ring()
    ring.push(FRAME, 48000)
    ring.drop()
    ring.push(FRAME, 48000)
    ring.close()

    assert [frame.index async for frame in ring] == [2]
    assert ring.lost == 0


async def test_a_frame_longer_than_the_ring_is_held_all_the_same() -> None:
    ring = Ring(capacity_ms=10)
    ring.push(FRAME, 48000)

    assert (await anext(ring)).pcm == FRAME


async def test_a_thread_wakes_the_consumer_that_waits() -> None:
    ring = Ring()
    waiting = asyncio.ensure_future(anext(ring))
    await asyncio.sleep(0)
    thread = threading.Thread(target=ring.push, args=(FRAME, 48000))
    thread.start()

    assert (await asyncio.wait_for(waiting, 5)).index == 0
    thread.join()


async def test_a_cancelled_consumer_loses_nothing() -> None:
    ring = Ring()
    waiting = asyncio.ensure_future(anext(ring))
    await asyncio.sleep(0)
    ring.push(FRAME, 48000)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    assert (await anext(ring)).index == 0


async def test_close_ends_a_consumer_that_waits_and_what_comes_later_is_ignored() -> None:
    ring = Ring()
    waiting = asyncio.ensure_future(anext(ring))
    await asyncio.sleep(0)
    ring.close()
    with pytest.raises(StopAsyncIteration):
        await waiting
    ring.push(FRAME, 48000)
    with pytest.raises(StopAsyncIteration):
        await anext(ring)


async def test_fail_gives_what_is_held_and_then_the_error_every_time() -> None:
    ring = Ring()
    ring.push(FRAME, 48000)
    ring.fail(CaptureLost("gone"))
    ring.close()

    assert (await anext(ring)).index == 0
    for _ in range(2):
        with pytest.raises(CaptureLost, match="gone"):
            await anext(ring)


def test_a_push_after_the_loop_ended_harms_nobody() -> None:
    ring = Ring()

    async def give_up() -> None:
        waiting = asyncio.ensure_future(anext(ring))
        await asyncio.sleep(0)
        waiting.cancel()

    asyncio.run(give_up())
    ring.push(FRAME, 48000)

    async def take() -> int:
        return (await asyncio.wait_for(anext(ring), 5)).index

    assert asyncio.run(take()) == 0, "it is held for whoever comes next"


async def test_many_frames_from_a_thread_all_arrive() -> None:
    ring = Ring(capacity_ms=1_000_000)

    def push() -> None:
        for _ in range(2000):
            ring.push(FRAME, 48000)
        ring.close()

    thread = threading.Thread(target=push)
    thread.start()
    indices = [frame.index async for frame in ring]
    thread.join()

    assert indices == list(range(2000))
