"""Simulated rooms: paho clients that say what a room says when somebody speaks in it now and then.

usage: python -m tests.benchmarks.crowd PORT FIRST COUNT TURN_EVERY_S

One selector serves all clients of a process. Prints `begin` with the monotonic clock before the first connects; ends
with its standard input, and then prints the times from a call to its result as JSON. Messages are made by the project's
own encoder: topics, sizes, retain flags and quality of service are the contract's.
"""

import json
import resource
import selectors
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from voice_node.model.report import (
    CallReport,
    Discovery,
    EventType,
    GateOpen,
    Happening,
    Health,
    Info,
    LastWords,
    NodeState,
    Report,
    SettingState,
    State,
    Usages,
)
from voice_node.model.turn import Transcript
from voice_node.mqtt.discovery import document
from voice_node.mqtt.encode import encode
from voice_node.mqtt.topics import Topics
from voice_node.settings.schema import RoomSettings

HEALTH_EVERY_S = 60.0
KEEPALIVE_S = 14
_TICK_S = 0.01
_GOLDEN = 0.618034
"""However many rooms there are, multiples of it spread them evenly over time."""
_TOOL = {
    "name": "set_light",
    "description": "Switch a light on or off.",
    "parameters": {"type": "object", "properties": {"area": {"type": "string"}, "state": {"type": "string"}}},
}
_TOKENS = {"text": 1200, "audio": 5400, "image": 0, "cached_text": 800, "cached_audio": 3000}
_USAGE = {
    "date": "2026-01-01", "turns": 40, "tool_calls": 31, "captured_s": 40000.0, "streamed_s": 210.5, "usd": 0.31,
    "budget_usd": 1.0, "transcription_s": 190.2, "input_tokens": _TOKENS, "output_tokens": _TOKENS,
}  # fmt: skip
_HEALTH = {
    "uptime_s": 4000, "rss_mb": 66.1, "cpu_percent": 0.9, "lost_frames": 0, "noise_floor_db": -61.2, "captured_s": 60.0,
    "session_reconnects": 1, "broker": {"reconnects": 0, "waiting": 0, "kept": 0, "dropped": 0, "unheard": 0},
}  # fmt: skip
_INFO = {
    "version": "0.1.0", "protocol": 5, "provider": "openai", "model": "gpt-realtime", "session": "sess_0123456789",
    "dialect": "ga", "tools": ["set_light"], "configuration": "0" * 16, "capabilities": ["say", "ask", "listen"],
}  # fmt: skip
_TIMINGS = {"commit": 12, "transcript": 410, "tool_call": 620, "first_sound": 1100, "done": 2900}


class SimulatedRoom:
    """One client. `step` says what is due; `service` moves bytes."""

    def __init__(self, number: int, turn_every_s: float) -> None:
        settings = RoomSettings.model_validate({"room": f"room-{number}", "tools": [_TOOL]})
        self.topics = Topics("voice_node", settings.room)
        self.round_trips_ms: list[float] = []
        self._discovery = document(settings, self.topics, "0.1.0")
        self._turn_every_s = turn_every_s
        self._phase = number * _GOLDEN % 1
        self._turns = 0
        self._called_at = 0.0
        self._due: list[tuple[float, Callable[[], Iterator[Report]]]] = []
        self._client = new_client(f"crowd-{number}")
        self._client.will_set(self.topics.availability, b"offline", 1, retain=True)
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message

    def connect(self, port: int) -> socket.socket:
        """Blocks for a moment; the socket is to be watched."""
        self._client.connect("127.0.0.1", port, KEEPALIVE_S, clean_start=True)
        connection = self._client.socket()
        assert isinstance(connection, socket.socket)
        return connection

    def read(self) -> None:
        """There are bytes."""
        self._client.loop_read()
        self._flush()

    def step(self, now: float) -> None:
        """Say what is due."""
        while self._due and self._due[0][0] <= now:
            _, what = self._due.pop(0)
            for report in what():
                self._tell(report)
        self._flush()

    def look_after(self) -> None:
        """Once a second: the client's own keep-alive."""
        self._client.loop_misc()
        self._flush()

    def leave(self) -> None:
        """Say goodbye."""
        self._client.disconnect()
        self._flush()

    def _flush(self) -> None:
        while self._client.want_write():
            self._client.loop_write()

    def _on_connect(
        self, client: Client, _data: object, _flags: ConnectFlags, code: ReasonCode, _more: Properties | None
    ) -> None:
        if code.is_failure:
            raise RuntimeError(f"the broker refuses a room: {code}")
        client.subscribe([(wanted, 1) for wanted in self.topics.subscriptions])
        client.publish(self.topics.availability, b"online", 1, retain=True)
        now = datetime.now(UTC)
        for report in (
            Discovery(self._discovery),
            State(NodeState.IDLE, now),
            Usages(_USAGE),
            Health(_HEALTH),
            SettingState("mute", "OFF"),
            SettingState("volume", 60),
            SettingState("gate_snr_db", 5),
            SettingState("hang_over_ms", 500),
            SettingState("follow_up_ms", 8000),
            SettingState("budget_usd", 1.0),
            Info(_INFO),  # the last one: whoever has it has all
        ):
            self._tell(report)
        self._plan(self._phase * HEALTH_EVERY_S, self._healthy)
        self._plan(self._phase * self._turn_every_s, self._hear_speech)

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        if message.topic.endswith("/result"):
            self.round_trips_ms.append((time.monotonic() - self._called_at) * 1000)
            self._plan(0.4, self._answer)

    def _plan(self, after_s: float, what: Callable[[], Iterator[Report]]) -> None:
        self._due.append((time.monotonic() + after_s, what))
        self._due.sort(key=lambda due: due[0])

    def _tell(self, report: Report) -> None:
        messages = encode(report, self.topics, datetime.now(UTC))
        assert isinstance(messages, tuple), messages
        for message in messages:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho leaves it untyped
            if message.expiry_s is not None:
                properties.MessageExpiryInterval = int(message.expiry_s) + 1
            if message.response_topic is not None:
                properties.ResponseTopic = message.response_topic
                properties.CorrelationData = message.correlation
            self._client.publish(message.topic, message.payload, message.qos, message.is_retained, properties)

    # A turn, as a node tells it.

    @property
    def _turn_id(self) -> str:
        return f"{self.topics.room}-{self._turns}"

    def _healthy(self) -> Iterator[Report]:
        self._plan(HEALTH_EVERY_S, self._healthy)
        yield Health(_HEALTH)
        yield Usages(_USAGE)

    def _hear_speech(self) -> Iterator[Report]:
        self._plan(self._turn_every_s, self._hear_speech)
        self._turns += 1
        self._plan(1.6, self._hear_silence)
        yield GateOpen(is_open=True)
        yield State(NodeState.LISTENING, datetime.now(UTC), self._turn_id)

    def _hear_silence(self) -> Iterator[Report]:
        self._plan(0.6, self._understand)
        yield GateOpen(is_open=False)
        segment = {"duration_ms": 1600, "voiced_ms": 1200, "snr_db": 21.5}
        yield Happening(EventType.SEGMENT, segment, self._turn_id)
        yield State(NodeState.THINKING, datetime.now(UTC), self._turn_id)

    def _understand(self) -> Iterator[Report]:
        yield from self._words("user", "Turn on the light in the kitchen.")
        now = datetime.now(UTC)
        call_id, arguments = f"call-{self._turn_id}", {"area": "kitchen", "state": "on"}
        yield Happening(EventType.TOOL_CALL, {"call_id": call_id, "name": "set_light"} | arguments, self._turn_id)
        self._called_at = time.monotonic()
        yield CallReport(call_id, self._turn_id, "set_light", arguments, now, now + timedelta(seconds=5))

    def _answer(self) -> Iterator[Report]:
        self._plan(1.5, self._finish)
        result = {"call_id": f"call-{self._turn_id}", "name": "set_light", "status": "ok", "duration_ms": 3}
        yield Happening(EventType.TOOL_RESULT, result, self._turn_id)
        yield from self._words("assistant", "The light in the kitchen is on.")
        yield Happening(EventType.RESPONSE, {"status": "completed"}, self._turn_id)
        yield State(NodeState.SPEAKING, datetime.now(UTC), self._turn_id)

    def _finish(self) -> Iterator[Report]:
        fields: dict[str, Any] = {"status": "completed", "timings_ms": _TIMINGS, "usage": _TOKENS, "usd": 0.008}
        yield Happening(EventType.TURN_FINISHED, fields, self._turn_id)
        yield Usages(_USAGE)
        yield State(NodeState.IDLE, datetime.now(UTC))

    def _words(self, role: Any, text: str) -> Iterator[Report]:
        now = datetime.now(UTC)
        words = Transcript(self._turn_id, f"{self._turn_id}-{role}", role, text, True, now, now, "en", 0.93, "openai")
        yield words
        yield LastWords(role, words)
        yield Happening(EventType.TRANSCRIPT, {"role": role, "text": text}, self._turn_id)


def new_client(name: str) -> Client:
    """MQTT 5, and nothing waits for more to send."""
    protocol = MQTTProtocolVersion.MQTTv5
    client = Client(CallbackAPIVersion.VERSION2, name, protocol=protocol, reconnect_on_failure=False)
    client.on_socket_open = _hurry
    return client


def raise_file_limit() -> None:
    """Each client needs three files, and the broker one for each."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _hurry(_client: Client, _data: object, connection: object) -> None:
    assert isinstance(connection, socket.socket)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _main(port: int, first: int, count: int, turn_every_s: float) -> None:
    raise_file_limit()
    rooms = [SimulatedRoom(number, turn_every_s) for number in range(first, first + count)]
    print(json.dumps({"begin": time.monotonic()}), flush=True)
    is_over = threading.Event()
    threading.Thread(target=_wait_for_the_end, args=(is_over,), daemon=True).start()
    with selectors.DefaultSelector() as selector:
        for room in rooms:
            selector.register(room.connect(port), selectors.EVENT_READ, room)
            _serve(selector, 0.0)
        looked_at = 0.0
        while not is_over.is_set():
            _serve(selector, _TICK_S)
            now = time.monotonic()
            for room in rooms:
                room.step(now)
            if now - looked_at >= 1:
                looked_at = now
                for room in rooms:
                    room.look_after()
    for room in rooms:
        room.leave()
    print(json.dumps({"round_trips_ms": [wait for room in rooms for wait in room.round_trips_ms]}), flush=True)


def _wait_for_the_end(is_over: threading.Event) -> None:
    sys.stdin.read()
    is_over.set()


def _serve(selector: selectors.BaseSelector, timeout_s: float) -> None:
    for key, _ in selector.select(timeout_s):
        room = key.data
        assert isinstance(room, SimulatedRoom)
        room.read()


if __name__ == "__main__":
    _main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
