"""The broker's example files against a real mosquitto, real nodes, and people who should not be there."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from tests.fakes import broker as fake
from tests.fakes import certificates
from tests.fakes.broker import Broker
from tests.fakes.certificates import Authority
from tests.fakes.mqtt_spy import Seen
from tests.fakes.until import until
from tests.mqtt.node import call, node
from tests.system.house import Program, home, write_room
from voice_node.model.command import BrokerChanged
from voice_node.mqtt.bridge import Published
from voice_node.mqtt.connection import Accepted, Acknowledged, Connection, Event, Subscribed
from voice_node.mqtt.message import Incoming, Message
from voice_node.mqtt.topics import Topics
from voice_node.settings.schema import MqttSettings, TlsSettings

pytestmark = pytest.mark.skipif(bool(fake.ABSENT), reason=fake.ABSENT)

EXAMPLES = Path(__file__).parents[2] / "config" / "mosquitto"
ACL = (EXAMPLES / "acl.example").read_text(encoding="utf-8")
USERS = dict(line.split(":", 1) for line in (EXAMPLES / "passwords.example").read_text(encoding="utf-8").splitlines())
KITCHEN, BEDROOM, HOME, GUEST = "kitchen", "bedroom", "homeassistant", "guest"
FORBIDDEN = 135
TOLD = "availability state info usage health speech transcript transcript/partial event response/say mute/state"
OF_KITCHEN = Topics("voice_node", "kitchen")
ORDERS = tuple(wanted.replace("+", "say") for wanted in OF_KITCHEN.subscriptions if wanted.startswith("voice_node/"))
EVERYTHING = (
    *(f"voice_node/{room}/{topic}" for room in ("kitchen", "bedroom") for topic in [*TOLD.split(), "tool/light/call"]),
    *ORDERS,
    *(topic.replace("kitchen", "bedroom") for topic in ORDERS),
    *(f"homeassistant/device/voice_node_{room}/config" for room in ("kitchen", "bedroom")),
    "homeassistant/status",
    "voice_node/kitchen",
    "voice_node/claim",
    "zigbee2mqtt/lock/set",
    "$SYS/broker/uptime",
)


def may_write(user: str) -> set[str]:
    """What the contract gives a user to say, of `EVERYTHING`."""
    if user == GUEST:
        return set()
    if user == HOME:
        mine = {topic for topic in EVERYTHING if topic.startswith("homeassistant/")}
        return mine | set(ORDERS) | {topic.replace("kitchen", "bedroom") for topic in ORDERS}
    mine = {topic for topic in EVERYTHING if f"{topic}/".startswith(f"voice_node/{user}/")}  # `#` holds its parent, too
    return mine | {f"homeassistant/device/voice_node_{user}/config", "voice_node/claim"}


def may_read(user: str) -> set[str]:
    """What the contract gives a user to hear, of `EVERYTHING`."""
    if user == GUEST:
        return set()
    if user == HOME:
        return {topic for topic in EVERYTHING if topic.startswith(("voice_node/", "homeassistant/"))}
    mine = {topic for topic in EVERYTHING if f"{topic}/".startswith(f"voice_node/{user}/")}
    return mine | {f"homeassistant/device/voice_node_{user}/config", "homeassistant/status", "voice_node/claim"}


@contextmanager
def guarded() -> Iterator[Broker]:
    """A broker with the example's rules, a guest who is in the password file alone, and a test's all-hearing user."""
    acl = ACL + "\nuser everybody\ntopic readwrite #\ntopic readwrite $SYS/#\n"
    with Broker(users=USERS | {GUEST: "g", "everybody": "e"}, acl=acl) as broker:
        yield broker


class Visitor:
    """A logged-in client that notes what it hears and what the broker says to what it says."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.codes: dict[int, int] = {}
        self.granted: tuple[bool, ...] | None = None
        self.is_in = False
        self.link: Connection | None = None

    def __call__(self, event: Event) -> None:
        match event:
            case Accepted():
                self.is_in = True
            case Subscribed(is_granted):
                self.granted = is_granted
            case Acknowledged(ticket, code):
                self.codes[ticket] = code
            case Incoming(topic):
                self.heard.append(topic)

    async def say(self, topic: str) -> int:
        """Publish; the broker's reason code."""
        assert self.link is not None
        ticket = self.link.publish(Message(topic, b"{}", 1))
        assert ticket is not None
        await until(lambda: ticket in self.codes)
        return self.codes[ticket]

    async def listen(self, *filters: str) -> None:
        """Subscribe; what is granted shows only in what comes."""
        assert self.link is not None
        self.link.subscribe(filters)
        await until(lambda: self.granted is not None)


@asynccontextmanager
async def visitor(port: int, user: str, password: str) -> AsyncIterator[Visitor]:
    it = Visitor()
    it.link = Connection(MqttSettings(port=port, username=user), None, password, f"visitor-{user}", None, it)
    it.link.open()
    await until(lambda: it.is_in)
    yield it
    it.link.close()


PASSWORDS = USERS | {GUEST: "g"}


@pytest.mark.parametrize("user", [KITCHEN, BEDROOM, HOME, GUEST])
async def test_who_may_say_and_hear_what(user: str) -> None:
    with guarded() as broker:
        async with AsyncExitStack() as stack:
            it = await stack.enter_async_context(visitor(broker.port, user, PASSWORDS[user]))
            everybody = await stack.enter_async_context(visitor(broker.port, "everybody", "e"))
            allowed = {topic for topic in EVERYTHING if await it.say(topic) != FORBIDDEN}
            assert allowed == may_write(user)
            await it.listen("#", "$SYS/#", *EVERYTHING[:-1])
            for topic in EVERYTHING:
                if not topic.startswith("$"):
                    await everybody.say(topic)
            await it.say("fence")  # what came before its answer is all that comes
            assert set(it.heard) == may_read(user)


async def test_rooms_under_the_pattern_share_their_claims_where_the_line_is_there() -> None:
    acl = (EXAMPLES / "acl.fleet.example").read_text(encoding="utf-8")
    line = "pattern readwrite voice_node/claim"
    for change, is_shared in (("# ", False), ("", True)):
        assert f"# {line}\n" in acl
        with Broker(users={"kitchen": "k", "hall": "h"}, acl=acl.replace(f"# {line}", change + line)) as broker:
            async with visitor(broker.port, "kitchen", "k") as kitchen, visitor(broker.port, "hall", "h") as hall:
                await hall.listen("voice_node/claim", "voice_node/hall/fence")
                assert (await kitchen.say("voice_node/claim") != FORBIDDEN) is is_shared
                await hall.say("voice_node/hall/fence")
                await until(lambda: "voice_node/hall/fence" in hall.heard)
                assert ("voice_node/claim" in hall.heard) is is_shared


@pytest.mark.slow
async def test_two_rooms_and_their_home_do_all_they_should(tmp_path: Path) -> None:
    with guarded() as broker:
        async with AsyncExitStack() as stack:
            spy = await stack.enter_async_context(home(broker.port, username=HOME, password=USERS[HOME]))
            for room in ("kitchen", "bedroom"):
                folder = tmp_path / room
                folder.mkdir()
                path = write_room(folder, broker.port, room=room, mqtt={"username": room})
                environ = {"MQTT_PASSWORD": USERS[room]}
                stack.enter_context(Program(folder, "run", path, environ=environ))

            def came(topic: str, payload: bytes) -> "asyncio.Future[Seen]":
                return asyncio.ensure_future(
                    spy.wait_for(lambda seen: seen.topic == topic and payload in seen.payload, 30)
                )

            await asyncio.gather(
                *(came(f"voice_node/{room}/availability", b"online") for room in ("kitchen", "bedroom"))
            )
            await spy.publish("voice_node/kitchen/request/ask", '{"text": "turn on the kitchen light"}')
            await came("voice_node/kitchen/response/ask", b'"ok"')
            await came("voice_node/kitchen/event", b'"is_ok":true')
            await spy.publish("voice_node/bedroom/volume/set", "30")
            await came("voice_node/bedroom/volume/state", b"30")
            errors = [seen.json for seen in spy.messages if b'"event_type":"error"' in seen.payload]
            assert [error for error in errors if "access" in error["detail"]] == []


async def test_a_guest_with_no_password_or_a_wrong_one_stays_outside() -> None:
    with guarded() as broker:
        for username, password in ((None, None), (KITCHEN, USERS[BEDROOM]), ("nobody", "x")):
            async with node(broker.port, password, username=username, is_online=False) as (_, told):
                change = await told.next(BrokerChanged)
                assert change.is_refused
                assert "password" in change.detail


@pytest.mark.skipif(bool(certificates.ABSENT), reason=certificates.ABSENT)
async def test_the_example_configuration_as_its_page_says(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "ca")
    own, kitchen = authority.sign("broker", "DNS:localhost"), authority.sign("kitchen")
    shutil.copy(own.path, tmp_path / "broker.pem")
    passwords = tmp_path / "passwords"
    passwords.write_text((EXAMPLES / "passwords.example").read_text(encoding="utf-8"))
    hashing = await asyncio.create_subprocess_exec("mosquitto_passwd", "-U", passwords)
    assert await hashing.wait() == 0
    assert "change-me" not in passwords.read_text()
    (tmp_path / "acl").write_text(ACL)
    for name in ("passwords", "acl"):
        (tmp_path / name).chmod(0o600)
    text = (EXAMPLES / "mosquitto.conf.example").read_text(encoding="utf-8")
    port = fake._free_port()
    for old, new in (
        ("/etc/mosquitto/certs", str(tmp_path)),
        ("/etc/mosquitto", str(tmp_path)),
        ("listener 8883", f"listener {port} 127.0.0.1"),
    ):
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "mosquitto.conf"
    path.write_text(text + ("user root\n" if os.geteuid() == 0 else ""))
    assert fake._MOSQUITTO is not None
    broker = await asyncio.create_subprocess_exec(fake._MOSQUITTO, "-c", path, stderr=asyncio.subprocess.PIPE)
    try:
        tls = TlsSettings(ca=str(authority.path), cert=str(kitchen.path), key=str(kitchen.key))
        async with node(port, USERS[KITCHEN], tls=tls, username=KITCHEN, host="localhost") as (bridge, _):
            assert await bridge.publish(call()) is Published.UNHEARD
    finally:
        broker.terminate()
        _, said = await broker.communicate()
    lines = [line.partition(": ")[2] for line in said.decode().splitlines()]
    lines = [line for line in lines if "should not be run as root" not in line]  # the example does not ask for that
    assert [line for line in lines if line.lower().startswith(("note", "warning", "error"))] == []
