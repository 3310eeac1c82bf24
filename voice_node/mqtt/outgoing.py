"""What waits to be sent, what is in flight, and what becomes of both when the broker goes.

Rules:

1. Order: messages leave in the order in which they were offered. At most `window` are in flight; the broker's
   acknowledgement makes room for the next. (For QoS 0 it is the moment at which the packet is written.)
2. `is_latest`: only the newest on each topic counts. It is sent again on every connection, because a broker without
   persistence forgets what it retained. One that waits is replaced by a newer one.
3. `is_kept`: waits while the broker is away, in order, marked `delayed_ms` when it leaves after all. The oldest is
   dropped beyond `MOST_KEPT`. Here the disk outbox will stand.
4. All others: dropped while the broker is away, and the oldest is dropped beyond `MOST_OTHERS`. Nothing acts late.
5. The connection ends: what was in flight counts as not sent. Kept messages go back to the front (a broker may see
   one twice), the latest are sent again by rule 2, all others are dropped.
6. The broker ends the connection because of what it was sent: a message among those in flight is poison. Then they
   go one at a time, and the one that is alone in flight when it happens again is dropped. MQTT 3.1.1 has no reasons,
   so there this rule never applies.

Every drop is counted. Times are milliseconds of a monotonic clock, handed in.
"""

from collections import deque
from dataclasses import dataclass

from voice_node.mqtt.encode import delayed
from voice_node.mqtt.message import Message

MOST_IN_FLIGHT = 10
MOST_KEPT = 500
MOST_OTHERS = 200


@dataclass(slots=True, eq=False)
class _Entry:
    message: Message
    offered_ms: int
    is_late: bool = False
    """The broker was away while it waited."""


class Outgoing:
    """The ordered window. Pure: the caller sends what `take` gives and tells what became of it."""

    def __init__(self) -> None:
        self.dropped = 0
        """Messages that were given up, since the start."""
        self._is_open = False
        self._window = MOST_IN_FLIGHT
        self._suspects = 0
        self._latest: dict[str, Message] = {}
        self._waiting: deque[_Entry] = deque()
        self._in_flight: dict[int, _Entry] = {}

    @property
    def waiting(self) -> int:
        """Messages that have not left, or are not acknowledged."""
        return len(self._waiting) + len(self._in_flight)

    def offer(self, message: Message, now_ms: int) -> None:
        """Take `message` for sending, by the rules above."""
        if message.is_latest:
            self._latest[message.topic] = message
            if self._is_open:
                self._replace(message, now_ms)
        elif message.is_kept or self._is_open:
            self._waiting.append(_Entry(message, now_ms, is_late=not self._is_open))
            self._drop_beyond(MOST_KEPT if message.is_kept else MOST_OTHERS, is_kept=message.is_kept)
        else:
            self.dropped += 1

    def open(self, window: int, now_ms: int) -> None:
        """The broker is there and takes `window` unacknowledged messages."""
        self._is_open = True
        self._window = max(1, min(window, MOST_IN_FLIGHT))
        self._waiting.extendleft(_Entry(message, now_ms) for message in reversed(self._latest.values()))

    def close(self, *, is_blamed: bool = False) -> Message | None:
        """The connection ended. Returns the message that was found to be poison, and is dropped."""
        self._is_open = False
        flying = list(self._in_flight.values())
        self._in_flight.clear()
        poison = None
        if is_blamed and len(flying) == 1:
            poison = flying.pop().message
            self.dropped += 1
            if self._latest.get(poison.topic) is poison:
                del self._latest[poison.topic]
        # All latest messages are sent again at the next opening, so that many go before the suspects have passed.
        self._suspects = len(flying) + len(self._latest) if is_blamed else 0
        unsent = [*flying, *self._waiting]
        self.dropped += sum(not entry.message.is_kept and not entry.message.is_latest for entry in unsent)
        self._waiting = deque(_Entry(e.message, e.offered_ms, is_late=True) for e in unsent if e.message.is_kept)
        self._drop_beyond(MOST_KEPT, is_kept=True)
        return poison

    def take(self, now_ms: int) -> Message | None:
        """The next message to send, or None. Call `sent` or `refused` for it before the next `take`."""
        if not self._is_open or not self._waiting or len(self._in_flight) >= (1 if self._suspects else self._window):
            return None
        entry = self._waiting[0]
        return delayed(entry.message, now_ms - entry.offered_ms) if entry.is_late else entry.message

    def sent(self, ticket: int) -> None:
        """The message from `take` is in flight under `ticket`."""
        self._in_flight[ticket] = self._waiting.popleft()

    def refused(self) -> None:
        """The message from `take` can never be sent to this broker: it is dropped."""
        self._waiting.popleft()
        self.dropped += 1

    def settle(self, ticket: int) -> Message | None:
        """The broker answered for `ticket`, well or ill; returns its message, or None for a ticket of another."""
        entry = self._in_flight.pop(ticket, None)
        if entry is None:
            return None
        self._suspects = max(0, self._suspects - 1)
        return entry.message

    def _replace(self, message: Message, now_ms: int) -> None:
        for entry in self._waiting:
            if entry.message.is_latest and entry.message.topic == message.topic:
                entry.message = message
                return
        self._waiting.append(_Entry(message, now_ms))

    def _drop_beyond(self, most: int, *, is_kept: bool) -> None:
        alike = [e for e in self._waiting if e.message.is_kept == is_kept and not e.message.is_latest]
        for entry in alike[: max(0, len(alike) - most)]:
            self._waiting.remove(entry)
            self.dropped += 1
