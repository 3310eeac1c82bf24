"""One connection to the broker, from the first packet to the end: the only module that knows paho.

Why a paho client serves one connection and is thrown away with it: paho keeps what was not acknowledged, sends it
again on its own reconnect whatever its message expiry says, and so lets an old tool call act late. A client that never
reconnects has nothing to send again; `Outgoing` alone decides what leaves twice. For the same reason each connection
starts clean at the broker (clean start, no session expiry): with a session, QoS 1 commands that piled up during an
outage would all act when it ends.

paho's loop runs in a thread of ours, which says that it ended whatever the reason; paho's own thread dies in silence
when a callback raises. The callbacks make a small value, hand it to the event loop and leave: they take no lock (paho
holds one in `on_publish`), decode nothing and wait for nothing.
"""

import asyncio
import logging
import math
import socket
import ssl
import struct
import threading
from collections import deque
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
_MOST_UNREAD = 256
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
        self.unread_dropped = 0
        """Incoming messages that were dropped because the event loop did not keep up."""
        self._settings = settings
        self._client_id = client_id
        self._tell = tell
        self._unread: deque[Incoming] = deque()
        self._end = Ended(LOST)
        self._is_abandoned = False
        self._is_answered = False
        self._opened: socket.socket | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client: Client | None = self._make_client(tls, password, will)

    def open(self) -> None:
        """Begin to connect, in a thread of its own: name look-up and TLS may take seconds."""
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._work, name=f"mqtt {self._settings.host}", daemon=True).start()

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

    def publish(self, message: Message) -> int | None:
        """Send `message`; `Acknowledged` comes with the ticket that is returned. None: it was not sent."""
        if self._client is None:
            return None
        info = self._client.publish(
            message.topic, message.payload, message.qos, message.is_retained, self._properties(message)
        )
        return info.mid if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS else None

    def close(self) -> None:
        """Say goodbye: no will is published. `Ended` follows, unless the thread is stuck in connecting."""
        if self._client is not None:
            self._linger(_NO_RESET)  # the goodbye must arrive
            self._client.disconnect()

    def abandon(self, detail: str = "given up") -> None:
        """Drop the connection without goodbye: the broker publishes the will, and what has not left never does."""
        self._end = Ended(detail)
        self._is_abandoned = True
        if self._opened is not None:
            # It wakes the thread. Not SSLSocket's own, which would let the thread write plain text from then on.
            with suppress(OSError):
                socket.socket.shutdown(self._opened, socket.SHUT_RD)

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
        client.on_socket_register_write = _do_nothing
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

    # From here on: paho's thread.

    def _work(self) -> None:
        client = self._client
        assert client is not None
        try:
            self._connect(client)
            while not self._is_abandoned and client.loop(1.0) == MQTTErrorCode.MQTT_ERR_SUCCESS:
                pass
        except ssl.SSLError as error:
            self._end = Ended(*explain(error, self._settings.host))
        except OSError as error:
            is_broken_off = isinstance(error, ConnectionResetError) and self._settings.tls is not None
            why = f"cannot connect: {error.strerror or type(error).__name__}"
            self._end = Ended(BROKEN_OFF if is_broken_off else why)
        except UnicodeError:  # from the look-up of a name with an empty or overlong label
            self._end = Ended("cannot connect: `mqtt.host` is no host name")
        finally:
            left_open = client.socket()
            if left_open is not None:
                left_open.close()
            self._post(self._finish)

    def _connect(self, client: Client) -> None:
        if self._is_version_5:
            properties = _new_properties(PacketTypes.CONNECT)
            properties.MaximumPacketSize = _LARGEST_PACKET
            client.connect(
                self._settings.host, self._settings.port, KEEPALIVE_S, clean_start=True, properties=properties
            )
        else:
            client.connect(self._settings.host, self._settings.port, KEEPALIVE_S)

    def _post(self, call: Callable[..., None], *args: Event) -> None:
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(call, *args)
        except RuntimeError:  # the event loop is closed: nobody is left to tell
            self._is_abandoned = True

    def _on_socket_open(self, client: Client, userdata: object, opened: object) -> None:
        # Without it a tool call's round trip takes 88 ms instead of 0.6 (Nagle against delayed acknowledgements).
        assert isinstance(opened, socket.socket)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._opened = opened
        # What a stalled network holds back must not leave after the end, not even when this process is killed.
        self._linger(_RESET)

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
        if len(self._unread) >= _MOST_UNREAD:
            self.unread_dropped += 1
            return
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return
        response_topic = getattr(message.properties, "ResponseTopic", None)
        correlation = getattr(message.properties, "CorrelationData", None)
        self._unread.append(Incoming(topic, bytes(message.payload), bool(message.retain), response_topic, correlation))
        self._post(self._read)

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

    # From here on: the event loop again.

    def _read(self) -> None:
        self._tell(self._unread.popleft())

    def _finish(self) -> None:
        self._client = None  # breaks the cycle with its callbacks, so that paho closes its wake-up sockets now
        self._tell(self._end)


def _new_properties(packet_type: int) -> Properties:
    return Properties(packet_type)  # type: ignore[no-untyped-call]  # paho leaves its constructor untyped


def _do_nothing(client: Client, userdata: object, opened: object) -> None:
    """With this callback set, `publish` leaves the writing to the thread instead of writing on the event loop."""
