"""`voice-node fleet`: all rooms of a broker, as they live. It only hears: its login needs no right to publish."""

import asyncio
import itertools
import json
import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.live import Live

from voice_node.cli.broker_url import broker_at
from voice_node.cli.fleet_rooms import Fleet, FleetRoom
from voice_node.cli.fleet_table import fleet_view
from voice_node.model.errors import ConfigError
from voice_node.mqtt.message import Incoming
from voice_node.mqtt.observer import Observer, Unconnected
from voice_node.mqtt.topics import is_level
from voice_node.settings.schema import MqttSettings, TlsSettings
from voice_node.settings.secrets import read_secrets

SETTLE_S = 1.5
"""So long after the last kept message has come, there is none left."""
LONGEST_SETTLE_S = 20.0
REDRAW_S = 0.5
RETRY_S = (1.0, 2.0, 5.0, 10.0)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--broker", metavar="URL", required=True, help="mqtt[s]://[USER@]HOST[:PORT]; password in MQTT_PASSWORD.")
@click.option("--base", default="voice_node", show_default=True, help="The first level of the rooms' topics.")
@click.option("--once", is_flag=True, help="Show what is known now, and end.")
@click.option(
    "--json", "is_json", is_flag=True, help="For programs: a list with --once, else a line whenever a room tells."
)
@click.option("--ca", type=click.Path(exists=True, dir_okay=False), help="For mqtts: the authority's certificate.")
@click.option("--cert", type=click.Path(exists=True, dir_okay=False), help="For mqtts: your certificate.")
@click.option("--key", type=click.Path(exists=True, dir_okay=False), help="For mqtts: its key.")
def fleet(broker: str, base: str, once: bool, is_json: bool, ca: str | None, cert: str | None, key: str | None) -> None:
    """Show all rooms of a broker: what each does, how quick it is, what it costs, what is wrong.

    The table lives until Ctrl-C; rooms in trouble stand first. Where it goes to a file, it is written once.

    Example: voice-node fleet --broker mqtt://homeassistant@192.168.1.10
    """
    if not is_level(base):
        raise ConfigError("--base: must be 1 to 64 of a-z, 0-9, _ and -")
    files = {name: str(Path(file).absolute()) for name, file in (("ca", ca), ("cert", cert), ("key", key)) if file}
    # As MQTT 3.1.1: an observer of MQTT 5 asks the broker for no retained messages.
    settings = broker_at(broker, MqttSettings(base=base, protocol=3, tls=TlsSettings(**files)))
    password = read_secrets(os.environ).mqtt_password
    view = _View(Fleet(base), settings, None if password is None else password.get_secret_value())
    console = Console()
    if once or not (is_json or console.is_terminal):
        asyncio.run(view.once(console, is_json=is_json))
    else:
        asyncio.run(view.lines() if is_json else view.live(console))


class _View:
    """One look at the fleet."""

    def __init__(self, fleet: Fleet, settings: MqttSettings, password: str | None) -> None:
        self._fleet = fleet
        self._settings = settings
        self._password = password
        self._has_news = asyncio.Event()
        self._changed: dict[str, FleetRoom] = {}
        self._is_kept_news = False
        self._notice = ""

    async def once(self, console: Console, *, is_json: bool) -> None:
        """Write what the broker keeps of all rooms; raises Unconnected."""
        observer = await self._connected()
        try:
            async with asyncio.timeout(LONGEST_SETTLE_S):
                while True:
                    self._is_kept_news = False
                    await asyncio.sleep(SETTLE_S)
                    if not self._is_kept_news:
                        break
        except TimeoutError:
            pass  # a broker that is slow, or a fleet that is huge: what came
        finally:
            await observer.stop()
        rooms = sorted(self._fleet.rooms.values(), key=lambda room: room.room)
        if is_json:
            click.echo(json.dumps([room.as_json() for room in rooms], indent=1))
        else:
            console.print(fleet_view(rooms, datetime.now(UTC), console.width))

    async def lines(self) -> None:
        """Write a line of JSON for each room that told something, until Ctrl-C; raises Unconnected at the beginning."""
        await asyncio.gather(self._watch(await self._connected()), self._write())

    async def live(self, console: Console) -> None:
        """Draw the table anew until Ctrl-C; raises Unconnected at the beginning."""
        await asyncio.gather(self._watch(await self._connected()), self._draw(console))

    async def _write(self) -> None:
        while True:
            await self._has_news.wait()
            self._has_news.clear()
            changed, self._changed = self._changed, {}
            for room in changed.values():
                click.echo(json.dumps(room.as_json()))

    async def _draw(self, console: Console) -> None:
        with Live(console=console, screen=True, auto_refresh=False) as live:
            while True:
                rooms = list(self._fleet.rooms.values())
                view = fleet_view(rooms, datetime.now(UTC), console.width, console.height, self._notice)
                live.update(view, refresh=True)
                await asyncio.sleep(REDRAW_S)

    async def _watch(self, observer: Observer) -> None:
        """Come back to a broker that went away."""
        try:
            while True:
                await observer.ended()
                self._notice = "The broker is away: this is what was heard last."
                observer = await self._returned()
                self._notice = ""
        finally:
            await observer.stop()

    async def _returned(self) -> Observer:
        for wait_s in itertools.chain(RETRY_S, itertools.repeat(RETRY_S[-1])):
            await asyncio.sleep(wait_s)
            with suppress(Unconnected):
                return await self._connected()
        raise AssertionError("it waits without end")

    async def _connected(self) -> Observer:
        observer = Observer(self._settings, self._password, self._fleet.filters, self._hear, qos=0)
        await observer.start()
        return observer

    def _hear(self, message: Incoming) -> None:
        self._is_kept_news |= message.is_retained
        room = self._fleet.hear(message, datetime.now(UTC))
        if room is not None:
            self._changed[room.room] = room
            self._has_news.set()
