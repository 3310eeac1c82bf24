"""What a room does, as figures for Prometheus: fed from what home automation is told, so no stage knows of it.

Reports tell three kinds of figures. Happenings are counted as they come. `usage` tells totals of a day, which begin
anew at midnight and survive restarts; `health` tells totals of this process: of both, what was added is counted, so
that a counter never jumps back. Labels are bounded: their values are ours, or the first `MOST_CODES` of a service's.
"""

import socket
import socketserver
from collections.abc import Mapping
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector, make_wsgi_app

from voice_node.model.report import EventType, GateOpen, Happening, Health, NodeState, Report, State, Usages
from voice_node.model.report import Info as RoomInfo

BUCKETS_S = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)
MOST_CODES = 64
"""Kinds of problems that are counted apart: a service may invent codes without end."""
QUESTION_S = 5.0
"""So long a client may be silent while it asks: there is one place at the desk."""


class Metrics:
    """The figures of one room since its start. `observe` belongs to one thread, reading to any."""

    def __init__(self, room: str) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._room = room
        self._days: dict[str, float] | None = None
        self._totals: dict[str, float] = {}
        self._codes: set[str] = set()
        self._turns = self._counter("turns", "Turns that ended, by how; lost ones had no answer", "status")
        self._latency = Histogram(
            "voice_node_turn_latency_seconds",
            "From the end of speech to each stage of a turn",
            ("room", "stage"),
            buckets=BUCKETS_S,
            registry=self.registry,
        )
        self._calls = self._counter("tool_calls", "Tool calls that were made, by what came of them", "outcome")
        self._call_time = Histogram(
            "voice_node_tool_call_seconds",
            "From a tool call to its answer",
            ("room",),
            buckets=BUCKETS_S,
            registry=self.registry,
        )
        self._problems = self._counter("problems", "What home automation was told to be wrong", "code")
        self._openings = self._counter("gate_openings", "How often the gate opened")
        self._cost = self._counter("cost_usd", "What the service costs, by the price table")
        self._tokens = self._counter(
            "tokens", "Tokens that the service counted; cached ones are part", "direction", "kind"
        )
        self._of_a_day = {
            "streamed_s": self._counter("streamed_seconds", "Sound that left the room"),
            "transcription_s": self._counter("transcription_seconds", "Sound that was transcribed for money"),
        }
        self._of_the_process = {
            "captured_s": self._counter("captured_seconds", "Sound that was listened to"),
            "lost_frames": self._counter("lost_frames", "Frames of the microphone that came to nothing"),
            "overruns": self._counter("capture_overruns", "How often the node was too slow for its microphone"),
            "underruns": self._counter("playback_underruns", "How often the node was too slow for its speaker"),
            "clipped_s": self._counter("clipped_seconds", "Sound that was too loud for the microphone"),
            "session_reconnects": self._counter("session_reconnects", "How often the session came back"),
            "broker_reconnects": self._counter("broker_reconnects", "How often the broker came back"),
            "broker_dropped": self._counter("broker_dropped_messages", "Messages that never reached the broker"),
        }
        self._floor = self._gauge("noise_floor_db", "How loud the room is when nobody speaks")
        self._waiting = self._gauge("waiting_messages", "Messages that wait for the broker")
        self._state = self._gauge("state", "1 for what the node does now", "state")
        self._info = Info("voice_node", "What this node is", ("room",), registry=self.registry)

    def observe(self, report: Report) -> None:
        """Count what a report tells; most tell nothing."""
        match report:
            case Happening():
                self._happened(report)
            case GateOpen(is_open=True):
                self._openings.labels(self._room).inc()
            case State(state):
                for one in NodeState:
                    self._state.labels(self._room, one.value).set(one is state)
            case Usages(content):
                self._count_day(content)
            case Health(content):
                self._count_health(content)
            case RoomInfo(content):
                facts = {key: str(content.get(key, "")) for key in ("version", "provider", "model", "dialect")}
                self._info.labels(self._room).info(facts)
            case _:
                pass

    def _happened(self, happening: Happening) -> None:
        fields = happening.fields
        match happening.event_type:
            case EventType.TURN_FINISHED:
                self._turns.labels(self._room, str(fields["status"])).inc()
                for stage, ms in fields["timings_ms"].items():
                    self._latency.labels(self._room, stage).observe(ms / 1000)
            case EventType.TOOL_RESULT:
                self._calls.labels(self._room, "done" if fields["is_ok"] else "failed").inc()
                self._call_time.labels(self._room).observe(fields["duration_ms"] / 1000)
            case EventType.ERROR:
                code = str(fields["code"])
                if code == "turn_lost":
                    self._turns.labels(self._room, "lost").inc()
                if len(self._codes) < MOST_CODES:
                    self._codes.add(code)
                self._problems.labels(self._room, code if code in self._codes else "others").inc()
            case _:
                pass

    def _count_day(self, content: Mapping[str, Any]) -> None:
        kinds = [
            (direction, kind, number)
            for direction in ("input", "output")
            for kind, number in content[f"{direction}_tokens"].items()
        ]
        now = {name: float(content[name]) for name in ("usd", *self._of_a_day)}
        now |= {f"{direction} {kind}": float(number) for direction, kind, number in kinds}
        before = now if self._days is None else self._days  # the first were counted before this start
        grown = {name: _growth(before.get(name, 0.0), value) for name, value in now.items()}
        self._days = now
        self._cost.labels(self._room).inc(grown["usd"])
        for name, counter in self._of_a_day.items():
            counter.labels(self._room).inc(grown[name])
        for direction, kind, _ in kinds:
            self._tokens.labels(self._room, direction, kind).inc(grown[f"{direction} {kind}"])

    def _count_health(self, content: Mapping[str, Any]) -> None:
        broker = content.get("broker", {})
        now = {**content, "broker_reconnects": broker.get("reconnects"), "broker_dropped": broker.get("dropped")}
        for name, counter in self._of_the_process.items():
            value = now.get(name)
            if value is not None:  # a recording knows no overrun
                counter.labels(self._room).inc(_growth(self._totals.get(name, 0.0), value))
                self._totals[name] = value
        if "noise_floor_db" in content:
            self._floor.labels(self._room).set(content["noise_floor_db"])
        if "waiting" in broker:
            self._waiting.labels(self._room).set(broker["waiting"])

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        counter = Counter(f"voice_node_{name}", text, ("room", *labels), registry=self.registry)
        if not labels:  # there from the start: Prometheus sees no growth in what it sees for the first time
            counter.labels(self._room)
        return counter

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"voice_node_{name}", text, ("room", *labels), registry=self.registry)


class MetricsServer:
    """Tells the figures over HTTP, to one client after the other, in a thread of its own."""

    def __init__(self, registry: CollectorRegistry, host: str, port: int) -> None:
        self._registry = registry
        self._host = host
        self._port = port
        self._server: WSGIServer | None = None
        self._thread: Thread | None = None

    def start(self) -> None:
        """Begin to listen; raises OSError where the address cannot be had."""
        family = _Desk6 if ":" in self._host else _Desk
        self._server = make_server(self._host, self._port, make_wsgi_app(self._registry), family, _Request)
        self._thread = Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Listen no more. Blocks for half a second, or until a client has its answer."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._server = None


class _Desk(WSGIServer):
    def server_bind(self) -> None:
        """Bind, without asking the network for this machine's name as HTTPServer does."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no news."""


class _Desk6(_Desk):
    address_family = socket.AF_INET6


class _Request(WSGIRequestHandler):
    timeout = QUESTION_S

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
        """Nobody reads who asked."""


def _growth(before: float, now: float) -> float:
    """What was added since; a total that fell has begun anew."""
    return now - before if now >= before else now
