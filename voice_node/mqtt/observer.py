"""A visitor at the broker: hears topics and publishes, for people's commands and the demo. Not part of a room."""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from typing import Literal

from voice_node.model.errors import NodeError
from voice_node.mqtt.connection import Accepted, Acknowledged, Connection, Ended, Event, Subscribed
from voice_node.mqtt.message import Incoming, Message
from voice_node.mqtt.tls import tls_context
from voice_node.settings.schema import MqttSettings

FAREWELL_S = 2.0


class Unconnected(NodeError):
    """The broker cannot be used; the text says why."""


class Observer:
    """One connection; it does not come back by itself.

    Args:
        settings: the broker.
        password: of `settings.username`; never shown.
        filters: the topics to hear.
        tell: hears each message, on the event loop.
        qos: 0 for whoever hears much at once and may miss some: brokers queue no more than a thousand at 1.
        kept: those of `filters` of which MQTT 5 is to tell what is retained, too; 3.1.1 always does.
    """

    def __init__(
        self,
        settings: MqttSettings,
        password: str | None,
        filters: Sequence[str],
        tell: Callable[[Incoming], None],
        qos: Literal[0, 1] = 1,
        kept: Sequence[str] = (),
    ) -> None:
        self._settings = settings
        self._password = password
        self._filters = filters
        self._tell = tell
        self._qos = qos
        self._kept = kept
        self._connection: Connection | None = None
        self._ready: asyncio.Future[None] | None = None
        self._ended = asyncio.Event()

    async def start(self, timeout_s: float = 10.0) -> None:
        """Connect and subscribe; raises Unconnected."""
        self._ready = asyncio.get_running_loop().create_future()
        tls = None if self._settings.tls is None else await asyncio.to_thread(tls_context, self._settings.tls)
        name = f"{self._settings.base}-visitor-{secrets.token_hex(4)}"
        self._connection = Connection(self._settings, tls, self._password, name, None, self._hear)
        self._connection.open()
        is_ready = False
        try:
            async with asyncio.timeout(timeout_s):
                await self._ready
            is_ready = True
        except TimeoutError:
            place = f"{self._settings.host}:{self._settings.port}"
            raise Unconnected(f"the broker {place} does not answer within {timeout_s:.0f} s") from None
        finally:
            if not is_ready:  # also where somebody pressed Ctrl-C
                self._connection.abandon()

    async def stop(self) -> None:
        """Disconnect; a broker that hangs costs `FAREWELL_S`."""
        if self._connection is None:
            return
        self._connection.close()
        try:
            async with asyncio.timeout(FAREWELL_S):
                await self._ended.wait()
        except TimeoutError:
            self._connection.abandon()

    async def ended(self) -> None:
        """Return when the connection is over."""
        await self._ended.wait()

    def publish(self, message: Message) -> None:
        """Send a message, while connected."""
        if self._connection is not None:
            self._connection.publish(message)

    def _hear(self, event: Event) -> None:
        match event:
            case Accepted():
                if self._connection is not None:
                    self._connection.subscribe(self._filters, self._qos, self._kept)
            case Subscribed(is_granted):
                place = f"{self._settings.host}:{self._settings.port}"
                refused = Unconnected(f"the broker {place} refuses the subscription: check its access rules")
                self._settle(None if all(is_granted) else refused)
            case Incoming():
                self._tell(event)
            case Ended(detail):
                why = detail.partition(" (client id ")[0]  # a name for this once tells people nothing
                self._settle(Unconnected(f"the broker {self._settings.host}:{self._settings.port}: {why}"))
                self._ended.set()
            case Acknowledged():
                pass

    def _settle(self, error: Unconnected | None) -> None:
        if self._ready is None or self._ready.done():
            return
        if error is None:
            self._ready.set_result(None)
        else:
            self._ready.set_exception(error)
