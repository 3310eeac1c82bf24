"""How much one process can do: turns and messages, as fast as they go."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import psutil

from tests.benchmarks.crowd import new_client
from tests.benchmarks.lasting import watch_turns
from tests.benchmarks.measure import Figure
from tests.benchmarks.room import environment, instant_server, write_room, write_sentences
from tests.fakes.broker import Broker
from voice_node.model.report import EventType, Happening, Report
from voice_node.model.turn import Transcript
from voice_node.mqtt.bridge import Bridge
from voice_node.mqtt.encode import encode
from voice_node.mqtt.message import Message
from voice_node.mqtt.outgoing import MOST_IN_FLIGHT
from voice_node.mqtt.topics import Topics
from voice_node.settings.schema import MqttSettings

TURNS = 200
MESSAGES = 3000
_TOPICS = Topics("voice_node", "bench")
_MOST_WAITING = 100
"""More than this is never offered at once: what waits beyond 200 would be dropped."""


def measure_throughput(folder: Path) -> list[Figure]:
    """Turns of a whole room with recordings in place of time; messages of the bridge alone."""
    return [*_turns(folder), *_messages(folder)]


def _turns(folder: Path) -> list[Figure]:
    with Broker() as broker, instant_server() as server:
        recording = write_sentences(folder / "fast.wav", TURNS)
        room = write_room(folder, server.port, broker.port, recording)
        command = [sys.executable, "-m", "voice_node", "replay", "--fast", str(room), str(recording)]
        node = subprocess.Popen(command, env=environment(folder), stderr=subprocess.DEVNULL)
        process = psutil.Process(node.pid)
        ends: list[tuple[float, float]] = []

        def note() -> None:
            times = process.cpu_times()
            ends.append((time.monotonic(), times.user + times.system))

        asyncio.run(watch_turns(broker.port, note))
        node.wait(60)
    (first_at, first_cpu_s), (last_at, last_cpu_s) = ends[0], ends[-1]
    count = len(ends) - 1
    per_s = count / (last_at - first_at)
    return [
        Figure("turns of one process, one after the other", per_s, "turns/s", note=f"{count} turns of 1.9 s of sound"),
        Figure("CPU for a turn, its sound included", (last_cpu_s - first_cpu_s) * 1000 / count, "ms"),
    ]


def _messages(folder: Path) -> list[Figure]:
    now = datetime.now(UTC)
    kept = [
        _encoded(Transcript(f"turn-{number}", f"item-{number}", "user", "Turn on the light.", True, now, now))
        for number in range(MESSAGES)
    ]
    passing = [
        _encoded(Happening(EventType.RESPONSE, {"status": "completed"}, f"turn-{number}")) for number in range(MESSAGES)
    ]
    with Broker() as broker, _hearer(broker.port):
        bare = _bare(broker.port, passing)
        through = asyncio.run(_through_bridge(broker.port, folder / "passing", passing))
        written = asyncio.run(_through_bridge(broker.port, folder / "kept", kept))
    window = f"{MESSAGES} messages, {MOST_IN_FLIGHT} in flight"
    figures = []
    for way, speed in (("bare paho", bare), ("the bridge", through), ("the bridge and the outbox on disk", written)):
        figures += [
            Figure(f"messages through {way}", speed.per_s, "messages/s", note=window),
            Figure(f"CPU for a message through {way}", speed.cpu_us, "µs"),
        ]
    return [*figures, Figure("CPU of the bridge against bare paho", through.cpu_us / bare.cpu_us, "x")]


@dataclass(frozen=True, slots=True)
class _Speed:
    per_s: float
    cpu_us: float
    """Of this process, for a message."""

    @classmethod
    def since(cls, began: float, began_cpu: float) -> Self:
        """All messages are out."""
        elapsed_s, cpu_s = time.monotonic() - began, time.process_time() - began_cpu
        return cls(MESSAGES / elapsed_s, cpu_s * 1e6 / MESSAGES)


def _encoded(report: Report) -> Message:
    messages = encode(report, _TOPICS, datetime.now(UTC))
    assert isinstance(messages, tuple)
    return messages[0]


async def _through_bridge(port: int, directory: Path, messages: list[Message]) -> _Speed:
    online = asyncio.Event()
    bridge = Bridge(MqttSettings(port=port), None, _TOPICS, "bench", directory, lambda _: online.set())
    await bridge.start()
    await online.wait()
    began, began_cpu = time.monotonic(), time.process_time()
    for message in messages:
        await _waiting_below(_MOST_WAITING, bridge)
        bridge.offer(message)
    await _waiting_below(1, bridge)
    speed = _Speed.since(began, began_cpu)
    counts = bridge.counts()
    await bridge.stop()
    if counts["dropped"] or counts["unheard"] or counts["parked"]:
        raise RuntimeError(f"not all was delivered: {json.dumps(counts)}")
    return speed


async def _waiting_below(count: int, bridge: Bridge) -> None:
    while bridge.counts()["waiting"] >= count:  # noqa: ASYNC110 - the bridge signals nobody
        await asyncio.sleep(0.001)


def _bare(port: int, messages: list[Message]) -> _Speed:
    client = new_client("bare")
    client.max_inflight_messages_set(MOST_IN_FLIGHT)
    client.connect("127.0.0.1", port)
    client.loop_start()
    began, began_cpu = time.monotonic(), time.process_time()
    last = [client.publish(message.topic, message.payload, message.qos) for message in messages][-1]
    last.wait_for_publish(60)
    speed = _Speed.since(began, began_cpu)
    client.disconnect()
    client.loop_stop()
    return speed


@contextmanager
def _hearer(port: int) -> Iterator[None]:
    """Somebody must listen: what nobody hears is kept back."""
    command = ["mosquitto_sub", "-p", str(port), "-q", "1", "-t", "voice_node/#", "-t", "ready", "-v"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as hearer:
        subprocess.run(["mosquitto_pub", "-p", str(port), "-t", "ready", "-m", "yes", "-r"], check=True)
        assert hearer.stdout is not None
        hearer.stdout.readline()
        drain = subprocess.Popen(["cat"], stdin=hearer.stdout, stdout=subprocess.DEVNULL)
        yield
        hearer.terminate()
        drain.wait()
