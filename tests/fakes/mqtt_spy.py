"""Somebody else at the broker: hears everything, and publishes what a test wants."""

import asyncio
import json
import socket
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions


@dataclass(frozen=True, slots=True)
class Seen:
    """One message as a subscriber gets it."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    """As it was published, not as it was stored: MQTT 5's retain-as-published."""
    expiry_s: int | None = None
    response_topic: str | None = None
    correlation: bytes | None = None

    @property
    def json(self) -> Any:
        """The payload, parsed."""
        return json.loads(self.payload)


class MqttSpy:
    """`async with MqttSpy(port) as spy:`; subscribed to `wanted` when the block begins. It does not reconnect."""

    def __init__(
        self, port: int, *, wanted: str = "#", username: str | None = None, password: str | None = None
    ) -> None:
        self.messages: list[Seen] = []
        self._port = port
        self._wanted = wanted
        self._client = Client(
            CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5, reconnect_on_failure=False
        )
        if username is not None:
            self._client.username_pw_set(username, password)
        self._client.on_socket_open = _without_delay
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_ready = asyncio.Event()
        self._news = asyncio.Condition()
        self._notifications: set[asyncio.Task[None]] = set()

    async def wait_for(self, predicate: Callable[[Seen], bool], timeout: float = 30.0) -> Seen:  # noqa: ASYNC109  # the deadline is the test's
        """The first message for which `predicate` holds, already seen or still to come; TimeoutError after that."""
        async with asyncio.timeout(timeout), self._news:
            while True:
                for seen in self.messages:
                    if predicate(seen):
                        return seen
                await self._news.wait()

    async def wait_for_topic(self, topic: str, timeout: float = 30.0) -> Seen:  # noqa: ASYNC109  # the deadline is the test's
        """The first message on `topic`."""
        return await self.wait_for(lambda seen: seen.topic == topic, timeout)

    def on(self, topic: str) -> list[Seen]:
        """What has come on `topic` so far."""
        return [seen for seen in self.messages if seen.topic == topic]

    async def publish(
        self,
        topic: str,
        payload: bytes | str = b"",
        *,
        qos: int = 1,
        retain: bool = False,
        response_topic: str | None = None,
        correlation: bytes | None = None,
    ) -> None:
        """Publish, and wait until the broker has it."""
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho leaves it untyped
        if response_topic is not None:
            properties.ResponseTopic = response_topic
        if correlation is not None:
            properties.CorrelationData = correlation
        info = self._client.publish(topic, payload, qos, retain, properties)
        await asyncio.to_thread(info.wait_for_publish, 10)
        assert info.is_published()

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        await asyncio.to_thread(self._client.connect, "127.0.0.1", self._port)
        self._client.loop_start()
        async with asyncio.timeout(10):
            await self._is_ready.wait()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)
        for name in ("on_connect", "on_subscribe", "on_message"):
            setattr(self._client, name, None)  # no cycle: its sockets close now

    def _on_connect(
        self, client: Client, userdata: object, flags: ConnectFlags, code: ReasonCode, properties: Properties | None
    ) -> None:
        client.subscribe(self._wanted, options=SubscribeOptions(qos=1, retainAsPublished=True))

    def _on_subscribe(
        self, client: Client, userdata: object, mid: int, codes: list[ReasonCode], properties: Properties | None
    ) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._is_ready.set)

    def _on_message(self, client: Client, userdata: object, message: MQTTMessage) -> None:
        assert self._loop is not None
        properties = message.properties
        seen = Seen(
            message.topic,
            bytes(message.payload),
            message.qos,
            bool(message.retain),
            getattr(properties, "MessageExpiryInterval", None),
            getattr(properties, "ResponseTopic", None),
            getattr(properties, "CorrelationData", None),
        )
        self._loop.call_soon_threadsafe(self._take, seen)

    def _take(self, seen: Seen) -> None:
        self.messages.append(seen)
        task = asyncio.ensure_future(self._notify())
        self._notifications.add(task)
        task.add_done_callback(self._notifications.discard)

    async def _notify(self) -> None:
        async with self._news:
            self._news.notify_all()


def _without_delay(client: Client, userdata: object, opened: object) -> None:
    assert isinstance(opened, socket.socket)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
