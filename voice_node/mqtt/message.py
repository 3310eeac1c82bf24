"""What goes to the broker and what comes from it, before and after JSON."""

from dataclasses import dataclass
from typing import Literal

from voice_node.mqtt.topics import is_publishable

LARGEST_PAYLOAD = 64 * 1024
"""Bytes, both ways."""
LARGEST_ASIDE = 1024 * 1024
"""Bytes of what can never be sent and is set aside."""
LARGEST_CORRELATION = 256
"""Bytes, both ways."""


@dataclass(frozen=True, slots=True)
class Message:
    """One PUBLISH to be sent.

    A message that a broker would drop the connection for cannot be made: paho would send it again on every
    connection, and nothing behind it would ever leave.

    Raises:
        ValueError: the topic cannot be published to, or something is too large.
    """

    topic: str
    payload: bytes
    qos: Literal[0, 1]
    is_retained: bool = False
    is_latest: bool = False
    """Only the newest on this topic counts, and it is sent again on every connection."""
    is_kept: bool = False
    """May wait while the broker is away. Its payload is a JSON object."""
    expiry_s: float | None = None
    """What is left of its time; the broker is told whole seconds, rounded up."""
    response_topic: str | None = None
    correlation: bytes | None = None
    flaw: str | None = None
    """Why it can never be sent: it is only set aside, for people to see. Its payload need not be what it should be."""

    def __post_init__(self) -> None:
        if not is_publishable(self.topic):
            raise ValueError("the topic is empty, too long, or holds a wildcard or NUL")
        largest = LARGEST_PAYLOAD if self.flaw is None else LARGEST_ASIDE
        if len(self.payload) > largest:
            raise ValueError(f"the payload is larger than {largest} bytes")
        if self.response_topic is not None and not is_publishable(self.response_topic):
            raise ValueError("the response topic is empty, too long, or holds a wildcard or NUL")
        if self.correlation is not None and len(self.correlation) > LARGEST_CORRELATION:
            raise ValueError(f"the correlation data is larger than {LARGEST_CORRELATION} bytes")

    @property
    def wire_size(self) -> int:
        """Bytes of the PUBLISH packet, rounded up."""
        properties = len((self.response_topic or "").encode()) + len(self.correlation or b"")
        return len(self.topic.encode()) + len(self.payload) + properties + 32


@dataclass(frozen=True, slots=True)
class Incoming:
    """One PUBLISH as it came."""

    topic: str
    payload: bytes
    is_retained: bool = False
    """Stored at the broker before the node subscribed."""
    response_topic: str | None = None
    correlation: bytes | None = None
