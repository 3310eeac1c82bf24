import json

import pytest

from voice_node.mqtt.message import Message
from voice_node.mqtt.outgoing import MOST_IN_FLIGHT, MOST_KEPT, MOST_OTHERS, Outgoing


def kept(number: int) -> Message:
    return Message("transcript", json.dumps({"n": number}).encode(), 1, is_kept=True)


def latest(topic: str, payload: bytes) -> Message:
    return Message(topic, payload, 1, is_retained=True, is_latest=True)


def passing(number: int) -> Message:
    return Message("event", b"%d" % number, 1)


def send_all(outgoing: Outgoing, now_ms: int = 0, first_ticket: int = 1) -> list[Message]:
    """Send what the window lets through, and nothing is acknowledged."""
    sent: list[Message] = []
    while (message := outgoing.take(now_ms)) is not None:
        outgoing.sent(first_ticket + len(sent))
        sent.append(message)
    return sent


@pytest.fixture
def outgoing() -> Outgoing:
    return Outgoing()


def test_order_and_window(outgoing: Outgoing) -> None:
    outgoing.open(100, 0)
    messages = [passing(n) for n in range(12)]
    for message in messages:
        outgoing.offer(message, 0)
    assert send_all(outgoing) == messages[:MOST_IN_FLIGHT]
    assert outgoing.settle(3) == messages[2]
    assert send_all(outgoing, first_ticket=50) == [messages[10]]
    assert outgoing.settle(99) is None


def test_only_the_newest_state_counts_and_comes_on_every_connection(outgoing: Outgoing) -> None:
    outgoing.offer(latest("a", b"1"), 0)
    outgoing.offer(latest("a", b"2"), 0)
    outgoing.offer(latest("b", b"1"), 0)
    for _ in range(2):
        outgoing.open(10, 0)
        assert [m.payload for m in send_all(outgoing)] == [b"2", b"1"]
        outgoing.close()
    assert outgoing.dropped == 0


def test_a_state_that_waits_is_replaced(outgoing: Outgoing) -> None:
    outgoing.open(1, 0)
    outgoing.offer(passing(0), 0)
    send_all(outgoing)
    outgoing.offer(latest("a", b"1"), 0)
    outgoing.offer(passing(1), 0)
    outgoing.offer(latest("a", b"2"), 0)
    outgoing.settle(1)
    assert [m.payload for m in send_all(outgoing)] == [b"2"]


def test_kept_messages_wait_in_order_and_say_so(outgoing: Outgoing) -> None:
    outgoing.open(10, 0)
    outgoing.offer(kept(0), 1000)
    send_all(outgoing)
    outgoing.close()
    outgoing.offer(kept(1), 3000)
    outgoing.open(10, 5000)
    outgoing.offer(kept(2), 5000)
    assert [json.loads(m.payload) for m in send_all(outgoing, 6000)] == [
        {"n": 0, "delayed_ms": 5000},
        {"n": 1, "delayed_ms": 3000},
        {"n": 2},
    ]


def test_the_oldest_kept_is_dropped(outgoing: Outgoing) -> None:
    for number in range(MOST_KEPT + 3):
        outgoing.offer(kept(number), 0)
    assert (outgoing.waiting, outgoing.dropped) == (MOST_KEPT, 3)
    outgoing.open(10, 0)
    assert json.loads(send_all(outgoing)[0].payload)["n"] == 3


def test_others_do_not_wait_for_the_broker(outgoing: Outgoing) -> None:
    outgoing.offer(passing(0), 0)
    outgoing.open(1, 0)
    for number in range(3):
        outgoing.offer(passing(number), 0)
    send_all(outgoing)
    outgoing.close()
    assert (outgoing.waiting, outgoing.dropped) == (0, 4)


def test_others_are_bounded_while_the_broker_is_slow(outgoing: Outgoing) -> None:
    outgoing.open(10, 0)
    for number in range(MOST_OTHERS + 5):
        outgoing.offer(passing(number), 0)
    assert (outgoing.waiting, outgoing.dropped) == (MOST_OTHERS, 5)


def test_poison_is_found_and_the_rest_goes_on(outgoing: Outgoing) -> None:
    outgoing.offer(latest("availability", b"online"), 0)
    for number in range(3):
        outgoing.offer(kept(number), 0)
    delivered: list[int] = []
    found: list[Message] = []
    for _ in range(5):
        outgoing.open(10, 0)
        ticket = 0
        while not found or outgoing.waiting:
            while outgoing.take(0) is not None:
                ticket += 1
                outgoing.sent(ticket)
            fatal = [t for t, entry in outgoing._in_flight.items() if b'"n": 1' in entry.message.payload]
            if fatal:
                found += [poison] if (poison := outgoing.close(is_blamed=True)) else []
                break
            for flying in list(outgoing._in_flight):
                settled = outgoing.settle(flying)
                assert settled is not None
                if settled.is_kept:
                    delivered.append(json.loads(settled.payload)["n"])
    assert found == [kept(1)]
    assert delivered == [0, 2]
    assert outgoing.dropped == 1


def test_a_poisonous_state_is_not_sent_again(outgoing: Outgoing) -> None:
    outgoing.offer(latest("info", b"x"), 0)
    outgoing.open(10, 0)
    send_all(outgoing)
    assert outgoing.close(is_blamed=True) == latest("info", b"x")
    outgoing.open(10, 0)
    assert send_all(outgoing) == []


def test_a_refused_message_makes_way(outgoing: Outgoing) -> None:
    outgoing.open(10, 0)
    outgoing.offer(passing(0), 0)
    outgoing.offer(passing(1), 0)
    outgoing.take(0)
    outgoing.refused()
    assert send_all(outgoing) == [passing(1)]
    assert outgoing.dropped == 1
