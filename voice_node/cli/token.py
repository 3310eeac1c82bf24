"""`voice-node token`: a client secret for another device, which then needs no key."""

import asyncio
import json
import os
import time
from pathlib import Path

import click

from voice_node.cli.credentials import with_stored
from voice_node.model.errors import ConfigError, SessionRefused
from voice_node.session.client_secret import ClientSecrets, Secret
from voice_node.session.providers import Endpoint, endpoint
from voice_node.session.retry import Refusal, Retry
from voice_node.settings.load import load_room
from voice_node.settings.schema import RoomSettings
from voice_node.settings.secrets import check_secrets, read_secrets


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("room", metavar="ROOM.yaml", type=click.Path(path_type=Path))
@click.option(
    "--seconds", default=60, show_default=True, type=click.IntRange(10, 7200), help="How long it can be used."
)
@click.option("--json", "is_json", is_flag=True, help="Print one JSON object: value, expires_at, url.")
def token(room: Path, seconds: int, is_json: bool) -> None:
    """Print a client secret for another device.

    It opens sessions of this room's provider, tools and instructions until it expires; a session that runs then goes
    on. Prints the secret alone, and on stderr when it expires. Whoever has it can spend your money for that long.

    Example: voice-node token config/rooms/kitchen.yaml --seconds 300
    """
    settings = load_room(room).settings
    secrets = read_secrets(with_stored(os.environ, room))
    problems = [problem for problem in check_secrets(settings, secrets) if problem.startswith("session.")]
    if problems:
        raise ConfigError("\n".join(f"{room}: {problem}" for problem in problems))
    key = None if secrets.openai_api_key is None else secrets.openai_api_key.get_secret_value()
    place = _place(room, settings, key)
    minting = ClientSecrets(place, settings.session, settings.tools, key, seconds=seconds)
    match asyncio.run(minting.mint()):
        case Secret() as secret:
            _print(secret, place, is_json)
        case Refusal(detail):
            raise SessionRefused(detail)
        case Retry(detail):
            raise click.ClickException(f"{minting.address}: {detail}")


def _place(path: Path, settings: RoomSettings, key: str | None) -> Endpoint:
    """Where the device will connect."""
    session = settings.session
    if session.provider == "local" and session.url is None:
        raise ConfigError(
            f"{path}: session.provider: local serves this room alone: start `voice-node serve {path}`, "
            "and write its address into session.url"
        )
    return endpoint(session, key, session.url)


def _print(secret: Secret, place: Endpoint, is_json: bool) -> None:
    if is_json:
        click.echo(json.dumps({"value": secret.value, "expires_at": secret.expires_at, "url": place.url}))
        return
    click.echo(secret.value)
    if secret.expires_at is not None:
        at = time.strftime("%H:%M:%S", time.localtime(secret.expires_at))
        click.echo(f"It can be used until {at}, at {place.url}", err=True)
