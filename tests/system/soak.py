"""G6, a day in minutes: `python -m tests.system.soak [--hours 24] [--turns 84] [--faults 500] [--seed 1]`

A real node hears an hour's recording again and again, as fast as it can, with a broker and a service in processes of
their own. A seed's dice reset its connections. It says itself what it holds, at the end of each of its hours; with
`--tracemalloc` Python's own memory too, which is slower.
"""

import argparse
import asyncio
import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
import wave
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from tests.benchmarks.room import RECORDING, instant_server, write_room
from tests.fakes.broker import Broker
from tests.fakes.proxy import FaultProxy
from tests.system.stormy_house import Home

log = logging.getLogger(__name__)

MEBIBYTE = 1024 * 1024
MOST_RSS_GROWTH = 5 * MEBIBYTE
MOST_TRACED_GROWTH = MEBIBYTE
FRAME_MS = 20
COUNTED = ("descriptors", "threads", "tasks")


@dataclass
class Soaked:
    """What a day came to."""

    hours: int
    hour_s: int
    seed: int
    faults: int = 0
    seconds: float = 0.0
    frames: int = 0
    samples: list[dict[str, Any]] = field(default_factory=list)
    """One an hour, and one after the end."""
    failures: list[str] = field(default_factory=list)

    def held(self, what: str) -> list[int]:
        """At the end of each hour."""
        return [sample[what] for sample in self.samples[:-1] if sample[what] is not None]

    def growth(self, what: str) -> int:
        """From the second hour to the last; from the first where there are but two."""
        held = self.held(what)
        return held[-1] - held[min(1, len(held) - 2)]

    def __str__(self) -> str:
        if len(self.samples) < 3:
            return f"soak, seed {self.seed}: FAILED: {self.failures}"
        last = self.samples[-1]
        rss = ", ".join(f"{size / MEBIBYTE:.1f}" for size in self.held("rss"))
        lines = [
            f"soak, seed {self.seed}: {self.hours} x {self.hour_s} s of sound = {self.frames:,} frames in "
            f"{self.seconds:.0f} s, {last['turns']} turns ({last['finished']} answered), {self.faults} faults",
            f"  RSS at the end of each hour, MiB: {rss}; growth {self.growth('rss') / MEBIBYTE:+.2f} MiB",
            *(
                f"  {what}: {self.held(what)[0]} -> {self.held(what)[-1]}"
                for what in ("descriptors", "threads", "tasks")
            ),
            f"  after the end: {last['threads']} threads, {last['tasks']} tasks, {last['descriptors']} descriptors",
        ]
        if self.held("traced"):
            lines.append(f"  tracemalloc: growth {self.growth('traced') / MEBIBYTE:+.3f} MiB")
        return "\n".join([*lines, *(f"  FAILED: {failure}" for failure in self.failures)])


def write_hour(path: Path, turns: int, length_s: int) -> int:
    """An hour of a room: so many short sentences, evenly spread over its noise; its frames."""
    with wave.open(str(RECORDING)) as source:
        rate_hz = source.getframerate()
        pcm = np.frombuffer(source.readframes(source.getnframes()), "<i2")
    piece, background = pcm[int(0.9 * rate_hz) : int(1.8 * rate_hz)], pcm[: int(0.5 * rate_hz)]
    size = length_s * rate_hz
    hour = np.tile(background, size // len(background) + 1)[:size]
    for turn in range(turns):
        at = (turn * size // turns) + rate_hz
        hour[at : at + len(piece)] = piece
    with wave.open(str(path), "wb") as target:
        target.setparams((1, 2, rate_hz, 0, "NONE", ""))
        target.writeframes(hour.tobytes())
    return length_s * 1000 // FRAME_MS


async def soak(
    folder: Path, *, hours: int, turns: int, faults: int, seed: int, hour_s: int = 3600, is_traced: bool = False
) -> Soaked:
    """`turns` and `hour_s` are of one hour."""
    soaked = Soaked(hours, hour_s, seed)
    hour = folder / "hour.wav"
    soaked.frames = hours * await asyncio.to_thread(write_hour, hour, turns, hour_s)
    began = time.monotonic()
    with ExitStack() as stack:
        broker = stack.enter_context(Broker())
        server = stack.enter_context(instant_server())
        stack.enter_context(_drained(server.process))
        home = Home(broker.port)
        stack.callback(home.close)
        async with FaultProxy(broker.port) as to_broker, FaultProxy(server.port) as to_server:
            room = write_room(folder, to_server.port, to_broker.port, hour)
            arguments = [str(room), str(turns), str(int(is_traced)), *[str(hour)] * hours]
            with (folder / "log").open("wb") as told:
                node = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "tests.system.soak_node", *arguments),
                    env=os.environ | {"STATE_DIRECTORY": str(folder / "state")},
                    stdout=subprocess.PIPE,
                    stderr=told,
                )
                stack.callback(_end, node)
                breaking = asyncio.create_task(_break(soaked, home, (to_broker, to_server), faults, hours * turns))
                assert node.stdout is not None
                async for line in node.stdout:
                    soaked.samples.append(json.loads(line))
                    log.info("%.0f s: %s", time.monotonic() - began, line.decode().rstrip())
                code = await node.wait()
                breaking.cancel()
    soaked.seconds = time.monotonic() - began
    if soaked.faults < faults:
        soaked.failures.append(f"{soaked.faults} connections were broken of {faults}")
    _judge(soaked, code, (folder / "log").read_text(), hours * turns)
    return soaked


async def _break(soaked: Soaked, home: Home, proxies: tuple[FaultProxy, FaultProxy], faults: int, turns: int) -> None:
    """A connection is reset after every so many turns."""
    dice = Random(soaked.seed)
    while soaked.faults < faults:
        due = (soaked.faults + 1) * turns * 19 // 20 // (faults + 1)  # what a fault ended is not finished
        proxy = dice.choice(proxies)
        while home.turns < due or not proxy.is_in_use:  # noqa: ASYNC110 - another process's doing
            await asyncio.sleep(0.005)
        proxy.reset()
        soaked.faults += 1


def _judge(soaked: Soaked, code: int, log: str, turns: int) -> None:
    if code != 0 or len(soaked.samples) < 3:
        soaked.failures.append(f"the node ended with {code}: {log[-2000:]}")
        return
    last = soaked.samples[-1]
    if last["turns"] < turns * 0.99:
        soaked.failures.append(f"{last['turns']} turns were heard of {turns}")
    if last["finished"] < last["turns"] - 2 * soaked.faults:
        soaked.failures.append(f"only {last['finished']} of {last['turns']} turns were answered")
    if "Traceback" in log:
        soaked.failures.append(f"a traceback in the log: {log[log.index('Traceback') :][:2000]}")
    if not soaked.held("traced") and soaked.growth("rss") > MOST_RSS_GROWTH:
        soaked.failures.append("it grows")
    if soaked.held("traced") and soaked.growth("traced") > MOST_TRACED_GROWTH:
        soaked.failures.append("Python's own memory grows")
    for what in COUNTED:
        if min(soaked.held(what)[-3:]) > max(soaked.held(what)[:2]):
            soaked.failures.append(f"{what} grow: {soaked.held(what)}")
    if (last["threads"], last["tasks"]) != (1, 0):
        soaked.failures.append(f"left behind: {last['threads'] - 1} threads, {last['tasks']} tasks")


@contextmanager
def _drained(process: subprocess.Popen[str]) -> Iterator[None]:
    """Read what a process prints, and forget it."""
    assert process.stdout is not None
    output = process.stdout
    reader = threading.Thread(target=lambda: [None for _ in output])
    reader.start()
    try:
        yield
    finally:
        assert process.stdin is not None
        process.stdin.close()
        reader.join(30)


def _end(node: asyncio.subprocess.Process) -> None:
    if node.returncode is None:
        node.kill()


def main() -> int:
    """Print what the day came to."""
    parser = argparse.ArgumentParser(prog="python -m tests.system.soak", description=__doc__)
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--turns", type=int, default=84, help="an hour")
    parser.add_argument("--faults", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tracemalloc", action="store_true", help="count Python's own memory: slower")
    wishes = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        soaked = asyncio.run(
            soak(
                Path(folder),
                hours=wishes.hours,
                turns=wishes.turns,
                faults=wishes.faults,
                seed=wishes.seed,
                is_traced=wishes.tracemalloc,
            )
        )
    print(soaked)  # noqa: T201 - what the command is for
    return int(bool(soaked.failures))


if __name__ == "__main__":
    sys.exit(main())
