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
    called: set[str] = field(default_factory=set)
    """Calls that the model made."""
    answered: set[str] = field(default_factory=set)
    """Those whose output came."""

    def tells(self, event: ev.ServerEvent) -> None:
        """Say it."""
        self.past.append(event)
        match event:
            case ev.CallDone(_, call):
                self.called.add(call.call_id)
            case ev.ResponseDone(calls=calls):
                self.called |= {call.call_id for call in calls}

    def takes_output(self, call_id: str) -> None:
        """One for each call, and none for what is no call of this connection."""
        assert call_id in self.called, "an output for no call"
        assert call_id not in self.answered, "two outputs"
        self.answered.add(call_id)
