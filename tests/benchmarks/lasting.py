"""A session that lasts: memory over many turns, and the time from a cut connection to the next session."""

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from tests.benchmarks.measure import Figure, percentile
from tests.benchmarks.room import environment, instant_server, write_room, write_sentences
from tests.fakes.broker import Broker
from tests.fakes.proxy import FaultProxy
from voice_node.app import Node
from voice_node.model.turn import LinkChanged, Outcome
from voice_node.mqtt.message import Incoming, Message
from voice_node.mqtt.observer import Observer
from voice_node.pipes import Pipes
from voice_node.runtime.orders import Orders
from voice_node.runtime.systemd import ServiceManager
from voice_node.settings.load import load_room
from voice_node.settings.schema import MqttSettings
from voice_node.settings.secrets import Secrets

TURNS = 200
WARM_UP = 100
"""Turns after which every buffer has had its size."""
CUTS = 20


def measure_memory(folder: Path) -> list[Figure]:
    """Resident memory of `replay --fast` between the 100th and the 200th turn."""
    with Broker() as broker, instant_server() as server:
        recording = write_sentences(folder / "many.wav", TURNS)
        room = write_room(folder, server.port, broker.port, recording)
        command = [sys.executable, "-m", "voice_node", "replay", "--fast", str(room), str(recording)]
        node = subprocess.Popen(command, env=environment(folder), stderr=subprocess.DEVNULL)
        process = psutil.Process(node.pid)
        sizes_mb: list[float] = []
        asyncio.run(watch_turns(broker.port, lambda: sizes_mb.append(process.memory_info().rss / 1e6)))
        node.wait(60)
    early, late = sizes_mb[WARM_UP - 1], max(sizes_mb[-20:])
    return [Figure(f"growth of memory from turn {WARM_UP} to {len(sizes_mb)}", late - early, "MB", 1.0)]


async def watch_turns(port: int, note: Callable[[], None]) -> None:
    """Answer every call of the room until it goes offline; `note` hears the end of each turn."""
    done = asyncio.Event()

    def hear(message: Incoming) -> None:
        if message.topic.endswith("/call"):
            answer = {"call_id": json.loads(message.payload)["call_id"], "output": "done"}
            observer.publish(Message("voice_node/bench/tool/set_light/result", json.dumps(answer).encode(), qos=1))
        elif message.payload == b"offline":
            done.set()
        elif b'"turn_finished"' in message.payload:
            with contextlib.suppress(psutil.NoSuchProcess):
                note()

    branch = "voice_node/bench/"
    topics = [branch + "tool/+/call", branch + "event", branch + "availability"]
    observer = Observer(MqttSettings(port=port), None, topics, hear)
    await observer.start()
    async with asyncio.timeout(300):
        await done.wait()
    await observer.stop()


def measure_reconnect(folder: Path) -> list[Figure]:
    """Resets the session's TCP connection again and again."""
    with Broker() as broker, instant_server() as server:
        waits_s = asyncio.run(_cut(folder, server.port, broker.port))
    return [
        Figure("reconnect after a cut, p50", percentile(waits_s, 0.5), "s"),
        Figure("reconnect after a cut, p95", percentile(waits_s, 0.95), "s", 3.0, f"{len(waits_s)} cuts"),
    ]


class _LinkedPipes(Pipes):
    """Says when the session came up."""

    def __init__(self) -> None:
        super().__init__()
        self.ups: asyncio.Queue[float] = asyncio.Queue()

    def tell(self, outcome: Outcome) -> None:
        if isinstance(outcome, LinkChanged) and outcome.is_up:
            self.ups.put_nowait(time.monotonic())
        super().tell(outcome)


class _LinkedNode(Node):
    linked: _LinkedPipes

    def _make_pipes(self) -> Pipes:
        return self.linked


async def _cut(folder: Path, server_port: int, broker_port: int) -> list[float]:
    waits_s: list[float] = []
    async with FaultProxy(server_port) as proxy:
        room = write_room(folder, proxy.port, broker_port, write_sentences(folder / "quiet.wav", 200))
        node = _LinkedNode(load_room(room), Secrets(), ServiceManager({}))
        node.linked = _LinkedPipes()
        orders = Orders()
        life = asyncio.create_task(node.run(orders))
        await node.linked.ups.get()
        for _ in range(CUTS):
            await asyncio.sleep(0.5)
            proxy.reset()
            began = time.monotonic()
            waits_s.append(await node.linked.ups.get() - began)
        orders.stop.set()
        await life
    return waits_s
