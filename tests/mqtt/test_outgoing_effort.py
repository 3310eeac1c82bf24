"""What waits does not slow down what happens now: a room may keep thousands of transcripts that nobody wants."""

import json
import sys
from collections.abc import Callable

import pytest

from voice_node.mqtt.message import Message
from voice_node.mqtt.outgoing import MOST_IN_FLIGHT, MOST_KEPT, Outgoing


class _Nothing:
    """A keeper that forgets."""

    def put(self, identity: str, message: Message) -> None:
        """It is not written down."""

    def remove(self, identity: str) -> None:
        """It was not."""

    def park(self, identity: str, why: str) -> None:
        """Nobody sees it."""

    def set_aside(self, message: Message, why: str) -> None:
        """Nobody sees it."""


def transcript(number: int) -> Message:
    return Message("transcript", json.dumps({"turn_id": "t", "item_id": number}).encode(), 1, is_kept=True)


def nobody_hears(outgoing: Outgoing, number: int, now_ms: int = 0) -> None:
    """One more is offered, the first is tried again, and nobody is there to hear it."""
    outgoing.offer(transcript(number), now_ms)
    assert outgoing.take(now_ms) is not None
    outgoing.sent(number)
    assert outgoing.take(now_ms) is None
    outgoing.put_off(number, now_ms)


def effort(work: Callable[[], object]) -> int:
    """How many functions it calls, Python's own among them."""
    calls = 0

    def count(frame: object, event: str, detail: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls


def waiting_in_vain(count: int) -> Outgoing:
    outgoing = Outgoing(_Nothing())
    outgoing.open(MOST_IN_FLIGHT, 0)
    for number in range(count):
        nobody_hears(outgoing, number)
    assert outgoing.kept == count
    return outgoing


@pytest.mark.parametrize("count", [1000, MOST_KEPT])
def test_another_that_nobody_hears(count: int) -> None:
    few, many = waiting_in_vain(10), waiting_in_vain(count)
    assert effort(lambda: nobody_hears(many, MOST_KEPT)) <= 2 * effort(lambda: nobody_hears(few, MOST_KEPT))
