"""A room that hears recordings and tells at every so many turns what it holds: `python -m tests.system.soak_node`

usage: python -m tests.system.soak_node ROOM.yaml EVERY_TURNS TRACED RECORDING...

One JSON line a sample on standard output, the last when everything has ended. With `TRACED` 1 Python's own memory is
counted too.
"""

import asyncio
import gc
import json
import os
import sys
import threading
import tracemalloc
from pathlib import Path

import psutil

from voice_node.app import Node, usable_room
from voice_node.model.turn import Outcome, TurnFinished, TurnLost
from voice_node.mqtt import bridge
from voice_node.pipes import Pipes
from voice_node.runtime.orders import Orders
from voice_node.runtime.systemd import ServiceManager
from voice_node.session import connection
from voice_node.settings.secrets import Secrets
from voice_node.sound_stages import Recordings

POOL = "asyncio_"
"""What the loop's own pool of threads calls them: it begins one more when all are busy, up to its bound."""

_process = psutil.Process()


class CountingPipes(Pipes):
    """Takes a sample whenever so many turns more are over."""

    every_turns = 1
    turns = 0
    finished = 0

    def tell(self, outcome: Outcome) -> None:
        super().tell(outcome)
        if isinstance(outcome, TurnFinished | TurnLost):
            self.turns += 1
            self.finished += isinstance(outcome, TurnFinished)
            if self.turns % self.every_turns == 0:
                asyncio.get_running_loop().call_soon(sample, self)


class CountingNode(Node):
    """The room as it is, with pipes that count."""

    def __init__(self, pipes: CountingPipes, room: Path, recordings: Recordings) -> None:
        secrets = Secrets()
        super().__init__(usable_room(room, secrets), secrets, ServiceManager({}), recordings)
        self._counting_pipes = pipes

    def _make_pipes(self) -> Pipes:
        return self._counting_pipes


def sample(pipes: CountingPipes, tasks: int | None = None) -> None:
    """Write down what is held now."""
    traced = None
    if tracemalloc.is_tracing():
        gc.collect()
        traced = tracemalloc.get_traced_memory()[0]
    held = {
        "turns": pipes.turns,
        "finished": pipes.finished,
        "rss": _process.memory_info().rss,
        "traced": traced,
        "descriptors": len(os.listdir("/proc/self/fd")),  # noqa: PTH208 - each entry is a number, no file
        "threads": sum(not thread.name.startswith(POOL) for thread in threading.enumerate()),
        "tasks": len(asyncio.all_tasks()) if tasks is None else tasks,
    }
    print(json.dumps(held), flush=True)  # noqa: T201 - what the command is for


async def _live(pipes: CountingPipes, room: Path, recordings: Recordings) -> int:
    """How many tasks it left."""
    await CountingNode(pipes, room, recordings).run(Orders())
    return len(asyncio.all_tasks()) - 1  # this one


def main() -> None:
    """Hear the recordings."""
    room, every_turns, is_traced, *recordings = sys.argv[1:]
    # A day passes in minutes here: so do the waits for a broker and a service that are back.
    bridge._SHORTEST_GAP_S, bridge._LONGEST_GAP_S, bridge._PROBE_S = 0.05, 0.2, 0.2
    connection.HEALTHY_S = 0.1
    pipes = CountingPipes()
    pipes.every_turns = int(every_turns)
    if is_traced == "1":
        tracemalloc.start()
    heard = Recordings(tuple(Path(name) for name in recordings), is_fast=True)
    sample(pipes, asyncio.run(_live(pipes, Path(room), heard)))


if __name__ == "__main__":
    main()
