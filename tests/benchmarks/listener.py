"""A room's ear alone, as a process: `listener.py SECONDS MODE` prints its price, on the card of the environment."""

import asyncio
import itertools
import json
import sys
import time
from contextlib import AsyncExitStack

from voice_node.capture.microphone import Microphone
from voice_node.gate.attention import Attention
from voice_node.model.audio import Frame
from voice_node.pipes import Pipes
from voice_node.settings.schema import RoomSettings
from voice_node.settings.secrets import Secrets
from voice_node.sound_stages import build_sound

SWITCH_S = 0.001
"""As the node sets it."""
SETTLING_S = 8.0
"""The device opens, buffers fill, and a room that is calm is known to be."""


async def main(seconds: float, mode: str) -> None:
    """First with the gate, then the microphone alone."""
    settings = RoomSettings.model_validate({"room": "bench", "activation": {"mode": mode}})
    turn_ids = (str(number) for number in itertools.count())
    async with AsyncExitStack() as stack:
        sound = build_sound(settings, Secrets(), None, Pipes(), lambda: next(turn_ids), stack)
        assert isinstance(sound.source, Microphone)
        await sound.source.start()
        cpu_s, wall_s, frames = await _listen(sound.source, seconds, sound.attention)
        alone_s, alone_wall_s, _ = await _listen(sound.source, seconds / 4, None)
        lost = sound.source.lost_frames
        await sound.source.close()
    found = {
        "cpu_s": cpu_s,
        "wall_s": wall_s,
        "frames": frames,
        "lost_frames": lost,
        "microphone_cpu_s": alone_s,
        "microphone_wall_s": alone_wall_s,
    }
    print(json.dumps(found))


async def _listen(source: Microphone, seconds: float, attention: Attention | None) -> tuple[float, float, int]:
    await _hear_for(source, SETTLING_S, attention)
    cpu, wall = time.process_time(), time.monotonic()
    frames = await _hear_for(source, seconds, attention)
    return time.process_time() - cpu, time.monotonic() - wall, frames


async def _hear_for(source: Microphone, seconds: float, attention: Attention | None) -> int:
    heard_s, frames = 0.0, 0
    frame: Frame
    async for frame in source:
        if attention is not None:
            attention.hear(frame)
        heard_s += frame.duration_ms / 1000
        frames += 1
        if heard_s >= seconds:
            break
    return frames


if __name__ == "__main__":
    sys.setswitchinterval(SWITCH_S)
    asyncio.run(main(float(sys.argv[1]), sys.argv[2]))
