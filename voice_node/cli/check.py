"""`voice-node check`: what is wrong with room files, without starting a room."""

import os
from pathlib import Path

import click

from voice_node.cli.credentials import who_may_read, with_stored
from voice_node.local.digits import can_hear_digits
from voice_node.local.engine import sentence_problems
from voice_node.model.errors import ConfigError
from voice_node.router.tools import schema_problems
from voice_node.settings.checks import find_unreadable
from voice_node.settings.load import LoadedRoom, load_room
from voice_node.settings.secrets import check_secrets, read_secrets
from voice_node.settings.unspoken import unspoken_tools


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("rooms", metavar="ROOM.yaml...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--no-secrets", is_flag=True, help="Ask for no API key, code, password or private key.")
def check(rooms: tuple[Path, ...], no_secrets: bool) -> None:
    """Check room files and say what is wrong with them.

    Prints every error with its file, line and key, and a line for each file that can be used. Ends with 78 if one
    cannot, else with 0.

    Example: voice-node check config/rooms/kitchen.yaml
    """
    is_good = True
    owners: dict[tuple[str, int, str, str], Path] = {}
    for path in rooms:
        is_good &= _check_room(path, owners, with_secrets=not no_secrets)
    if not is_good:
        raise SystemExit(ConfigError.exit_code)


def _check_room(path: Path, owners: dict[tuple[str, int, str, str], Path], *, with_secrets: bool) -> bool:
    """Print what there is to say of one file; True if a room can run with it."""
    # The private key is a secret too: who is spared those need not be the user that the room runs as.
    files = ("ca", "cert", "key") if with_secrets else ("ca", "cert")
    try:
        room = load_room(path, [schema_problems, lambda found: find_unreadable(found, path.parent, files)])
    except ConfigError as error:
        click.echo(str(error), err=True)
        return False
    problems = _secret_problems(path, room) if with_secrets else []
    mqtt = room.settings.mqtt
    branch = (mqtt.host, mqtt.port, mqtt.base, room.settings.room)
    other = owners.setdefault(branch, path)
    if other != path:
        problems.append(f"{path}: room: {room.settings.room} is the room of {other} too: two rooms need two ids")
    for warning in room.warnings:
        click.echo(f"warning: {warning}", err=True)
    if any(tool.policy == "pin" for tool in room.settings.tools) and not can_hear_digits(room.settings.language):
        text = "the code is recognised by the service, not on this device: that needs English and voice-node[local]"
        click.echo(f"warning: {path}: confirm: pin: {text}", err=True)
    if "local" in (room.settings.session.provider, room.settings.fallback.provider):
        problems_of_sentences = sentence_problems(room.settings.tools, room.settings.language)
        for line in (*problems_of_sentences, *unspoken_tools(room.settings)):
            click.echo(f"warning: {path}: {line}", err=True)
    for problem in problems:
        click.echo(problem, err=True)
    if problems:
        return False
    click.echo(_summary(room))
    return True


def _secret_problems(path: Path, room: LoadedRoom) -> list[str]:
    try:
        secrets = read_secrets(with_stored(os.environ, path))
    except ConfigError as error:  # it names the file or the variable
        return [str(error)]
    return [f"{path}: {problem}{who_may_read(path)}" for problem in check_secrets(room.settings, secrets)]


def _summary(room: LoadedRoom) -> str:
    settings = room.settings
    count = len(settings.tools)
    tools = f"{count} tool" if count == 1 else f"{count} tools"
    return (
        f"{room.path}: ok: room {settings.room}, provider {settings.session.provider}, {tools}, "
        f"microphone {settings.capture.device}, broker {settings.mqtt.host}:{settings.mqtt.port}"
    )
