"""The part `scale`: what a broker costs with 1, 10, 100 and 1,000 rooms, and how fast it delivers.

A room here is a client that says what a room says (`crowd`), with a turn a minute: much for a home. One more client is
the home, which hears everything and answers every call; another is the probe, whose messages to itself are timed.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil
from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from tests.benchmarks.crowd import new_client, raise_file_limit
from tests.benchmarks.measure import Figure, Finding, Skipped, percentile
from tests.fakes.broker import ABSENT, Broker

ROOMS = (1, 10, 100, 1000)
TURN_EVERY_S = 60.0
WATCH_S = 16.0
PROBE_EVERY_S = 0.05
_ROOMS_A_PROCESS = 500
_PATIENCE_S = 120.0
_FEWEST_CALLS = 50
"""Round trips, for a percentile to mean something."""
_KEPT = 12
"""Retained messages of a room."""
_PROBE = "voice_node/probe/event"
_PROBE_PAYLOAD = b"x" * 300

Callback = Callable[[Client, object, MQTTMessage], None]

CPU, MEMORY, RATE = "broker: CPU", "broker: resident memory", "messages to the home"
DELIVERY, ROUND_TRIP = "delivery", "call to result"
ONLINE, LISTENER = "all rooms online", "a new listener has all that is kept"


@dataclass(frozen=True, slots=True)
class Load:
    """What was found with so many rooms."""

    rooms: int
    cpu_percent: float
    rss_mb: float
    messages_per_s: float
    delivery_ms: Sequence[float]
    round_trips_ms: Sequence[float]
    online_s: float
    listener_s: float


def measure_scale(_folder: Path, sizes: Sequence[int] = ROOMS, watch_s: float = WATCH_S) -> list[Finding]:
    """Each number of rooms with a broker of its own."""
    if ABSENT:
        return [Skipped("scale", ABSENT)]
    raise_file_limit()
    return list(figures_of([_load(rooms, watch_s) for rooms in sizes]))


def figures_of(loads: Sequence[Load]) -> list[Figure]:
    """The figures of each size, and how the first and the last compare."""
    figures = []
    for load in loads:
        calls = len(load.round_trips_ms)
        found = [
            Figure(CPU, load.cpu_percent, "%", note="of one core"),
            Figure(MEMORY, load.rss_mb, "MB"),
            Figure(RATE, load.messages_per_s, "messages/s"),
            Figure(f"{DELIVERY}, p50", percentile(load.delivery_ms, 0.5), "ms"),
            Figure(
                f"{DELIVERY}, p99", percentile(load.delivery_ms, 0.99), "ms", note=f"{len(load.delivery_ms)} probes"
            ),
            Figure(ONLINE, load.online_s, "s", note="from the first connection to the last room's word"),
            Figure(LISTENER, load.listener_s, "s", note=f"{load.rooms * _KEPT} messages"),
        ]
        if calls >= _FEWEST_CALLS:
            found += [
                Figure(f"{ROUND_TRIP}, p50", percentile(load.round_trips_ms, 0.5), "ms"),
                Figure(f"{ROUND_TRIP}, p99", percentile(load.round_trips_ms, 0.99), "ms", note=f"{calls} calls"),
            ]
        figures += [_of(figure, load.rooms) for figure in found]
    return figures + _growth(loads)


def _of(figure: Figure, rooms: int) -> Figure:
    return Figure(figure.name, figure.value, figure.unit, figure.bound, figure.note, rooms)


def _growth(loads: Sequence[Load]) -> list[Figure]:
    """How cost grows between the two largest sizes: 1 is in proportion to the rooms."""
    if len(loads) < 2:
        return []
    less, more = loads[-2:]
    times = more.rooms / less.rooms
    name = f"from {less.rooms} to {more.rooms} rooms, against {times:g} times as much"
    kb = (more.rss_mb - less.rss_mb) * 1000 / (more.rooms - less.rooms)
    return [
        Figure(f"CPU {name}", more.cpu_percent / less.cpu_percent / times, "x"),
        Figure(f"messages {name}", more.messages_per_s / less.messages_per_s / times, "x"),
        Figure(f"memory of the broker for each room beyond {less.rooms}", kb, "kB"),
    ]


def _load(rooms: int, watch_s: float) -> Load:
    with ExitStack() as stack:
        broker = stack.enter_context(Broker())
        process = next(child for child in psutil.Process().children() if child.name() == "mosquitto")
        home = stack.enter_context(_Home(broker.port, rooms))
        starts = range(0, rooms, _ROOMS_A_PROCESS)
        crowds = [_crowd(broker.port, first, min(_ROOMS_A_PROCESS, rooms - first)) for first in starts]
        try:
            begun_at = min(_told(crowd)["begin"] for crowd in crowds)
            online_s = home.all_online_at() - begun_at
            listener_s = _listen_anew(broker.port, rooms * _KEPT)
            time.sleep(1)
            cpu_percent, per_s = _watch(process, home, watch_s)
            delivery_ms = _probe(broker.port, watch_s / 2)
            rss_mb = process.memory_info().rss / 1e6
        finally:
            round_trips_ms = [wait for crowd in crowds for wait in _end(crowd)]
    return Load(rooms, cpu_percent, rss_mb, per_s, delivery_ms, round_trips_ms, online_s, listener_s)


class _Home:
    """`crowd_home` in a process of its own."""

    def __init__(self, port: int, rooms: int) -> None:
        command = [sys.executable, "-m", "tests.benchmarks.crowd_home", str(port), str(rooms)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self._told()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=_PATIENCE_S)

    def all_online_at(self) -> float:
        """By the monotonic clock; blocks until they are."""
        return float(self._told())

    def heard(self) -> int:
        """Messages so far."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        return int(self._told())

    def _told(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


def _watch(broker: psutil.Process, home: "_Home", seconds: float) -> tuple[float, float]:
    spent_s, heard, began = _spent_s(broker), home.heard(), time.monotonic()
    time.sleep(seconds)
    lasted_s = time.monotonic() - began
    return 100 * (_spent_s(broker) - spent_s) / lasted_s, (home.heard() - heard) / lasted_s


def _spent_s(process: psutil.Process) -> float:
    """The scheduler's own count, in nanoseconds; what `psutil` reads is in hundredths of a second."""
    return int(Path(f"/proc/{process.pid}/schedstat").read_text().split()[0]) / 1e9


def _crowd(port: int, first: int, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.benchmarks.crowd", str(port), str(first), str(count), str(TURN_EVERY_S)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _told(crowd: subprocess.Popen[str]) -> dict[str, float]:
    assert crowd.stdout is not None
    told: dict[str, float] = json.loads(crowd.stdout.readline())
    return told


def _end(crowd: subprocess.Popen[str]) -> list[float]:
    told, _ = crowd.communicate(timeout=_PATIENCE_S)
    waits_ms: list[float] = json.loads(told.splitlines()[-1])["round_trips_ms"]
    return waits_ms


def _listen_anew(port: int, expected: int) -> float:
    """How long a new listener waits for `expected` retained messages."""
    count = 0
    has_all = threading.Event()

    def hear(_client: Client, _data: object, message: MQTTMessage) -> None:
        nonlocal count
        count += message.retain
        if count >= expected:
            has_all.set()

    began = time.monotonic()
    client = _listener(port, "late", hear, [("voice_node/#", 0), ("homeassistant/#", 0)])
    if not has_all.wait(_PATIENCE_S):
        raise RuntimeError(f"{count} of {expected} retained messages came")
    waited_s = time.monotonic() - began
    client.disconnect()
    client.loop_stop()
    return waited_s


def _probe(port: int, seconds: float) -> list[float]:
    """How long each message takes to the broker and back, one at a time."""
    waits_ms: list[float] = []
    came = threading.Event()
    client = _listener(port, "probe", lambda _client, _data, _message: came.set(), [(_PROBE, 1)])
    until_at = time.monotonic() + seconds
    while time.monotonic() < until_at:
        came.clear()
        began = time.monotonic()
        client.publish(_PROBE, _PROBE_PAYLOAD, qos=1)
        if not came.wait(_PATIENCE_S):
            raise RuntimeError("a probe was lost")
        waits_ms.append((time.monotonic() - began) * 1000)
        time.sleep(PROBE_EVERY_S)
    client.disconnect()
    client.loop_stop()
    return waits_ms


def _listener(port: int, name: str, hear: Callback, filters: list[tuple[str, int]]) -> Client:
    client = new_client(name)
    is_subscribed = threading.Event()

    def subscribe(
        _client: Client, _data: object, _flags: ConnectFlags, _code: ReasonCode, _more: Properties | None
    ) -> None:
        client.subscribe(filters)

    client.on_connect = subscribe
    client.on_subscribe = lambda *_: is_subscribed.set()
    client.on_message = hear
    client.connect("127.0.0.1", port)
    client.loop_start()
    if not is_subscribed.wait(_PATIENCE_S):
        raise RuntimeError("the broker does not answer")
    return client
