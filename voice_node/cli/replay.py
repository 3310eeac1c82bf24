"""`voice-node replay`: a room with recordings as its microphone."""

import sys
from pathlib import Path

import click

from voice_node.app import run_room
from voice_node.cli import INTERRUPTED
from voice_node.cli.credentials import take_stored
from voice_node.sound_stages import Recordings


@click.command()
@click.argument("room", type=click.Path(path_type=Path), metavar="ROOM.yaml")
@click.argument("recordings", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE.wav...")
@click.option("--fast", is_flag=True, help="As fast as the session takes the sound; replies are not played.")
def replay(room: Path, recordings: tuple[Path, ...], fast: bool) -> None:
    """Run the room with recordings as its microphone; ends when they do.

    After each sentence the recording waits until the turn is over, as a person would. It is the real room, with its
    broker, its budget and its tools; what happens is told there: mosquitto_sub -v -t 'voice_node/#'. To look on
    without switching anything, take `voice-node demo --room ROOM.yaml`.

    Example: voice-node replay config/rooms/kitchen.yaml morning.wav --fast
    """
    take_stored(room)
    if run_room(room, Recordings(recordings, is_fast=fast)):
        sys.exit(INTERRUPTED)  # not all was heard
