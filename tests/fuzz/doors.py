"""The doors of the node at which strangers can knock, and how much each gets of a campaign."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tests.fuzz.campaign import Target
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
    share: float


DOORS = {
    "server-events": Door(ServerEvents, 0.40),
    "mqtt": Door(Commands, 0.40),
    "tool-arguments": Door(ToolArguments, 0.10),
    "room-files": Door(RoomFiles, 0.05),
    "recordings": Door(Recordings, 0.02),
    "client-events": Door(ClientEvents, 0.03),
}
"""Shares by what an input costs and by who can send it: the broker and the service are nearest to strangers."""


def shares(inputs: int) -> dict[str, int]:
    """How many each door gets."""
    return {name: round(inputs * door.share) for name, door in DOORS.items()}
