"""`voice-node run`: what the service runs."""

from pathlib import Path

import click

from voice_node.app import run_room
from voice_node.cli.credentials import take_stored


@click.command()
@click.argument("room", type=click.Path(path_type=Path), metavar="ROOM.yaml")
def run(room: Path) -> None:
    """Run the room until it is told to stop.

    TERM and INT stop it, HUP reads the room file again. Exit codes: 0 asked to stop, 78 configuration, 77 refused by
    the service, 75 the room already runs here, 74 the microphone stays away, 1 a bug.

    Example: voice-node run /etc/voice-node/kitchen.yaml
    """
    take_stored(room)
    run_room(room)
