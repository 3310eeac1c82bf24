"""One connection's other end, as the tests of interleavings hold it: what it was asked, and what it owes."""

from dataclasses import dataclass, field

from voice_node.session import events as ev


@dataclass
class Response:
    """A response at work."""

    response_id: str
    turn_id: str | None
    """None: the service began it by itself."""
    calls: list[ev.FunctionCall] = field(default_factory=list)


@dataclass
class Service:
    """One connection's other end: holds the node to the API's rules."""

    number: int
    is_configured: bool = False
    buffer: bytearray = field(default_factory=bytearray)
    requested: ev.CreateResponse | ev.CreateAnnouncement | None = None
    active: Response | None = None
    own: Response | None = None
    """Began before a request came in: the request will be refused."""
    commits: list[str] = field(default_factory=list)
    """Event ids that were not answered yet."""
    unwritten: list[str] = field(default_factory=list)
    """Items without a transcript so far."""
    past: list[ev.ServerEvent] = field(default_factory=list)
    """What was said before, to be said again."""
