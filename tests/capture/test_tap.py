import time

import numpy as np

from voice_node.capture.ring import Ring
from voice_node.capture.tap import Tap
from voice_node.runtime.portaudio import StreamFormat

MONO, STEREO = StreamFormat(48000, 1), StreamFormat(48000, 2)
BLOCK = bytes(5760)


def new_tap(ring: Ring, channel: int = 0, heard_before: float | None = None) -> Tap:
    return Tap(ring, 20, 60, channel, heard_before)


async def test_its_channel_is_picked_of_what_the_device_gives() -> None:
    ring = Ring(frames_per_block=3)
    both = np.arange(12, dtype=np.int16).tobytes()
    new_tap(ring, channel=1).receive(both, STEREO, False)

    assert (await anext(ring)).pcm == np.arange(1, 12, 2, dtype=np.int16).tobytes()


async def test_what_the_driver_lost_is_counted_and_leaves_a_gap() -> None:
    ring = Ring(frames_per_block=3)
    tap = new_tap(ring)
    tap.receive(BLOCK, MONO, False)
    tap.heard_at -= 0.26  # 200 ms were lost between the two blocks
    tap.receive(BLOCK, MONO, True)

    assert [(await anext(ring)).index, (await anext(ring)).index] == [0, 13]
    assert (tap.overruns, ring.lost) == (1, 10)


async def test_the_time_since_the_last_opening_is_a_gap_too() -> None:
    ring = Ring(frames_per_block=3)
    tap = new_tap(ring, heard_before=time.monotonic() - 1.06)
    assert not tap.has_heard
    tap.receive(BLOCK, MONO, False)

    assert tap.has_heard
    assert (await anext(ring)).index == 50
    assert (tap.overruns, ring.lost) == (0, 50)
