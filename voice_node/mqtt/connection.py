"""One connection to the broker, from the first packet to the end: the only module that knows paho.

Why a paho client serves one connection and is thrown away with it: paho keeps what was not acknowledged, sends it
again on its own reconnect whatever its message expiry says, and so lets an old tool call act late. A client that never
reconnects has nothing to send again; `Outgoing` alone decides what leaves twice. For the same reason each connection
starts clean at the broker (clean start, no session expiry): with a session, QoS 1 commands that piled up during an
outage would all act when it ends.

A thread connects, because the look-up of a name and the TLS handshake block; from then on the event loop drives paho,
whose socket never blocks. A thread that drove it would take Python's lock again for every few bytes, and so hold up
each turn by milliseconds. The callbacks leave a small value for the event loop's next round and return: paho is not
made to be called from within itself.
"""

import asyncio
import logging
import math
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from voice_node.mqtt.message import Incoming, Message
from voice_node.mqtt.outgoing import Blame
from voice_node.mqtt.tls import BROKEN_OFF, TidySocket, explain
from voice_node.settings.schema import MqttSettings

_log = logging.getLogger(__name__)

KEEPALIVE_S = 14
"""paho finds a frozen broker after twice this and a little, so within 30 s."""
_TICK_S = 1.0
"""So often paho looks whether it is time for a ping, or too late for its answer."""
_LARGEST_PACKET = 1024 * 1024
"""What is larger never leaves the broker (MQTT 5); between 64 KiB and this it comes, and is answered with an error."""
_DEFAULT_RECEIVE_MAXIMUM = 20
"""What mosquitto grants without saying so under MQTT 3.1.1."""
LOST = "the connection was lost"
_REFUSALS = {132: "the protocol version", 133: "the client id", 134: "the user name or the password"}
# mosquitto's word for a wrong password; others say so of a login without rights.
_REFUSALS |= {135: "this login: look at mqtt.username and the password"}
_REFUSALS |= {138: "this client (it is banned)", 140: "the authentication method"}
_BAD_PACKETS = frozenset({129, 130, 144, 147, 149, 150, 151, 153})
"""Malformed, protocol error, topic name, receive maximum, too large, rate, quota, payload format."""
_KEEPALIVE_TIMEOUT = 141
_SESSION_TAKEN_OVER = 142
_RESET = struct.pack("ii", 1, 0)
_NO_RESET = struct.pack("ii", 0, 0)
"""SO_LINGER."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The broker took the login."""

    receive_maximum: int
    """How many unacknowledged messages it takes."""
    largest_packet: int | None


@dataclass(frozen=True, slots=True)
class Subscribed:
    """The broker answered the subscription, filter by filter."""

    is_granted: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A message is settled: QoS 1 by the broker's word, QoS 0 by having been written."""

    ticket: int
    code: int
    """MQTT 5 reason code; 0 is success, 16 nobody has subscribed, from 128 on it was not taken."""


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing more comes."""

    detail: str
    is_refused: bool = False
    """The broker refuses this login or certificate."""
    blame: Blame = Blame.NONE


Event = Accepted | Subscribed | Acknowledged | Incoming | Ended


class Connection:
    """Connects once. Every event comes on the event loop; `Ended` comes exactly once and last.

    Args:
        settings: the broker; certificates are in `tls`.
        tls: what verifies the broker, or None for plain TCP.
        password: never shown.
        client_id: one client at a time may use it.
        will: what the broker publishes when this connection breaks, if anything.
        tell: hears the events.
    """

    def __init__(
        self,
        settings: MqttSettings,
        tls: ssl.SSLContext | None,
        password: str | None,
        client_id: str,
        will: Message | None,
        tell: Callable[[Event], None],
    ) -> None:
        self._settings = settings
        self._client_id = client_id
        self._tell = tell
        self._end = Ended(LOST)
        self._is_abandoned = False
        self._is_answered = False
        self._opened: socket.socket | None = None
        self._is_driven = False
        """The event loop drives paho: between the thread's work and the end."""
        self._tick: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client: Client | None = self._make_client(tls, password, will)

    def open(self) -> None:
        """Begin to connect, in a thread of its own: name look-up and TLS may take seconds."""
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._connect, name=f"mqtt {self._settings.host}", daemon=True).start()

    def subscribe(self, filters: Sequence[str], qos: Literal[0, 1] = 1, kept: Sequence[str] = ()) -> None:
        """Ask for all `filters` at this quality of service; `Subscribed` answers. `kept`: what is retained, too."""
        if self._client is None:
            return
        if self._is_version_5:
            # An old command must not act: what is retained is not even sent.
            news = SubscribeOptions(qos=qos, retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND)
            everything = SubscribeOptions(qos=qos)
            self._client.subscribe([(wanted, everything if wanted in kept else news) for wanted in filters])
        else:
            pairs: list[tuple[str, int]] = [(wanted, qos) for wanted in filters]
            self._client.subscribe(pairs)
        self._write()

    def publish(self, message: Message) -> int | None:
        """Send `message`; `Acknowledged` comes with the ticket that is returned. None: it was not sent."""
        if self._client is None:
            return None
        info = self._client.publish(
            message.topic, message.payload, message.qos, message.is_retained, self._properties(message)
        )
        self._write()
        return info.mid if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS else None

    def close(self) -> None:
        """Say goodbye: no will is published. `Ended` follows, unless the thread is stuck in connecting."""
        if self._client is not None:
            self._linger(_NO_RESET)  # the goodbye must arrive
            self._client.disconnect()
            self._write()

    def abandon(self, detail: str = "given up") -> None:
        """Drop the connection without goodbye: the broker publishes the will, and what has not left never does."""
        self._end = Ended(detail)
        self._is_abandoned = True
        if self._is_driven:
            self._leave()

    @property
    def _is_version_5(self) -> bool:
        return self._settings.protocol == 5

    def _make_client(self, tls: ssl.SSLContext | None, password: str | None, will: Message | None) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            self._client_id,
            clean_session=None if self._is_version_5 else True,
            protocol=MQTTProtocolVersion.MQTTv5 if self._is_version_5 else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
        )
        if self._settings.username is not None:
            client.username_pw_set(self._settings.username, password)
        if tls is not None:
            client.tls_set_context(tls)
        if will is not None:
            client.will_set(will.topic, will.payload, will.qos, will.is_retained)
        client.on_socket_open = self._on_socket_open
        client.on_socket_close = self._on_socket_close
        client.on_socket_register_write = self._on_write_wanted
        client.on_socket_unregister_write = self._on_nothing_to_write
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        client.on_disconnect = self._on_disconnect
        return client

    def _properties(self, message: Message) -> Properties | None:
        if not self._is_version_5:
            return None
        properties = _new_properties(PacketTypes.PUBLISH)
        if message.expiry_s is not None:
            properties.MessageExpiryInterval = max(1, math.ceil(message.expiry_s))
        if message.response_topic is not None:
            properties.ResponseTopic = message.response_topic
        if message.correlation is not None:
            properties.CorrelationData = message.correlation
        return properties

    def _connect(self) -> None:
        """The thread: connects, and leaves the rest to the event loop."""
        client = self._client
        assert client is not None
        is_connected = False
        try:
            self._log_in(client)
            is_connected = True
        except ssl.SSLError as error:
            self._end = Ended(*explain(error, self._settings.host))
        except OSError as error:
            is_broken_off = isinstance(error, ConnectionResetError) and self._settings.tls is not None
            why = f"cannot connect: {error.strerror or type(error).__name__}"
            self._end = Ended(BROKEN_OFF if is_broken_off else why)
        except UnicodeError:  # from the look-up of a name with an empty or overlong label
            self._end = Ended("cannot connect: `mqtt.host` is no host name")
        assert self._loop is not None
        with suppress(RuntimeError):  # the event loop is closed: nobody is left to tell
            self._loop.call_soon_threadsafe(self._drive, is_connected)

    def _log_in(self, client: Client) -> None:
        if self._is_version_5:
            properties = _new_properties(PacketTypes.CONNECT)
            properties.MaximumPacketSize = _LARGEST_PACKET
            client.connect(
                self._settings.host, self._settings.port, KEEPALIVE_S, clean_start=True, properties=properties
            )
        else:
            client.connect(self._settings.host, self._settings.port, KEEPALIVE_S)

    # From here on: the event loop.

    def _drive(self, is_connected: bool) -> None:
        if not is_connected:
            self._finish()
            return
        assert self._loop is not None
        assert self._opened is not None
        self._is_driven = True
        if self._is_abandoned:
            self._leave()
            return
        self._loop.add_reader(self._opened, self._read)
        self._loop.add_writer(self._opened, self._write)  # the login waits to be sent
        self._watch()

    def _watch(self) -> None:
        assert self._loop is not None
        self._tick = self._loop.call_later(_TICK_S, self._watch)
        if self._client is not None:
            self._client.loop_misc()

    def _read(self) -> None:
        if self._client is None or not self._is_driven:
            return
        self._client.loop_read()
        if isinstance(self._opened, ssl.SSLSocket) and self._opened.fileno() >= 0 and self._opened.pending():
            self._post(self._read)  # it lies in TLS's own buffer, of which the selector knows nothing

    def _write(self) -> None:
        if self._client is not None and self._is_driven:
            self._client.loop_write()

    def _leave(self) -> None:
        """Drop the connection, whatever paho thinks of it."""
        assert self._opened is not None
        self._detach(self._opened)
        self._opened.close()

    def _detach(self, opened: socket.socket) -> None:
        """The last that the event loop does with this socket, which is about to be closed."""
        assert self._loop is not None
        self._is_driven = False
        self._loop.remove_reader(opened)
        self._loop.remove_writer(opened)
        if self._tick is not None:
            self._tick.cancel()
        self._post(self._finish)

    def _finish(self) -> None:
        self._client = None  # breaks the cycle with its callbacks
        self._tell(self._end)

    def _post(self, call: Callable[..., None], *args: Event) -> None:
        assert self._loop is not None
        self._loop.call_soon(call, *args)

    # paho's callbacks.

    def _on_socket_open(self, client: Client, userdata: object, opened: object) -> None:
        # Without it a tool call's round trip takes 88 ms instead of 0.6 (Nagle against delayed acknowledgements).
        assert isinstance(opened, socket.socket)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._opened = opened
        # What a stalled network holds back must not leave after the end, not even when this process is killed.
        self._linger(_RESET)

    def _on_socket_close(self, client: Client, userdata: object, opened: object) -> None:
        if self._is_driven:
            assert isinstance(opened, socket.socket)
            self._detach(opened)

    def _on_write_wanted(self, client: Client, userdata: object, opened: object) -> None:
        if self._is_driven and self._loop is not None:
            assert isinstance(opened, socket.socket)
            self._loop.add_writer(opened, self._write)

    def _on_nothing_to_write(self, client: Client, userdata: object, opened: object) -> None:
        if self._is_driven and self._loop is not None:
            assert isinstance(opened, socket.socket)
            self._loop.remove_writer(opened)

    def _linger(self, how: bytes) -> None:
        if self._opened is not None:
            with suppress(OSError):  # it is closed already
                self._opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, how)

    def _on_connect(
        self, client: Client, userdata: object, flags: ConnectFlags, code: ReasonCode, properties: Properties | None
    ) -> None:
        self._is_answered = True
        if code.is_failure:
            what = _REFUSALS.get(code.value)
            detail = f"the broker refuses {what}" if what else f"the broker refuses for now: {code}"
            self._end = Ended(f"{detail} (client id {self._client_id})", is_refused=what is not None)
        else:
            receive_maximum = getattr(properties, "ReceiveMaximum", _DEFAULT_RECEIVE_MAXIMUM)
            self._post(self._tell, Accepted(receive_maximum, getattr(properties, "MaximumPacketSize", None)))

    def _on_subscribe(
        self, client: Client, userdata: object, mid: int, codes: list[ReasonCode], properties: Properties | None
    ) -> None:
        self._post(self._tell, Subscribed(tuple(not code.is_failure for code in codes)))

    def _on_publish(self, client: Client, userdata: object, mid: int, code: ReasonCode, properties: Properties) -> None:
        self._post(self._tell, Acknowledged(mid, code.value))

    def _on_message(self, client: Client, userdata: object, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return
        response_topic = getattr(message.properties, "ResponseTopic", None)
        correlation = getattr(message.properties, "CorrelationData", None)
        incoming = Incoming(topic, bytes(message.payload), bool(message.retain), response_topic, correlation)
        self._post(self._tell, incoming)

    def _on_disconnect(
        self, client: Client, userdata: object, flags: DisconnectFlags, code: ReasonCode, properties: Properties | None
    ) -> None:
        # paho ends the connection by itself, as a protocol error, on an acknowledgement whose reason it does not know:
        # mosquitto's "packet too large" is one. That is blamed on what was sent, too.
        blame = Blame.CERTAIN if code.value in _BAD_PACKETS else Blame.NONE
        fault = self._opened.fault if isinstance(self._opened, TidySocket) else None
        if self._is_abandoned or self._end.is_refused:
            return
        if fault is not None:
            self._end = Ended(*explain(fault, self._settings.host))
        elif code.value == _SESSION_TAKEN_OVER:
            self._end = Ended(f"another client has logged in with the same client id, {self._client_id}")
        elif flags.is_disconnect_packet_from_server:
            self._end = Ended(f"the broker ended the connection: {code}", blame=blame)
        elif code.value == _KEEPALIVE_TIMEOUT:
            self._end = Ended("the broker does not answer any more")
        elif not self._is_answered:
            wanted = "TLS" if self._settings.tls is None else "another certificate"
            self._end = Ended(f"the broker closed the connection without an answer: does this port want {wanted}?")
        else:
            is_mute = not self._is_version_5  # MQTT 3.1.1 has no reasons
            self._end = Ended(self._end.detail, blame=Blame.POSSIBLE if is_mute and blame is Blame.NONE else blame)


def _new_properties(packet_type: int) -> Properties:
    return Properties(packet_type)  # type: ignore[no-untyped-call]  # paho leaves its constructor untyped
