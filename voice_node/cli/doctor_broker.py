"""What `doctor` looks at on the broker: the way to it, the login and its rights, the room's device, Home Assistant.

It speaks with the room's own login and under a name of its own. It publishes on two topics of the room that change
nothing: `response/doctor`, which nobody hears, and `request/diagnose`, which a room that runs answers.
"""

import asyncio
import json
import secrets as randomness
from typing import Any

from voice_node.cli.doctor_finding import Finding, Patient, Status
from voice_node.model.errors import ConfigError
from voice_node.mqtt.connection import Accepted, Acknowledged, Connection, Ended, Event, Subscribed
from voice_node.mqtt.message import Incoming, Message
from voice_node.mqtt.tls import tls_context
from voice_node.mqtt.topics import Topics
from voice_node.settings.schema import MqttSettings

ANSWER_S = 4.0
_FAREWELL_S = 1.0
_NOT_AUTHORISED = 128
"""MQTT 5: this reason code and all above refuse."""


class _Lost(Exception):
    """The connection ended, or the broker does not answer; the text says why."""


class _Visit:
    """One connection to the broker, as long as the context lasts."""

    def __init__(self, mqtt: MqttSettings, password: str | None) -> None:
        self._mqtt = mqtt
        self._password = password
        self._events: asyncio.Queue[Event] = asyncio.Queue(1000)
        self._ended = asyncio.Event()
        self.heard: list[Incoming] = []

    async def __aenter__(self) -> "_Visit":
        """Connect; raises _Lost."""
        tls = None if self._mqtt.tls is None else await asyncio.to_thread(tls_context, self._mqtt.tls)
        name = f"{self._mqtt.base}-doctor-{randomness.token_hex(4)}"
        self._connection = Connection(self._mqtt, tls, self._password, name, None, self._hear)
        self._connection.open()
        is_in = False
        try:
            await self._wait(Accepted)
            is_in = True
        finally:
            if not is_in:
                self._connection.abandon()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._connection.close()
        try:
            async with asyncio.timeout(_FAREWELL_S):
                await self._ended.wait()
        except TimeoutError:
            self._connection.abandon()

    async def subscribe(self, *filters: str) -> tuple[bool, ...]:
        """Which of them the broker grants."""
        self._connection.subscribe(filters)
        granted = await self._wait(Subscribed)
        assert isinstance(granted, Subscribed)
        return granted.is_granted

    async def publish(self, message: Message) -> int:
        """The broker's reason code, of which MQTT 3.1.1 has none (0)."""
        self._connection.publish(message)
        settled = await self._wait(Acknowledged)
        assert isinstance(settled, Acknowledged)
        return settled.code

    async def hears(self, topic: str, payload: bytes) -> bool:
        """Whether this message comes back in time."""
        try:
            while not any(message.topic == topic and message.payload == payload for message in self.heard):
                await self._wait(Incoming)
        except _Lost:
            return False
        return True

    async def _wait(self, kind: type[Event]) -> Event:
        try:
            async with asyncio.timeout(ANSWER_S):
                while True:
                    event = await self._events.get()
                    if isinstance(event, kind):
                        return event
                    if isinstance(event, Ended):
                        raise _Lost(event.detail.partition(" (client id ")[0])
        except TimeoutError:
            raise _Lost(f"no answer within {ANSWER_S:.0f} s") from None

    def _hear(self, event: Event) -> None:
        if isinstance(event, Incoming):
            self.heard.append(event)
        if isinstance(event, Ended):
            self._ended.set()
        if not self._events.full():
            self._events.put_nowait(event)


async def check_broker(patient: Patient) -> list[Finding]:
    """Everything about the broker, in one go."""
    mqtt, password = patient.settings.mqtt, patient.secrets.mqtt_password
    word = None if password is None else password.get_secret_value()
    topics = Topics(mqtt.base, patient.settings.room, mqtt.discovery_prefix)
    place = f"{mqtt.host}:{mqtt.port}"
    try:
        async with _Visit(mqtt, word) as visit:
            findings = await _rights(visit, topics, mqtt, place)
        # MQTT 3.1.1, because as MQTT 5 nothing that is retained is asked for.
        async with _Visit(mqtt.model_copy(update={"protocol": 3}), word) as visit:
            return [*findings, *await _kept(visit, topics, patient)]
    except ConfigError as error:
        return [Finding("broker", Status.FAULT, str(error), "Look at mqtt.tls in the room file.")]
    except _Lost as error:
        advice = "Does the broker run, and are host, port, username and password right?"
        return [Finding("broker", Status.FAULT, f"{place}: {error}", advice)]


async def _rights(visit: _Visit, topics: Topics, mqtt: MqttSettings, place: str) -> list[Finding]:
    loop = asyncio.get_running_loop()
    login = f"as {mqtt.username}" if mqtt.username is not None else "without a user name"
    granted = await visit.subscribe(*topics.subscriptions)
    if not all(granted):
        refused = [topic for topic, is_granted in zip(topics.subscriptions, granted, strict=True) if not is_granted]
        text = f"{place} {login}: may not hear {', '.join(refused)}"
        return [Finding("broker", Status.FAULT, text, "Give this user the rights of config/mosquitto/acl.example.")]
    began = loop.time()
    code = await visit.publish(Message(topics.response("doctor"), b"", qos=1))
    trip_ms = round(1000 * (loop.time() - began), 1)
    if code >= _NOT_AUTHORISED:
        text = f"{place} {login}: may not publish below {topics.branch}"
        return [Finding("broker", Status.FAULT, text, "Give this user the rights of config/mosquitto/acl.example.")]
    found = [Finding("broker", Status.OK, f"{place} {login}: connected, round trip {trip_ms:g} ms")]
    token = json.dumps({"transaction": randomness.token_hex(8)}).encode()
    order = topics.request("diagnose")
    if await visit.publish(Message(order, token, qos=1)) >= _NOT_AUTHORISED:
        found.append(Finding("commands", Status.OK, "not tried: this login may not give commands, which no room needs"))
    elif await visit.hears(order, token):
        found.append(Finding("commands", Status.OK, f"what is published on {order} arrives"))
    else:
        text = f"this login does not hear what is published on {order}"
        found.append(Finding("commands", Status.FAULT, text, "Let it read the topics of config/mosquitto/acl.example."))
    return found


async def _kept(visit: _Visit, topics: Topics, patient: Patient) -> list[Finding]:
    """What the broker keeps: it is sent right after the subscription, so before a message of our own is settled."""
    places = (topics.availability, topics.discovery, topics.home_assistant_status)
    await visit.subscribe(*places)
    await visit.publish(Message(topics.response("doctor"), b"", qos=1))
    kept = {message.topic: message.payload for message in visit.heard if message.is_retained}
    is_online = kept.get(topics.availability) == b"online"
    return [
        _room(patient, is_online=is_online),
        _discovery(patient, topics, kept.get(topics.discovery), is_known=topics.availability in kept),
        _home_assistant(kept.get(topics.home_assistant_status)),
    ]


def _room(patient: Patient, *, is_online: bool) -> Finding:
    if is_online and not patient.is_running:
        advice = "Does the room run on another machine, or as another user? Two must not share one id."
        return Finding("room", Status.WARNING, "it is online at the broker, and does not run here", advice)
    if patient.is_running and not is_online:
        advice = "Does this login read its availability (config/mosquitto/acl.example)? Else look into the journal."
        return Finding("room", Status.WARNING, "it runs here, and is not seen online at the broker", advice)
    return Finding("room", Status.OK, "runs, and is online" if is_online else "does not run at the moment")


def _discovery(patient: Patient, topics: Topics, document: bytes | None, *, is_known: bool) -> Finding:
    if not patient.settings.mqtt.discovery:
        return Finding("discovery", Status.OK, "switched off (mqtt.discovery: false)")
    if document is None:
        if not is_known and not patient.is_running:
            text = "the broker keeps nothing of this room: Home Assistant finds it when it was started once"
            return Finding("discovery", Status.OK, text)
        advice = (
            f"May this login read {topics.discovery}, as in config/mosquitto/acl.example? If not, Home Assistant tells."
        )
        return Finding("discovery", Status.WARNING, "no discovery document is seen at the broker", advice)
    count = _components(document)
    if not count:
        advice = "Start the room again; if it stays so, another program writes there."
        return Finding("discovery", Status.FAULT, "the discovery document at the broker cannot be read", advice)
    return Finding("discovery", Status.OK, f"the broker keeps the device of this room, with {count} entities")


def _components(document: bytes) -> int:
    try:
        content: Any = json.loads(document)
    except (ValueError, RecursionError):
        return 0
    components = content.get("components", content.get("cmps")) if isinstance(content, dict) else None
    return len(components) if isinstance(components, dict) else 0


def _home_assistant(status: bytes | None) -> Finding:
    match status:
        case b"online":
            return Finding("Home Assistant", Status.OK, "online")
        case None:
            text = "its status is not kept at the broker (it need not be)"
            return Finding("Home Assistant", Status.OK, text)
        case b"offline":
            text, advice = "it says that it is offline", "Is Home Assistant running, with its MQTT integration?"
            return Finding("Home Assistant", Status.WARNING, text, advice)
        case _:
            text = "its status topic holds something else than online or offline"
            return Finding("Home Assistant", Status.WARNING, text, "Look at mqtt.discovery_prefix.")
