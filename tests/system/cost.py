"""G13: a television talks for an hour; what leaves the room is the day's cap and at most one utterance more."""

import asyncio
import base64
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from tests.benchmarks.room import write_room
from tests.fakes.broker import Broker
from tests.fakes.wire_net import WireNet
from tests.system.goal import Result
from tests.system.soak import write_hour
from tests.system.soak_server import SoakServer
from tests.system.stormy_house import Home

CAP_MINUTES = 2
LONGEST_UTTERANCE_S = 30
"""`gate.max_segment_s`."""
BYTES_PER_S = 48_000


class _Scales(WireNet):
    """Weighs the sound that comes, and does not judge it."""

    def __init__(self) -> None:
        super().__init__()
        self.sound = 0

    def catch(self, dialect: str, message: str) -> None:
        event = json.loads(message)
        if event["type"] == "input_audio_buffer.append":
            self.sound += len(base64.b64decode(event["audio"]))


async def television(folder: Path, length_s: int) -> Result:
    """So many seconds of somebody who says something every four seconds."""
    result, began = Result("G13", f"{length_s} s of television, {CAP_MINUTES} minutes a day"), time.monotonic()
    sound = folder / "television.wav"
    await asyncio.to_thread(write_hour, sound, length_s // 4, length_s)
    scales = _Scales()
    with Broker() as broker:
        async with SoakServer() as server:
            server.net = scales
            home = Home(broker.port)
            room = write_room(folder, server.port, broker.port, sound)
            with room.open("a") as file:
                file.write(f"budget: {{usd_per_day: null, minutes_per_day: {CAP_MINUTES}}}\n")
            node = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.system.soak_node", str(room), "1000000", "0", str(sound)),
                env=os.environ | {"STATE_DIRECTORY": str(folder / "state")},
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            try:
                output, _ = await node.communicate()
            finally:
                if node.returncode is None:
                    node.kill()
                home.close()
    sent_s = scales.sound / BYTES_PER_S
    turns = json.loads(output.splitlines()[-1])["turns"] if output else 0
    result.figures = {"left the room": f"{sent_s:.1f} s", "cap": f"{CAP_MINUTES * 60} s", "turns": turns}
    result.demand(f"the node ended with {node.returncode}", node.returncode == 0)
    result.demand("more than the cap and one utterance left", sent_s <= CAP_MINUTES * 60 + LONGEST_UTTERANCE_S)
    result.demand("the cap was never reached: there was too little to hear", sent_s > CAP_MINUTES * 60 - 5)
    result.seconds = time.monotonic() - began
    return result
