"""Home automation with a thread of its own: executes whatever it is asked to, at once, and answers it."""

import json
import socket
import threading
from abc import ABC, abstractmethod

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode


class AnsweringHome(ABC):
    """Hears `wanted`, and comes back by itself within a second. A subclass says in `note` what it keeps of that."""

    def __init__(self, port: int, *wanted: str) -> None:
        self.lock = threading.Lock()
        self._wanted = [(name, 1) for name in wanted]
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message
        self._client.on_socket_open = _send_at_once
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def close(self) -> None:
        """Leave."""
        self._client.disconnect()
        self._client.loop_stop()
        self._client.on_connect = self._client.on_message = None

    def publish(self, topic: str, **content: str) -> None:
        """Send it at quality of service 1."""
        self._client.publish(topic, json.dumps(content), 1)

    @abstractmethod
    def note(self, topic: str, payload: bytes) -> None:
        """One message; called on the client's thread, with `lock` held."""

    def _on_connect(
        self, client: Client, userdata: object, flags: ConnectFlags, code: ReasonCode, properties: Properties | None
    ) -> None:
        client.subscribe(self._wanted)

    def _on_message(self, client: Client, userdata: object, message: MQTTMessage) -> None:
        with self.lock:
            self.note(message.topic, bytes(message.payload))
        if message.topic.endswith("/call"):
            call_id = json.loads(message.payload)["call_id"]
            self.publish(message.topic.removesuffix("call") + "result", call_id=call_id, output="done")


def _send_at_once(client: Client, userdata: object, opened: object) -> None:
    """An answer shall not wait until the acknowledgement before it is acknowledged: 40 ms a call."""
    assert isinstance(opened, socket.socket)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
