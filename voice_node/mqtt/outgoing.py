"""What waits to be sent, what is in flight, and what becomes of both when the broker goes.

Rules:

1. Order: messages leave in the order in which they were offered. At most `window` are in flight; the broker's
   acknowledgement makes room for the next. (For QoS 0 it is the moment at which the packet is written.)
2. `is_latest`: only the newest on each topic counts. It is sent again on every connection, because a broker without
   persistence forgets what it retained. One that waits is replaced by a newer one.
3. `is_kept`: written down by the keeper (the outbox on disk) from its offer to its end, so that it outlives the
   process. It waits while the broker is away, in order, marked `delayed_ms` when it leaves after all, and is over when
   the broker took it. One that is offered twice while it waits is kept once. The oldest is dropped beyond `MOST_KEPT`
   messages or `MOST_KEPT_BYTES`, and what is older than `OLDEST_KEPT_MS`.
4. All others: dropped while the broker is away, and the oldest is dropped beyond `MOST_OTHERS`. Nothing acts late.
5. The connection ends: what was in flight counts as not sent. Kept messages go back to the front (a broker may see
   one twice), the latest are sent again by rule 2, all others are dropped.
6. A kept message that nobody heard is not over: after a broker's restart Home Assistant needs a while to subscribe
   again. So the first kept message of a topic goes alone on each connection, those behind it when it was heard. If it
   was not, they all stay in order, and the first is tried again with each new one and with each `probe`. What has
   waited so for `UNHEARD_MS` is given up: nobody wants it. Under MQTT 3.1.1 everything counts as heard.
7. Poison: the broker ends the connection because of what it was sent. Then what was in flight goes one at a time, and
   the one that is alone in flight when it happens again is given up. Where the broker gives no reason (MQTT 3.1.1), an
   end like any other looks the same: only who is alone `MOST_SUSPICIONS` times in a row is given up.
8. A kept message that is given up as poison, or that the broker refuses, is parked with the reason; one that has a
   flaw is parked at once.

Every drop is counted. Times are milliseconds of a monotonic clock, handed in.
"""

import json
from bisect import insort
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from voice_node.mqtt.encode import delayed
from voice_node.mqtt.message import Message

MOST_IN_FLIGHT = 10
MOST_KEPT = 5000
MOST_KEPT_BYTES = 4 * 1024 * 1024
OLDEST_KEPT_MS = 7 * 24 * 3600 * 1000
MOST_OTHERS = 200
UNHEARD_MS = 10 * 60 * 1000
MOST_SUSPICIONS = 4


class Blame(Enum):
    """Whether the broker ended the connection because of what it was sent."""

    NONE = 0
    POSSIBLE = 1
    """It gave no reason."""
    CERTAIN = 2


class Keeper(Protocol):
    """Writes kept messages down. No method waits."""

    def put(self, identity: str, message: Message) -> None:
        """From now on it is kept."""

    def remove(self, identity: str) -> None:
        """It is over."""

    def park(self, identity: str, why: str) -> None:
        """It cannot be delivered: it is set aside for people to see."""

    def set_aside(self, message: Message, why: str) -> None:
        """The same for one that was never kept."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A message of an earlier run."""

    identity: str
    message: Message
    age_ms: int


@dataclass(slots=True, eq=False)
class _Entry:
    message: Message
    offered_ms: int
    is_late: bool = False
    """The broker was away while it waited, or nobody was there to hear it."""
    identity: str = ""
    """Of a kept message; others have none."""
    number: int = 0
    """The place in the order of kept messages."""


@dataclass(slots=True)
class _Audience:
    """Rule 6 for one topic, on one connection."""

    is_heard: bool = False
    is_silent: bool = False
    probe: _Entry | None = None
    """The one that goes alone."""
    held: list[_Entry] = field(default_factory=list)
    """Those that stay until it was heard, in order."""


class Outgoing:
    """The ordered window. Pure: the caller sends what `take` gives and tells what became of it."""

    def __init__(self, keeper: Keeper) -> None:
        self.dropped = 0
        """Messages that were given up, since the start."""
        self.unheard = 0
        """Kept messages that nobody wanted, since the start."""
        self.parked = 0
        """Kept messages that could not be delivered, since the start."""
        self._keeper = keeper
        self._is_open = False
        self._window = MOST_IN_FLIGHT
        self._suspects = 0
        self._accused: Message | None = None
        self._suspicions = 0
        self._latest: dict[str, Message] = {}
        self._waiting: deque[_Entry] = deque()
        self._in_flight: dict[int, _Entry] = {}
        self._kept: dict[str, _Entry] = {}
        """In their order."""
        self._kept_bytes = 0
        self._last_number = 0
        self._audiences: dict[str, _Audience] = {}
        self._silent_since_ms: dict[str, int] = {}
        """By topic: since when nobody is there to hear, over all connections."""

    @property
    def waiting(self) -> int:
        """Messages that could leave and have not, or are not acknowledged."""
        return len(self._waiting) + len(self._in_flight)

    @property
    def kept(self) -> int:
        """Kept messages that are not over, wherever they are."""
        return len(self._kept)

    @property
    def is_probing(self) -> bool:
        """Somebody must call `probe` after a while."""
        return any(audience.held for audience in self._audiences.values())

    def restore(self, found: Iterable[Kept], now_ms: int) -> None:
        """Take what an earlier run left, in its order and before everything of this one."""
        first = min((entry.number for entry in self._kept.values()), default=1)
        rows = list(found)
        entries = [
            _Entry(row.message, now_ms - row.age_ms, True, row.identity, first - len(rows) + place)
            for place, row in enumerate(rows)
            if row.identity not in self._kept
        ]
        self._kept = {entry.identity: entry for entry in entries} | self._kept
        self._kept_bytes += sum(entry.message.wire_size for entry in entries)
        self._waiting.extendleft(reversed(entries))
        self._bound_kept(now_ms)

    def offer(self, message: Message, now_ms: int) -> None:
        """Take `message` for sending, by the rules above."""
        if message.flaw is not None:
            self._keeper.set_aside(message, message.flaw)
            self.parked += 1
        elif message.is_latest:
            self._latest[message.topic] = message
            if self._is_open:
                self._replace(message, now_ms)
        elif message.is_kept:
            self._keep(message, now_ms)
        elif self._is_open:
            self._waiting.append(_Entry(message, now_ms))
            self._bound_others()
        else:
            self.dropped += 1

    def open(self, window: int, now_ms: int) -> None:
        """The broker is there and takes `window` unacknowledged messages."""
        self._is_open = True
        self._window = max(1, min(window, MOST_IN_FLIGHT))
        self._bound_kept(now_ms)
        self._waiting.extendleft(_Entry(message, now_ms) for message in reversed(self._latest.values()))

    def close(self, blame: Blame = Blame.NONE) -> Message | None:
        """The connection ended. Returns the message that was found to be poison, and is given up."""
        self._is_open = False
        flying = list(self._in_flight.values())
        self._in_flight.clear()
        self._audiences.clear()
        poison = self._poison(flying, blame)
        # All latest messages are sent again at the next opening, so that many go before the suspects have passed.
        self._suspects = len(flying) + len(self._latest) if flying and blame is not Blame.NONE else 0
        others = [e for e in (*flying, *self._waiting) if not e.identity and not e.message.is_latest]
        self.dropped += len(others)
        for entry in self._kept.values():
            entry.is_late = True
        self._waiting = deque(self._kept.values())
        return poison

    def take(self, now_ms: int) -> Message | None:
        """The next message to send, or None. Call `sent` or `refused` for it before the next `take`."""
        while self._is_open and self._waiting and len(self._in_flight) < (1 if self._suspects else self._window):
            entry = self._waiting[0]
            if entry.identity and not self._may_go(entry):
                self._audience(entry).held.append(self._waiting.popleft())
                continue
            return delayed(entry.message, max(0, now_ms - entry.offered_ms)) if entry.is_late else entry.message
        return None

    def sent(self, ticket: int) -> None:
        """The message from `take` is in flight under `ticket`."""
        self._in_flight[ticket] = self._waiting.popleft()

    def refused(self, why: str) -> None:
        """The message from `take` can never be sent to this broker: it is given up."""
        self._give_up(self._waiting.popleft(), why)

    def settle(self, ticket: int) -> None:
        """The broker took what was sent under `ticket`; one of another's is ignored."""
        entry = self._landed(ticket)
        if entry is None or not entry.identity:
            return
        self._forget(entry)
        audience = self._audience(entry)
        self._silent_since_ms.pop(entry.message.topic, None)
        self._release(audience)
        audience.is_heard, audience.is_silent, audience.probe = True, False, None

    def put_off(self, ticket: int, now_ms: int) -> None:
        """The broker took it, and nobody was there to hear it; or it has no room for now."""
        entry = self._landed(ticket)
        if entry is None or not entry.identity:
            return
        audience = self._audience(entry)
        audience.is_heard, audience.is_silent = False, True
        if audience.probe is entry:
            audience.probe = None
        entry.is_late = True
        insort(audience.held, entry, key=_number)
        self._give_up_unheard(audience.held, self._silent_since_ms.setdefault(entry.message.topic, now_ms), now_ms)

    def deny(self, ticket: int, why: str) -> Message | None:
        """The broker refuses what was sent under `ticket`; returns it, or None for a ticket of another."""
        entry = self._landed(ticket)
        if entry is None:
            return None
        self._give_up(entry, why)
        return entry.message

    def probe(self) -> None:
        """Try again what nobody heard."""
        for audience in self._audiences.values():
            self._probe(audience)

    def _keep(self, message: Message, now_ms: int) -> None:
        identity = identify(message)
        if identity in self._kept:
            return
        self._last_number += 1
        entry = _Entry(message, now_ms, not self._is_open, identity, self._last_number)
        self._kept[identity] = entry
        self._kept_bytes += message.wire_size
        self._keeper.put(identity, message)
        self._waiting.append(entry)
        self._bound_kept(now_ms)
        if self._is_open:
            self._probe(self._audience(entry))

    def _may_go(self, entry: _Entry) -> bool:
        audience = self._audience(entry)
        if not audience.is_heard and audience.probe is None and not audience.is_silent:
            audience.probe = entry
        return audience.is_heard or audience.probe is entry

    def _audience(self, entry: _Entry) -> _Audience:
        return self._audiences.setdefault(entry.message.topic, _Audience())

    def _give_up_unheard(self, held: list[_Entry], since_ms: int, now_ms: int) -> None:
        for place, entry in enumerate(held):
            if now_ms - max(since_ms, entry.offered_ms) < UNHEARD_MS:
                del held[:place]
                return
            self._forget(entry)
            self.unheard += 1
        held.clear()

    def _probe(self, audience: _Audience) -> None:
        if audience.is_silent and audience.probe is None and audience.held:
            audience.probe = audience.held.pop(0)
            audience.probe.is_late = True
            self._waiting.appendleft(audience.probe)

    def _release(self, audience: _Audience) -> None:
        for entry in audience.held if audience.is_silent else ():
            entry.is_late = True
        self._waiting.extendleft(reversed(audience.held))
        audience.held.clear()

    def _landed(self, ticket: int) -> _Entry | None:
        entry = self._in_flight.pop(ticket, None)
        if entry is not None:
            self._suspects = max(0, self._suspects - 1)
            if self._accused == entry.message:
                self._accused = None
        return entry

    def _poison(self, flying: list[_Entry], blame: Blame) -> Message | None:
        """Who is to blame, given up and taken out of `flying`."""
        if blame is Blame.NONE or len(flying) != 1:
            return None
        (suspect,) = flying
        self._suspicions = self._suspicions + 1 if suspect.message == self._accused else 1
        self._accused = suspect.message
        if blame is Blame.POSSIBLE and self._suspicions < MOST_SUSPICIONS:
            return None
        flying.clear()
        self._accused = None
        if self._latest.get(suspect.message.topic) is suspect.message:
            del self._latest[suspect.message.topic]
        self._give_up(suspect, "the broker ends the connection when it is sent")
        return suspect.message

    def _give_up(self, entry: _Entry, why: str) -> None:
        if not entry.identity:
            self.dropped += 1
            return
        self._keeper.park(entry.identity, why)
        self.parked += 1
        self._lose(entry)

    def _forget(self, entry: _Entry) -> None:
        self._keeper.remove(entry.identity)
        self._lose(entry)

    def _lose(self, entry: _Entry) -> None:
        """It is kept no longer; those that waited for it must not wait for ever."""
        del self._kept[entry.identity]
        self._kept_bytes -= entry.message.wire_size
        audience = self._audiences.get(entry.message.topic)
        if audience is not None and audience.probe is entry:
            audience.probe = None
            if not audience.is_silent:
                self._release(audience)

    def _replace(self, message: Message, now_ms: int) -> None:
        for entry in self._waiting:
            if entry.message.is_latest and entry.message.topic == message.topic:
                entry.message = message
                return
        self._waiting.append(_Entry(message, now_ms))

    def _bound_others(self) -> None:
        others = [e for e in self._waiting if not e.identity and not e.message.is_latest]
        for entry in others[: max(0, len(others) - MOST_OTHERS)]:
            self._waiting.remove(entry)
            self.dropped += 1

    def _bound_kept(self, now_ms: int) -> None:
        """Drop the oldest that is not in flight until the bounds hold."""
        flying = set(self._in_flight.values())
        while (entry := next((entry for entry in self._kept.values() if entry not in flying), None)) is not None:
            if not self._is_full() and now_ms - entry.offered_ms <= OLDEST_KEPT_MS:
                return
            held = self._audience(entry).held
            if entry in held:
                held.remove(entry)
            elif entry in self._waiting:
                self._waiting.remove(entry)
            self._forget(entry)
            self.dropped += 1

    def _is_full(self) -> bool:
        return len(self._kept) > MOST_KEPT or self._kept_bytes > MOST_KEPT_BYTES


def identify(message: Message) -> str:
    """The same for the same transcript or event of the same turn, and for nothing else."""
    content = json.loads(message.payload)
    ids = [content.get(name) for name in ("event_type", "turn_id", "item_id", "role")]
    if ids[1] is None and ids[2] is None:
        return json.dumps([message.topic, message.payload.decode()])
    return json.dumps([message.topic, *ids])


def _number(entry: _Entry) -> int:
    return entry.number
