"""The node's side of the broker: connects, stays, comes back, and says what became of each message.

Each connection: log in, subscribe, and only when the broker has granted that, say `online`, send the latest states and
then what waited. Between connections: 1 to 30 s, doubling, with jitter so that a house of nodes does not fall upon a
broker that restarts; 30 to 60 s where the broker refuses the login or its certificate is bad, because trying again
does not help. The gap grows until a connection has lasted, so that two clients with one id do not fight at full speed.
"""

import asyncio
import logging
import random
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import assert_never

from voice_node.model.command import BrokerChanged, BrokerRefused, Command, OutboxTrouble
from voice_node.mqtt.connection import LOST, Accepted, Acknowledged, Connection, Ended, Event, Subscribed
from voice_node.mqtt.decode import decode
from voice_node.mqtt.message import Incoming, Message
from voice_node.mqtt.outbox import Outbox
from voice_node.mqtt.outgoing import MOST_IN_FLIGHT, Kept, Outgoing
from voice_node.mqtt.tls import tls_context
from voice_node.mqtt.topics import Topics
from voice_node.settings.schema import MqttSettings

_log = logging.getLogger(__name__)

_SHORTEST_GAP_S = 1.0
_LONGEST_GAP_S = 30.0
_REFUSED_GAP_S = 30.0
_LASTING_S = 10.0
"""A connection that lived so long was a good one: the next gap is the shortest again."""
_FAREWELL_S = 1.0
_PROBE_S = 15.0
"""So often is what nobody heard tried again."""
_NO_SUBSCRIBER = 16
_FIRST_FAILURE = 128
_NOT_AUTHORISED = 135
_QUOTA_EXCEEDED = 151


_PATIENCE = 0.75
"""The part of a call's time in which the broker must have it."""


class Published(Enum):
    """What became of a message that must not wait."""

    DELIVERED = "delivered"
    """The broker has it. MQTT 3.1.1 brokers say so too when they threw it away."""
    UNHEARD = "unheard"
    """The broker has it, and nobody has subscribed to it (MQTT 5)."""
    UNREACHABLE = "unreachable"
    """It was not sent, and never will be."""
    TIMEOUT = "timeout"
    """It was sent, and no answer came: nobody knows whether it arrived. It is not sent again, nor does it arrive later:
    the connection is dropped with what it holds."""
    DENIED = "denied"
    """The broker's access rules forbid it (MQTT 5, reason code 135)."""
    REFUSED = "refused"
    """The broker cannot take it: too large, over quota, or another reason code from 128 on."""


class Bridge:
    """The connection to the broker that comes back.

    Args:
        settings: the section `mqtt`.
        password: of `settings.username`; never shown anywhere.
        topics: the room's topics.
        client_id: no other client may use it.
        directory: where what may wait is kept over restarts.
        tell: hears every command, on the event loop; it must not wait.
    """

    def __init__(
        self,
        settings: MqttSettings,
        password: str | None,
        topics: Topics,
        client_id: str,
        directory: Path,
        tell: Callable[[Command], None],
    ) -> None:
        self._settings = settings
        self._password = password
        self._topics = topics
        self._client_id = client_id
        self._tell = tell
        self._tls: ssl.SSLContext | None = None
        self._outbox = Outbox(directory, self._restored, self._outbox_trouble)
        self._outgoing = Outgoing(self._outbox)
        self._outgoing.offer(self._availability(b"online"), 0)  # the first of the latest: it opens every connection
        self._direct: dict[int, asyncio.Future[Published]] = {}
        self._most_direct = MOST_IN_FLIGHT
        self._has_place = asyncio.Event()
        self._largest_packet: int | None = None
        self._connection: Connection | None = None
        self._online_since: float | None = None
        self._ended = asyncio.Event()
        self._drained = asyncio.Event()
        self._retry: asyncio.TimerHandle | None = None
        self._probe: asyncio.TimerHandle | None = None
        self._gap_s = _SHORTEST_GAP_S
        self._is_stopping = False
        self._complained: set[str] = set()
        self._untold_trouble = ""
        """Of the outbox, while nobody could hear of it."""
        self._connects = 0
        self._denied = 0

    async def start(self) -> None:
        """Begin to connect; `BrokerChanged` tells what comes of it.

        Raises:
            ConfigError: a certificate file of `mqtt.tls` cannot be used.
        """
        if self._settings.tls is not None:
            self._tls = await asyncio.to_thread(tls_context, self._settings.tls)
        await self._outbox.open()
        self._connect()

    async def stop(self) -> None:
        """Send what is ready, say `offline`, and disconnect; a broker that does not answer costs about 3 s."""
        self._is_stopping = True
        for timer in (self._retry, self._probe):
            if timer is not None:
                timer.cancel()
        try:
            await self._leave()
        finally:
            await self._outbox.close()

    async def _leave(self) -> None:
        connection = self._connection
        if connection is None:
            return
        if self._online_since is None:
            connection.abandon()  # its thread may be stuck in connecting, and ends by itself
            return
        try:
            async with asyncio.timeout(_FAREWELL_S):
                while self._outgoing.waiting and self._online_since is not None:
                    self._drained.clear()
                    await self._drained.wait()
        except TimeoutError:
            _log.warning("The broker did not take all messages before the end")
        farewell = await self.publish(self._availability(b"offline"), _FAREWELL_S)
        if farewell in (Published.DELIVERED, Published.UNHEARD):
            connection.close()
        else:
            connection.abandon()  # without goodbye, so that the broker publishes the will
        try:
            async with asyncio.timeout(_FAREWELL_S + 0.5):
                await self._ended.wait()
        except TimeoutError:
            connection.abandon()

    async def publish(self, message: Message, timeout_s: float = 5.0) -> Published:
        """Send `message` now or never, and say what became of it; for tool calls."""
        message = await self._take_place(message, timeout_s)
        if self._connection is None or self._online_since is None or len(self._direct) >= self._most_direct:
            return Published.UNREACHABLE
        if self._is_too_large(message):
            self._complain(message, "larger than the broker takes")
            return Published.REFUSED
        if message.expiry_s is not None and message.expiry_s <= 0:
            return Published.TIMEOUT  # its time went by on the way here
        ticket = self._connection.publish(message)
        if ticket is None:
            return Published.UNREACHABLE
        settled: asyncio.Future[Published] = asyncio.get_running_loop().create_future()
        self._direct[ticket] = settled
        connection = self._connection
        try:
            async with asyncio.timeout(_patience_s(message, timeout_s)):
                result = await settled
        except TimeoutError:
            result = Published.TIMEOUT
            connection.abandon("the broker did not acknowledge a message in time")
        finally:
            del self._direct[ticket]
            self._has_place.set()
        if result is Published.DENIED:
            self._denied += 1
            self._complain(message, "forbidden by the broker's access rules")
        return result

    async def _take_place(self, message: Message, timeout_s: float) -> Message:
        """Wait while the broker has as many to acknowledge as it takes; `message` with what is left of its time.

        The policy bounds how many calls there are.
        """
        clock = asyncio.get_running_loop().time
        begun = clock()
        with suppress(TimeoutError):
            async with asyncio.timeout(_patience_s(message, timeout_s)):
                while self._online_since is not None and len(self._direct) >= self._most_direct:
                    self._has_place.clear()
                    await self._has_place.wait()
        left_s = None if message.expiry_s is None else message.expiry_s - (clock() - begun)
        return replace(message, expiry_s=left_s)

    def offer(self, message: Message) -> None:
        """Send `message` in its turn; the rules of `Outgoing` say what may wait."""
        self._outgoing.offer(message, self._now_ms())
        self._pump()

    def counts(self) -> dict[str, int]:
        """For `health`: how often it came back, what waits, and what was lost."""
        return {
            "reconnects": max(0, self._connects - 1),
            "waiting": self._outgoing.waiting,
            "kept": self._outgoing.kept,
            "dropped": self._outgoing.dropped,
            "unheard": self._outgoing.unheard,
            "parked": self._outgoing.parked,
            "denied": self._denied,
        }

    def _connect(self) -> None:
        self._ended.clear()
        will = self._availability(b"offline")
        connection = Connection(
            self._settings,
            self._tls,
            self._password,
            self._client_id,
            will,
            lambda event: self._hear(connection, event),
        )
        self._connection = connection
        connection.open()

    def _hear(self, connection: Connection, event: Event) -> None:
        if self._is_stopping and not isinstance(event, Acknowledged | Ended):
            return  # nothing acts any more, and a connection that comes up now is about to be dropped
        match event:
            case Accepted():
                # Half of what the broker takes is for the window, the rest for messages that must not wait.
                self._most_direct = max(1, min(event.receive_maximum // 2, MOST_IN_FLIGHT))
                self._largest_packet = event.largest_packet
                connection.subscribe(self._topics.subscriptions)
            case Subscribed():
                self._subscribed(connection, event)
            case Acknowledged():
                self._settle(event)
            case Incoming():
                if (command := decode(event, self._topics)) is not None:
                    self._tell(command)
            case Ended():
                self._close(event)
            case _:
                assert_never(event)

    def _subscribed(self, connection: Connection, event: Subscribed) -> None:
        refused = [
            wanted
            for wanted, is_granted in zip(self._topics.subscriptions, event.is_granted, strict=False)
            if not is_granted
        ]
        if refused:
            _log.error("The broker refuses the subscription to %s: check its access rules", ", ".join(refused))
            self._tell(BrokerRefused(self._topics.below(refused[0])[:128], "the broker refuses the subscription to it"))
        self._connects += 1
        self._online_since = asyncio.get_running_loop().time()
        self._complained.clear()
        _log.info("Connected to the broker %s:%s", self._settings.host, self._settings.port)
        self._outgoing.open(self._most_direct, self._now_ms())
        self._tell(BrokerChanged(is_connected=True))
        if self._untold_trouble:
            self._outbox_trouble(self._untold_trouble)
        self._pump()

    def _pump(self) -> None:
        """Send what the window lets through."""
        if self._connection is None or self._online_since is None:
            return
        while (message := self._outgoing.take(self._now_ms())) is not None:
            if self._is_too_large(message):
                self._outgoing.refused("larger than the broker takes")
                self._complain(message, "larger than the broker takes")
                continue
            ticket = self._connection.publish(message)
            if ticket is None:
                break  # the connection is at its end: it stays at the head until `Ended` comes
            self._outgoing.sent(ticket)
        if not self._outgoing.waiting:
            self._drained.set()

    def _settle(self, event: Acknowledged) -> None:
        if (settled := self._direct.get(event.ticket)) is not None:
            if not settled.done():
                settled.set_result(_meaning(event.code))
            return
        if event.code in (_NO_SUBSCRIBER, _QUOTA_EXCEEDED):
            self._outgoing.put_off(event.ticket, self._now_ms())
            self._probe_later()
        elif event.code < _FIRST_FAILURE:
            self._outgoing.settle(event.ticket)
        else:
            is_forbidden = event.code == _NOT_AUTHORISED
            why = "forbidden by the broker's access rules" if is_forbidden else f"refused by the broker ({event.code})"
            if (message := self._outgoing.deny(event.ticket, why)) is not None:
                self._denied += 1
                self._complain(message, why)
        self._pump()

    def _probe_later(self) -> None:
        if self._probe is None and self._outgoing.is_probing:
            self._probe = asyncio.get_running_loop().call_later(_PROBE_S, self._probe_now)

    def _probe_now(self) -> None:
        self._probe = None
        self._outgoing.probe()
        self._pump()
        self._probe_later()

    def _restored(self, found: Sequence[Kept]) -> None:
        if found:
            _log.info("%d messages of an earlier run wait for the broker", len(found))
        self._outgoing.restore(found, self._now_ms())
        self._pump()

    def _outbox_trouble(self, why: str) -> None:
        self._untold_trouble = "" if self._online_since is not None else why
        if self._online_since is not None:
            self._tell(OutboxTrouble(why))

    def _close(self, event: Ended) -> None:
        detail = event.detail
        if self._online_since is not None:
            lived_s = asyncio.get_running_loop().time() - self._online_since
            if lived_s >= _LASTING_S:
                self._gap_s = _SHORTEST_GAP_S
            elif event.detail == LOST:  # many brokers close the older of two clients with one id without a word
                detail += f" {lived_s:.1f} s after it came up (does another client use the id {self._client_id}?)"
        self._online_since = None
        self._connection = None
        poison = self._outgoing.close(event.blame)
        for settled in self._direct.values():
            if not settled.done():
                settled.set_result(Published.TIMEOUT)
        self._ended.set()
        self._drained.set()
        if self._is_stopping:
            return
        longest = max(self._gap_s, _REFUSED_GAP_S * 2 if event.is_refused else 0)
        gap_s = random.uniform(longest / 2, longest)
        self._gap_s = min(self._gap_s * 2, _LONGEST_GAP_S)
        self._retry = asyncio.get_running_loop().call_later(gap_s, self._connect)
        _log.warning("No broker at %s:%s: %s", self._settings.host, self._settings.port, detail)
        if poison is not None:
            self._complain(poison, "a packet that the broker does not take")
        self._tell(BrokerChanged(is_connected=False, detail=detail, is_refused=event.is_refused))

    def _complain(self, message: Message, why: str) -> None:
        """Say once a connection and topic that a message was given up; never its content."""
        if message.topic == self._topics.discovery and not message.payload:
            # No problem: with these rights the device was never published.
            _log.info("The room's device is not taken back from %s: %s", message.topic, why)
            return
        if message.topic in self._complained:
            return
        self._complained.add(message.topic)
        _log.warning("A message to %s was given up: %s", message.topic, why)
        place = self._topics.below(message.topic)[:128]
        self._tell(BrokerRefused(place, f"a message to this topic was given up: {why}"))

    def _availability(self, payload: bytes) -> Message:
        return Message(self._topics.availability, payload, qos=1, is_retained=True, is_latest=True)

    def _is_too_large(self, message: Message) -> bool:
        return self._largest_packet is not None and message.wire_size > self._largest_packet

    def _now_ms(self) -> int:
        return int(asyncio.get_running_loop().time() * 1000)


def _patience_s(message: Message, timeout_s: float) -> float:
    """Before its end, not at it: what is still on its way then arrives late where this process is slow."""
    return timeout_s if message.expiry_s is None else min(timeout_s, message.expiry_s * _PATIENCE)


def _meaning(code: int) -> Published:
    if code == _NOT_AUTHORISED:
        return Published.DENIED
    if code >= _FIRST_FAILURE:
        return Published.REFUSED
    return Published.UNHEARD if code == _NO_SUBSCRIBER else Published.DELIVERED
