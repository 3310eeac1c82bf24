"""What is to be played, and what really was.

The rules:

1. Sound is played in the order in which its items first came. An item's later pieces join its earlier ones.
2. An item is under way until it has ended (`end`) and all of it was handed out. One that ran dry before its end gives
   way to the items behind it, so that a lost end silences nobody; if more of it comes, it queues up and counts on.
3. `pull` always gives as much as it is asked for. Where there is no sound it gives silence, and silence never counts as
   played.
4. `clear` says how much of the item under way was handed out, in whole milliseconds rounded down, and drops everything:
   the service refuses to cut an item at more than it holds, so the count never runs ahead of the samples.
5. The queue holds `capacity_s` of sound. A piece that does not fit is refused as a whole: newest loses, so that what is
   heard stays in one piece up to where it stops.
6. Half a sample at the end of a piece waits for the next piece of its item, and is dropped with the item's end.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

from voice_node.model.audio import BYTES_PER_SAMPLE

RATE_HZ = 24000
"""What the service sends."""

_REMEMBERED_ITEMS = 32


@dataclass(frozen=True, slots=True)
class Played:
    """How far an item came before it was cut off."""

    item_id: str
    played_ms: int
    """What was handed out of it, rounded down."""
    queued_ms: int
    """What was dropped of it, rounded down."""


@dataclass(slots=True)
class _Item:
    item_id: str
    pcm: bytearray = field(default_factory=bytearray)
    played: int = 0
    """Bytes that were handed out."""
    is_ended: bool = False

    @property
    def ready(self) -> int:
        """Bytes of whole samples."""
        return len(self.pcm) - len(self.pcm) % BYTES_PER_SAMPLE


class PlaybackQueue:
    """Items of mono s16le, each a stream of pieces. Not safe between threads: its owner holds a lock."""

    def __init__(self, rate_hz: int = RATE_HZ, capacity_s: float = 600) -> None:
        self._bytes_per_s = rate_hz * BYTES_PER_SAMPLE
        self._capacity = int(capacity_s * self._bytes_per_s)
        self._items: OrderedDict[str, _Item] = OrderedDict()
        self._held = 0
        self._past: OrderedDict[str, int] = OrderedDict()

    @property
    def is_empty(self) -> bool:
        """Nothing can be handed out now; an item that has not ended may still get more."""
        return not any(item.ready for item in self._items.values())

    @property
    def queued_samples(self) -> int:
        """Whole samples that `pull` has before it would have to fill up with silence."""
        return sum(item.ready for item in self._items.values()) // BYTES_PER_SAMPLE

    @property
    def queued_ms(self) -> int:
        """What is held, rounded down."""
        return self._ms(self._held)

    def push(self, item_id: str, pcm: bytes) -> bool:
        """Put a piece behind the others of its item; False: the queue is full and the piece is refused."""
        if self._held + len(pcm) > self._capacity:
            return False
        item = self._items.get(item_id)
        if item is None:
            item = self._items[item_id] = _Item(item_id, played=self._past.get(item_id, 0))
        item.pcm += pcm
        item.is_ended = False
        self._held += len(pcm)
        return True

    def end(self, item_id: str) -> None:
        """No more pieces come for this item."""
        item = self._items.get(item_id)
        if item is not None:
            item.is_ended = True

    def pull(self, n_bytes: int) -> bytes:
        """Exactly `n_bytes` (whole samples), filled up with silence."""
        out = bytearray()
        while len(out) < n_bytes and (item := self._head()) is not None and item.ready:
            n = min(n_bytes - len(out), item.ready)
            out += item.pcm[:n]
            del item.pcm[:n]
            item.played += n
            self._held -= n
        self._head()
        return bytes(out).ljust(n_bytes, b"\0")

    def clear(self) -> Played | None:
        """Drop everything and say how far the item under way came; None: there was none."""
        head = self._head()
        for item in self._items.values():
            self._remember(item)
        self._items.clear()
        self._held = 0
        if head is None:
            return None
        return Played(head.item_id, self._ms(head.played), self._ms(len(head.pcm)))

    def played_ms(self, item_id: str) -> int:
        """What was handed out of this item, rounded down; of the last 32 items, 0 for others."""
        item = self._items.get(item_id)
        return self._ms(item.played if item is not None else self._past.get(item_id, 0))

    def _head(self) -> _Item | None:
        """The item under way, once those that are over or ran dry have given way."""
        while self._items:
            item = next(iter(self._items.values()))
            if item.ready or (not item.is_ended and len(self._items) == 1):
                return item
            self._held -= len(item.pcm)
            self._remember(item)
            del self._items[item.item_id]
        return None

    def _remember(self, item: _Item) -> None:
        self._past[item.item_id] = item.played
        self._past.move_to_end(item.item_id)
        while len(self._past) > _REMEMBERED_ITEMS:
            self._past.popitem(last=False)

    def _ms(self, n_bytes: int) -> int:
        return n_bytes * 1000 // self._bytes_per_s
