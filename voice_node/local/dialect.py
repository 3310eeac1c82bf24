"""What a client's dialect of the Realtime API is: how its events become GA's, and ours become its own.

Inside, everything is GA. GA itself passes as it is; the other dialect is in `wire_beta`.
"""

from typing import Any, Literal, Protocol

from voice_node.local.refusal import Refused
from voice_node.local.wire import Event

DialectName = Literal["ga", "beta"]


class Dialect(Protocol):
    """One connection's."""

    def read(self, event: dict[str, Any]) -> dict[str, Any]:
        """The GA event that a client means. Raises Refused."""
        ...

    def write(self, event: Event) -> Event | None:
        """What the client is told; None: nothing."""
        ...

    def refused(self, refused: Refused) -> Refused:
        """A refusal of a GA event, in the client's words."""
        ...


class Ga:
    """The dialect of today."""

    def read(self, event: dict[str, Any]) -> dict[str, Any]:
        """As it is."""
        return event

    def write(self, event: Event) -> Event | None:
        """As it is."""
        return event

    def refused(self, refused: Refused) -> Refused:
        """As it is."""
        return refused
