import asyncio
import random
import socket

import pytest

from tests.fakes.broker import Broker
from tests.fakes.mqtt_spy import MqttSpy
from voice_node.mqtt.connection import Accepted, Acknowledged, Connection, Ended, Event, Subscribed
from voice_node.mqtt.message import Incoming, Message
from voice_node.settings.schema import MqttSettings

WILL = Message("will", b"gone", 1)
_CONNACK = bytes((0x20, 3, 0, 0, 0))


def connection(port: int, events: "asyncio.Queue[Event]", host: str = "127.0.0.1") -> Connection:
    return Connection(MqttSettings(host=host, port=port), None, None, "id", WILL, events.put_nowait)


async def test_from_the_first_packet_to_the_end(broker: Broker) -> None:
    events: asyncio.Queue[Event] = asyncio.Queue()
    link = connection(broker.port, events)
    async with asyncio.timeout(10), MqttSpy(broker.port) as spy:
        link.open()
        assert await events.get() == Accepted(receive_maximum=20, largest_packet=None)
        link.subscribe(["a/+", "b"])
        assert await events.get() == Subscribed((True, True))
        ticket = link.publish(Message("other", b"1", 1))
        assert ticket is not None
        assert await events.get() == Acknowledged(ticket, 0)
        await spy.publish("b", b"2", correlation=b"3", response_topic="c")
        assert await events.get() == Incoming("b", b"2", False, "c", b"3")
        link.close()
        assert isinstance(await events.get(), Ended)
        assert link.publish(Message("other", b"late", 1)) is None
        assert not spy.on("will")


async def test_an_abandoned_connection_ends_with_its_will(broker: Broker) -> None:
    events: asyncio.Queue[Event] = asyncio.Queue()
    link = connection(broker.port, events)
    async with asyncio.timeout(10), MqttSpy(broker.port) as spy:
        link.open()
        await events.get()
        link.abandon()
        assert isinstance(await events.get(), Ended)
        assert (await spy.wait_for_topic("will")).payload == b"gone"


async def test_what_has_not_left_never_does() -> None:
    """A network that stalls: the bytes of a call lie in the kernel, and must not leave when it moves again."""
    events: asyncio.Queue[Event] = asyncio.Queue()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        link = connection(listener.getsockname()[1], events)
        link.open()
        async with asyncio.timeout(10):
            broker, _ = await asyncio.to_thread(listener.accept)
            with broker:
                broker.sendall(_CONNACK)  # come in
                assert isinstance(await events.get(), Accepted)
                sent = 0
                for _ in range(200):
                    link.publish(Message("other", b"x" * 60_000, 1))
                    sent += 60_000
                link.abandon("nobody answers")
                assert await events.get() == Ended("nobody answers")
                broker.settimeout(5)
                arrived = await asyncio.to_thread(_read_to_the_end, broker)
    assert arrived < sent


def _read_to_the_end(broker: socket.socket) -> int:
    """How much still came before the reset; a clean end fails."""
    arrived = 0
    try:
        while data := broker.recv(65536):
            arrived += len(data)
    except ConnectionResetError:
        return arrived
    raise AssertionError("the connection ended in order, with all that was held back")


@pytest.mark.parametrize("host", ["127.0.0.1", "no-such-host.invalid", "a..b", "x" * 80 + ".example"])
async def test_what_cannot_be_reached_ends_once(host: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        events: asyncio.Queue[Event] = asyncio.Queue()
        connection(unused.getsockname()[1], events, host).open()
        async with asyncio.timeout(30):
            ended = await events.get()
    assert isinstance(ended, Ended)
    assert ended.detail.startswith("cannot connect")
    assert events.empty()


async def test_a_flood_comes_whole_and_lets_others_have_their_turn(broker: Broker) -> None:
    events: asyncio.Queue[Event] = asyncio.Queue()
    link = connection(broker.port, events)
    async with asyncio.timeout(20), MqttSpy(broker.port, wanted="done") as spy:
        link.open()
        await events.get()
        link.subscribe(["flood"])
        await events.get()
        for number in range(400):
            spy._client.publish("flood", str(number), 0)
        rounds = 0
        while events.qsize() < 400:  # each round of the event loop reads one packet
            await asyncio.sleep(0)
            rounds += 1
        assert rounds >= 400
        link.close()
        heard = [await events.get() for _ in range(401)]
    assert heard[:-1] == [Incoming("flood", str(number).encode()) for number in range(400)]
    assert isinstance(heard[-1], Ended)


@pytest.mark.parametrize("seed", range(4))
async def test_what_is_not_mqtt_ends_it(seed: int) -> None:
    """Whatever a broken broker sends, the connection ends with a word or lives; nothing else is raised."""
    dice = random.Random(seed)
    raised: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: raised.append(context))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        for _ in range(40):
            events: asyncio.Queue[Event] = asyncio.Queue()
            link = connection(listener.getsockname()[1], events)
            link.open()
            async with asyncio.timeout(10):
                broker, _ = await asyncio.to_thread(listener.accept)
                with broker:
                    body = dice.randbytes(dice.randrange(12))
                    packet = bytes((dice.randrange(256), len(body))) + body
                    broker.sendall(_CONNACK + packet if dice.random() < 0.8 else packet)
                ended = await _end(events)
            assert ended.detail.startswith(("the connection was lost", "the broker"))
            assert events.empty()
            assert not raised


async def _end(events: "asyncio.Queue[Event]") -> Ended:
    while not isinstance(event := await events.get(), Ended):
        pass
    return event
