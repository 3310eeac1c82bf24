"""The doors of the node at which strangers can knock, and how much each gets of a campaign."""

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from random import Random

from tests.fuzz.campaign import Outcome, Target, run
from tests.fuzz.client_events import ClientEvents
from tests.fuzz.commands import Commands
from tests.fuzz.recordings import Recordings
from tests.fuzz.room_files import RoomFiles
from tests.fuzz.server_events import ServerEvents
from tests.fuzz.tool_arguments import ToolArguments


@dataclass(frozen=True)
class Door:
    """Where input comes in."""

    target: Callable[[Random], Target]
    share: int
    """Of so many inputs in all as the shares' sum."""


DOORS = {
    "server-events": Door(ServerEvents, 1_000_000),
    "mqtt": Door(Commands, 1_000_000),
    "tool-arguments": Door(ToolArguments, 200_000),
    "room-files": Door(RoomFiles, 100_000),
    "recordings": Door(Recordings, 40_000),
    "client-events": Door(ClientEvents, 60_000),
}
"""Shares by what an input costs and by who can send it: the broker and the service are nearest to strangers."""


INPUTS = sum(door.share for door in DOORS.values())
PART = 20_000
"""Inputs that a process takes at a time."""


def shares(inputs: int) -> dict[str, int]:
    """How many each door gets."""
    return {name: round(inputs * door.share / INPUTS) for name, door in DOORS.items()}


def knock(names: Iterable[str], inputs: int, seed: int) -> Iterator[Outcome]:
    """At each of these doors, with its share of so many inputs, on every processor of the machine."""
    counts = shares(inputs)
    with ProcessPoolExecutor(os.cpu_count(), initializer=logging.disable) as pool:  # what is refused is logged
        parts = {
            name: [
                pool.submit(_knock, name, min(PART, counts[name] - begun), seed * 1000 + begun // PART)
                for begun in range(0, counts[name], PART)
            ]
            for name in names
        }
        for name, waiting in parts.items():
            yield _together(name, seed, [part.result() for part in waiting])


def _knock(name: str, count: int, seed: int) -> Outcome:
    return run(name, DOORS[name].target, count, seed)


def _together(name: str, seed: int, parts: list[Outcome]) -> Outcome:
    """Seconds are those of one processor."""
    return Outcome(
        name,
        seed,
        sum(part.inputs for part in parts),
        sum(part.seconds for part in parts),
        max(part.slowest_ms for part in parts),
        [f"part {part.seed}, {finding}" for part in parts for finding in part.findings],
    )
