"""`voice-node serve`: the local Realtime engine for other programs, and for nodes without one of their own."""

import asyncio
import contextlib
import ipaddress
import logging
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_args

import click

from voice_node.local.handshake import PATH, Choice
from voice_node.local.server import LocalServer
from voice_node.model.errors import ConfigError
from voice_node.runtime.network_error import why
from voice_node.runtime.systemd import ServiceManager
from voice_node.settings.load import load_room
from voice_node.settings.local import LocalSettings
from voice_node.settings.tools import Tool


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("rooms", metavar="[ROOM.yaml]...", nargs=-1, type=click.Path(path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option("--port", default=8765, show_default=True, type=click.IntRange(0, 65535), help="0: any free port.")
@click.option("--key-file", type=click.Path(path_type=Path), help="A file with the key that clients must give.")
@click.option(
    "--dialect",
    default="auto",
    show_default=True,
    type=click.Choice(get_args(Choice)),
    help="Of the Realtime API, for all clients; auto: each client's own.",
)
def serve(rooms: tuple[Path, ...], host: str, port: int, key_file: Path | None, dialect: Choice) -> None:
    """Serve the local Realtime engine.

    Understands the sentences of the tools of all ROOM files, in English speech and in writing; a client's tool is known
    by its name. A folder stands for the .yaml files in it. Other addresses than this machine's own need a key. Prints
    one line when it is ready; ends with Ctrl-C.

    Example: voice-node serve config/rooms/kitchen.yaml
    """
    key = None if key_file is None else _read_key(key_file)
    if key is None and not _is_loopback(host):
        raise ConfigError(f"--host {host}: others could use this server without a key: give one with --key-file")
    tools, language, local = _read_rooms(rooms)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    asyncio.run(_serve(LocalServer(tools, language, key, dialect=dialect, local=local), host, port))


async def _serve(server: LocalServer, host: str, port: int) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stopped.set)
    try:
        try:
            bound = await server.start(host, port)
        except OSError as error:
            raise ConfigError(f"--host {host} --port {port}: {why(error)}") from None
        shown = f"[{host}]" if ":" in host else host
        click.echo(f"Realtime is served at ws://{shown}:{bound}{PATH}")
        await _until(stopped, ServiceManager())
    finally:
        await server.close()


async def _until(stopped: asyncio.Event, manager: ServiceManager) -> None:
    """Wait, and tell systemd that the server is there and that its event loop turns."""
    manager.notify("READY=1")
    pause_s = None if manager.watchdog_s is None else manager.watchdog_s / 3
    while not stopped.is_set():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await stopped.wait()
        manager.notify("WATCHDOG=1")
    manager.notify("STOPPING=1")


def _read_key(path: Path) -> str:
    try:
        key = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--key-file {path}: cannot be read: {getattr(error, 'strerror', 'not text')}") from None
    if not key:
        raise ConfigError(f"--key-file {path}: is empty")
    return key


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _files(places: Sequence[Path]) -> Iterator[Path]:
    """Room files, those of folders by name."""
    for place in places:
        if not place.is_dir():
            yield place
            continue
        found = sorted(place.glob("*.yaml"))
        if not found:
            raise ConfigError(f"{place}: there is no room file (.yaml) in it")
        yield from found


def _read_rooms(places: Sequence[Path]) -> tuple[list[Tool], str, LocalSettings]:
    """The tools of all rooms, the first of each name; the language and the engine that all of them have."""
    paths = list(_files(places))
    tools: dict[str, Tool] = {}
    rooms = [load_room(path).settings for path in paths]
    for room, path in zip(rooms, paths, strict=True):
        for tool in room.tools:
            if tools.setdefault(tool.name, tool) != tool:
                raise ConfigError(f"{path}: tools: {tool.name} differs from the tool of this name in another room")
    languages = {room.language.split("-")[0].lower() for room in rooms}
    if len(languages) > 1:
        raise ConfigError(f"one server has one language, these rooms have several: {', '.join(sorted(languages))}")
    local = rooms[0].local if rooms else LocalSettings()
    for room, path in zip(rooms, paths, strict=True):
        if room.local != local:
            raise ConfigError(f"{path}: local differs from that of another room: one server has one engine")
    return list(tools.values()), rooms[0].language if rooms else "en", local
