import json
from dataclasses import replace

import pytest

from voice_node.mqtt.message import Message
from voice_node.mqtt.outgoing import (
    MOST_IN_FLIGHT,
    MOST_KEPT,
    MOST_KEPT_BYTES,
    MOST_OTHERS,
    MOST_SUSPICIONS,
    OLDEST_KEPT_MS,
    UNHEARD_MS,
    Blame,
    Kept,
    Outgoing,
    identify,
)


def kept(number: int, topic: str = "transcript", size: int = 0) -> Message:
    return Message(topic, json.dumps({"turn_id": "t", "item_id": number, "x": "x" * size}).encode(), 1, is_kept=True)


def latest(topic: str, payload: bytes) -> Message:
    return Message(topic, payload, 1, is_retained=True, is_latest=True)


def passing(number: int) -> Message:
    return Message("event", b"%d" % number, 1)


def number_of(message: Message) -> int:
    number: int = json.loads(message.payload)["item_id"]
    return number


class Notes:
    """A keeper that remembers."""

    def __init__(self) -> None:
        self.kept: dict[str, Message] = {}
        self.parked: list[tuple[int, str]] = []

    def put(self, identity: str, message: Message) -> None:
        assert identity not in self.kept
        self.kept[identity] = message

    def remove(self, identity: str) -> None:
        self.kept.pop(identity, None)

    def park(self, identity: str, why: str) -> None:
        self.parked.append((number_of(self.kept.pop(identity)), why))

    def set_aside(self, message: Message, why: str) -> None:
        self.parked.append((number_of(message), why))


class Line(Outgoing):
    """With tickets in order."""

    def __init__(self) -> None:
        self.notes = Notes()
        super().__init__(self.notes)
        self.ticket = 0

    def send_all(self, now_ms: int = 0) -> list[Message]:
        """Send what the window lets through, and nothing is acknowledged."""
        sent: list[Message] = []
        while (message := self.take(now_ms)) is not None:
            self.ticket += 1
            self.sent(self.ticket)
            sent.append(message)
        return sent

    def settle_all(self, now_ms: int = 0) -> list[int]:
        """Send and acknowledge kept messages until none can go; their numbers."""
        numbers = []
        while sent := self.send_all(now_ms):
            numbers += [number_of(message) for message in sent]
            for ticket in list(self._in_flight):
                self.settle(ticket)
        return numbers


@pytest.fixture
def outgoing() -> Line:
    return Line()


def test_order_and_window(outgoing: Line) -> None:
    outgoing.open(100, 0)
    messages = [passing(n) for n in range(12)]
    for message in messages:
        outgoing.offer(message, 0)
    assert outgoing.send_all() == messages[:MOST_IN_FLIGHT]
    outgoing.settle(3)
    assert outgoing.send_all() == [messages[10]]
    outgoing.settle(99)
    assert outgoing.send_all() == []


def test_only_the_newest_state_counts_and_comes_on_every_connection(outgoing: Line) -> None:
    outgoing.offer(latest("a", b"1"), 0)
    outgoing.offer(latest("a", b"2"), 0)
    outgoing.offer(latest("b", b"1"), 0)
    for _ in range(2):
        outgoing.open(10, 0)
        assert [m.payload for m in outgoing.send_all()] == [b"2", b"1"]
        outgoing.close()
    assert outgoing.dropped == 0


def test_a_state_that_waits_is_replaced(outgoing: Line) -> None:
    outgoing.open(1, 0)
    outgoing.offer(passing(0), 0)
    outgoing.send_all()
    outgoing.offer(latest("a", b"1"), 0)
    outgoing.offer(passing(1), 0)
    outgoing.offer(latest("a", b"2"), 0)
    outgoing.settle(1)
    assert [m.payload for m in outgoing.send_all()] == [b"2"]


def test_kept_messages_wait_in_order_and_say_so(outgoing: Line) -> None:
    outgoing.open(10, 0)
    outgoing.offer(kept(0), 1000)
    outgoing.send_all()
    outgoing.close()
    outgoing.offer(kept(1), 3000)
    outgoing.open(10, 5000)
    outgoing.offer(kept(2), 5000)
    sent = outgoing.send_all(6000)
    outgoing.settle(outgoing.ticket)
    sent += outgoing.send_all(6000)
    assert [(number_of(m), json.loads(m.payload).get("delayed_ms")) for m in sent] == [(0, 5000), (1, 3000), (2, None)]


def test_a_kept_message_is_written_down_until_the_broker_has_it(outgoing: Line) -> None:
    outgoing.offer(kept(0), 0)
    assert list(outgoing.notes.kept.values()) == [kept(0)]
    outgoing.open(10, 0)
    outgoing.send_all()
    outgoing.close()
    assert outgoing.notes.kept
    outgoing.open(10, 0)
    assert outgoing.settle_all() == [0]
    assert outgoing.notes.kept == {}
    assert outgoing.kept == 0


def test_the_same_message_is_kept_once(outgoing: Line) -> None:
    outgoing.offer(kept(0), 0)
    outgoing.offer(kept(0, size=5), 0)
    outgoing.open(10, 0)
    assert outgoing.settle_all() == [0]
    other = Message("transcript", b'{"text":"a"}', 1, is_kept=True)
    assert identify(other) != identify(Message("transcript", b'{"text":"b"}', 1, is_kept=True))


def test_what_an_earlier_run_left_goes_first(outgoing: Line) -> None:
    outgoing.offer(kept(5), 10)
    outgoing.restore([Kept(identify(kept(n)), kept(n), age_ms=100 - n) for n in (1, 2)], 10)
    outgoing.open(10, 10)
    outgoing.offer(kept(6), 10)
    first = outgoing.take(10)
    assert first is not None
    assert json.loads(first.payload)["delayed_ms"] == 99
    assert outgoing.settle_all() == [1, 2, 5, 6]


def test_what_comes_back_while_the_broker_is_there_goes_at_once(outgoing: Line) -> None:
    outgoing.open(10, 0)
    outgoing.offer(kept(5), 0)
    outgoing.restore([Kept(identify(kept(n)), kept(n), age_ms=0) for n in (5, 1)], 0)
    assert outgoing.settle_all() == [1, 5]


def test_the_oldest_kept_is_dropped(outgoing: Line) -> None:
    for number in range(MOST_KEPT + 3):
        outgoing.offer(kept(number), 0)
    assert (outgoing.waiting, outgoing.kept, outgoing.dropped) == (MOST_KEPT, MOST_KEPT, 3)
    assert len(outgoing.notes.kept) == MOST_KEPT
    outgoing.open(10, 0)
    assert number_of(outgoing.send_all()[0]) == 3


def test_kept_messages_are_bounded_by_size(outgoing: Line) -> None:
    for number in range(MOST_KEPT_BYTES // 50_000 + 5):
        outgoing.offer(kept(number, size=50_000), 0)
    assert outgoing.dropped >= 5
    assert sum(len(m.payload) for m in outgoing.notes.kept.values()) <= MOST_KEPT_BYTES


def test_what_is_too_old_is_dropped(outgoing: Line) -> None:
    outgoing.restore([Kept("a", kept(0), OLDEST_KEPT_MS + 1), Kept("b", kept(1), OLDEST_KEPT_MS - 1000)], 0)
    assert (outgoing.kept, outgoing.dropped) == (1, 1)
    outgoing.offer(kept(2), 500)
    outgoing.open(10, 2000)
    assert outgoing.settle_all() == [2]


def test_others_do_not_wait_for_the_broker(outgoing: Line) -> None:
    outgoing.offer(passing(0), 0)
    outgoing.open(1, 0)
    for number in range(3):
        outgoing.offer(passing(number), 0)
    outgoing.send_all()
    outgoing.close()
    assert (outgoing.waiting, outgoing.dropped) == (0, 4)


def test_others_are_bounded_while_the_broker_is_slow(outgoing: Line) -> None:
    outgoing.open(10, 0)
    for number in range(MOST_OTHERS + 5):
        outgoing.offer(passing(number), 0)
    assert (outgoing.waiting, outgoing.dropped) == (MOST_OTHERS, 5)


def test_the_first_of_a_topic_goes_alone(outgoing: Line) -> None:
    outgoing.open(10, 0)
    for number in range(3):
        outgoing.offer(kept(number), 0)
        outgoing.offer(kept(10 + number, "event"), 0)
    assert [number_of(m) for m in outgoing.send_all()] == [0, 10]
    outgoing.settle(1)
    assert [number_of(m) for m in outgoing.send_all()] == [1, 2]
    outgoing.settle(2)
    assert [number_of(m) for m in outgoing.send_all()] == [11, 12]


def test_what_nobody_heard_stays_in_order_until_somebody_does(outgoing: Line) -> None:
    outgoing.open(10, 0)
    for number in range(3):
        outgoing.offer(kept(number), 0)
    assert [number_of(m) for m in outgoing.send_all()] == [0]
    outgoing.put_off(1, 0)
    assert outgoing.send_all() == []
    assert outgoing.waiting == 0
    assert outgoing.is_probing
    outgoing.offer(kept(3), 100)
    assert [number_of(m) for m in outgoing.send_all(200)] == [0]
    outgoing.put_off(2, 200)
    outgoing.probe()
    outgoing.probe()  # one is under way
    (probe,) = outgoing.send_all(5000)
    assert json.loads(probe.payload) | {"item_id": 0, "delayed_ms": 5000} == json.loads(probe.payload)
    outgoing.settle(3)
    assert not outgoing.is_probing
    assert outgoing.settle_all(5000) == [1, 2, 3]
    assert outgoing.notes.kept == {}


def test_a_subscriber_who_leaves_in_between(outgoing: Line) -> None:
    outgoing.open(10, 0)
    for number in range(4):
        outgoing.offer(kept(number), 0)
    outgoing.send_all()
    outgoing.settle(1)
    assert len(outgoing.send_all()) == 3
    outgoing.put_off(2, 0)
    outgoing.put_off(3, 0)
    outgoing.settle(4)
    assert outgoing.settle_all() == [1, 2]


def test_what_nobody_ever_wants_is_given_up(outgoing: Line) -> None:
    outgoing.open(10, 0)
    for number in range(2):
        outgoing.offer(kept(number), 0)
    now_ms, rounds = 0, 0
    while outgoing.kept:
        for _ in outgoing.send_all(now_ms):
            outgoing.put_off(outgoing.ticket, now_ms)
        outgoing.probe()
        now_ms += 15_000
        rounds += 1
    assert outgoing.unheard == 2
    assert rounds <= UNHEARD_MS // 15_000 + 3
    assert outgoing.notes.kept == {}


def test_a_new_connection_tries_everything_again(outgoing: Line) -> None:
    outgoing.open(10, 0)
    for number in range(3):
        outgoing.offer(kept(number), 0)
    outgoing.send_all()
    outgoing.put_off(1, 0)
    outgoing.close()
    outgoing.open(10, 0)
    assert outgoing.settle_all() == [0, 1, 2]


@pytest.mark.parametrize("is_too_large", [True, False])
def test_a_refused_message_is_parked_and_makes_way(outgoing: Line, is_too_large: bool) -> None:
    outgoing.open(10, 0)
    for number in range(3):
        outgoing.offer(kept(number), 0)
    if is_too_large:
        outgoing.take(0)
        outgoing.refused("too large")
    else:
        outgoing.send_all()
        assert outgoing.deny(1, "too large") == kept(0)
    assert outgoing.notes.parked == [(0, "too large")]
    assert outgoing.settle_all() == [1, 2]
    assert (outgoing.parked, outgoing.dropped) == (1, 0)


@pytest.mark.parametrize("is_open", [True, False])
def test_what_can_never_be_sent_is_parked_at_once_and_makes_way(outgoing: Line, is_open: bool) -> None:
    if is_open:
        outgoing.open(10, 0)
    outgoing.offer(kept(0), 0)
    outgoing.offer(replace(kept(1), flaw="too large"), 0)
    outgoing.offer(kept(2), 0)
    assert outgoing.notes.parked == [(1, "too large")]
    assert (outgoing.parked, outgoing.dropped, outgoing.kept) == (1, 0, 2)
    if not is_open:
        outgoing.open(10, 0)
    assert outgoing.settle_all() == [0, 2]


def test_a_refused_message_that_may_not_wait_is_dropped(outgoing: Line) -> None:
    outgoing.open(10, 0)
    outgoing.offer(passing(0), 0)
    outgoing.offer(passing(1), 0)
    outgoing.take(0)
    outgoing.refused("too large")
    assert outgoing.send_all() == [passing(1)]
    assert outgoing.dropped == 1


@pytest.mark.parametrize("blame", [Blame.CERTAIN, Blame.POSSIBLE])
def test_poison_is_found_and_the_rest_goes_on(outgoing: Line, blame: Blame) -> None:
    outgoing.offer(latest("availability", b"online"), 0)
    for number in range(3):
        outgoing.offer(kept(number), 0)
    delivered: list[int] = []
    found: list[Message] = []
    for _ in range(MOST_SUSPICIONS + 3):
        outgoing.open(10, 0)
        while outgoing.waiting:
            outgoing.send_all()
            if any(b'"item_id": 1' in entry.message.payload for entry in outgoing._in_flight.values()):
                found += [poison] if (poison := outgoing.close(blame)) else []
                break
            for ticket, entry in list(outgoing._in_flight.items()):
                outgoing.settle(ticket)
                delivered += [number_of(entry.message)] if entry.identity else []
    assert found == [kept(1)]
    assert delivered == [0, 2]
    assert [number for number, _ in outgoing.notes.parked] == [1]


def test_ends_without_a_reason_do_not_cost_a_message(outgoing: Line) -> None:
    for number in range(20):
        outgoing.offer(kept(number), 0)
    delivered = []
    for _ in range(20):
        for _ in range(MOST_SUSPICIONS - 1):
            outgoing.open(10, 0)
            outgoing.send_all()
            assert outgoing.close(Blame.POSSIBLE) is None
        outgoing.open(10, 0)
        delivered += [number_of(m) for m in outgoing.send_all()]
        outgoing.settle(outgoing.ticket)
    assert delivered == list(range(20))
    assert outgoing.kept == 0


def test_a_poisonous_state_is_not_sent_again(outgoing: Line) -> None:
    outgoing.offer(latest("info", b"x"), 0)
    outgoing.open(10, 0)
    outgoing.send_all()
    assert outgoing.close(Blame.CERTAIN) == latest("info", b"x")
    outgoing.open(10, 0)
    assert outgoing.send_all() == []
