"""`voice-node demo`: a whole room at work, with everything it needs, shown from the broker's side."""

import asyncio
import os
import sys
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import click
from rich.console import Console

from voice_node.app import Node, words_of
from voice_node.cli import INTERRUPTED
from voice_node.cli.broker import PrivateBroker
from voice_node.cli.broker_url import broker_at
from voice_node.cli.credentials import take_stored
from voice_node.cli.demo_view import DemoView
from voice_node.cli.home import Home
from voice_node.model.errors import ConfigError
from voice_node.mqtt.message import Incoming
from voice_node.mqtt.observer import Observer
from voice_node.mqtt.topics import Topics
from voice_node.router.tools import schema_problems
from voice_node.runtime.logs import set_up
from voice_node.runtime.orders import Orders
from voice_node.runtime.portaudio import PortAudio
from voice_node.runtime.sound_devices import DeviceMissing
from voice_node.runtime.systemd import ServiceManager
from voice_node.settings.load import LoadedRoom, load_room
from voice_node.settings.schema import MqttSettings
from voice_node.settings.secrets import Secrets, check_secrets, read_secrets
from voice_node.sound_stages import Recordings

RECORDING = "demo/three_sentences.wav"
KEEP_SILENCE_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Wishes:
    """The command's options."""

    room: Path | None
    broker: str | None
    is_mic: bool
    is_kept: bool


@click.command()
@click.option("--mic", is_flag=True, help="Listen to the microphone instead of the recording, until Ctrl-C.")
@click.option("--keep", is_flag=True, help="Stay after the recording, until Ctrl-C: say, ask and mute over MQTT.")
@click.option("--room", type=click.Path(path_type=Path), help="Another room file, at the demo's broker.")
@click.option(
    "--broker", metavar="URL", help="Another broker, mqtt[s]://[USER@]HOST[:PORT]; password in MQTT_PASSWORD."
)
def demo(mic: bool, keep: bool, room: Path | None, broker: str | None) -> None:
    """Show a room at work: what is heard, gated, recognised, called, answered and spoken.

    A private broker, the offline engine, a room that hears a recording (made with espeak-ng), and a stand-in for home
    automation that obeys. Nothing leaves this machine.

    Example: voice-node demo --mic
    """
    sys.exit(asyncio.run(_demo(Wishes(room, broker, mic, keep))))


async def _demo(wishes: Wishes) -> int:
    console = Console()
    room = load_room(wishes.room or shipped("rooms/demo.yaml"), [schema_problems])
    if wishes.room is not None:
        take_stored(wishes.room)
    secrets = read_secrets(os.environ)
    set_up("warning", room.settings.room, words_of(secrets))
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="voice-node-demo-")))
        os.environ["STATE_DIRECTORY"] = str(folder / "state")  # a mute in the demo is no mute tomorrow
        mqtt, where = await _broker(wishes, room.settings.mqtt, folder, stack)
        room = _adapted(room, mqtt, console)
        problems = check_secrets(room.settings, secrets)
        if problems:
            raise ConfigError("\n".join(f"{room.path}: {problem}" for problem in problems))
        topics = Topics(mqtt.base, room.settings.room, mqtt.discovery_prefix)
        view = DemoView(console, topics)
        observer = _observer(mqtt, secrets, topics, view)
        _introduce(console, room, wishes, where)
        await observer.start()
        stack.push_async_callback(observer.stop)
        was_stopped = await _run(room, secrets, wishes)
        await asyncio.sleep(0.2)  # what the room said last is still on its way through the broker
        answered = view.summary()
    if was_stopped and not (wishes.is_mic or wishes.is_kept):
        return INTERRUPTED
    is_whole = answered >= 2 or wishes.room is not None or was_stopped
    return 0 if is_whole else 1


def _adapted(room: LoadedRoom, mqtt: MqttSettings, console: Console) -> LoadedRoom:
    """The room with the demo's broker, and without a speaker where this machine has none."""
    changes: dict[str, object] = {"mqtt": mqtt}
    playback = room.settings.playback
    if playback.device != "none":
        with PortAudio.open() as library:
            try:
                library.find(playback.device, "output")
            except DeviceMissing:
                console.print("There is no speaker here: replies are shown, not heard.", style="yellow")
                changes["playback"] = playback.model_copy(update={"device": "none"})
    return replace(room, settings=room.settings.model_copy(update=changes))


async def _run(room: LoadedRoom, secrets: Secrets, wishes: Wishes) -> bool:
    """Until all is heard, or until it is told to stop: then True."""
    recordings = None
    if not wishes.is_mic:
        silence_ms = KEEP_SILENCE_MS if wishes.is_kept else 1000
        recordings = Recordings((shipped(RECORDING),), silence_after_ms=silence_ms)
    orders = Orders()
    orders.listen()
    await Node(room, secrets, ServiceManager({}), recordings).run(orders)
    return orders.stop.is_set()


async def _broker(
    wishes: Wishes, settings: MqttSettings, folder: Path, stack: AsyncExitStack
) -> tuple[MqttSettings, str]:
    if wishes.broker is None:
        broker = await stack.enter_async_context(PrivateBroker(folder))
        return settings.model_copy(update={"host": "127.0.0.1", "port": broker.port, "username": None}), "private"
    return broker_at(wishes.broker, settings), "yours"


def _observer(mqtt: MqttSettings, secrets: Secrets, topics: Topics, view: DemoView) -> Observer:
    def hear(message: Incoming) -> None:
        view.hear(message)
        what = home.hear(message)
        if what is not None:
            view.home(what)

    password = None if secrets.mqtt_password is None else secrets.mqtt_password.get_secret_value()
    observer = Observer(mqtt, password, [f"{topics.base}/{topics.room}/#"], hear)
    home = Home(topics, observer.publish)
    return observer


def _introduce(console: Console, room: LoadedRoom, wishes: Wishes, where: str) -> None:
    settings = room.settings
    source = "your microphone; Ctrl-C ends it" if wishes.is_mic else f"{RECORDING}, made with espeak-ng"
    count = len(settings.tools)
    tools = f"{count} tool" if count == 1 else f"{count} tools"
    console.print(f"[bold]Room {settings.room}[/]: {tools}, provider {settings.session.provider}")
    console.print(f"Broker ({where}): {settings.mqtt.host}:{settings.mqtt.port}, topics below {settings.mqtt.base}/")
    console.print(f"It hears: {source}", highlight=False)
    if settings.session.provider == "local" and settings.local.recogniser == "pocketsphinx":
        console.print("Words that fit no sentence of its tools are written down roughly, and call nothing.")
    console.print()
    if wishes.is_mic:
        for tool in settings.tools:
            for sentence in tool.sentences:
                console.print(f"  say: {sentence}", highlight=False, markup=False)
    if wishes.is_mic or wishes.is_kept:
        place = f"-h {settings.mqtt.host} -p {settings.mqtt.port} -t {settings.mqtt.base}/{settings.room}"
        console.print(f"  or: mosquitto_pub {place}/request/say -m 'Dinner is ready.'\n", highlight=False, markup=False)


def shipped(name: str) -> Path:
    """A file of `config/`, in a checkout or in an installed package."""
    package = Path(__file__).parent.parent
    places = (package.parent / "config" / name, package / "config" / name)
    found = next((place for place in places if place.exists()), None)
    if found is None:
        raise ConfigError(f"config/{name} is missing: install the package again")
    return found
