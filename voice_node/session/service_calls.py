"""What the service does for a turn by itself: calls of tools of MCP servers (`session.tools`).

Source: OpenAI's guide to Realtime tools, the example `mcp_approval` of its Ruby SDK, and reports of users, as of
2026-11. The service announces a call, asks for leave where the room file wants that (`require_approval`), makes the
call and tells of its end. Then it is silent, unless the same response still runs: the model must be asked to go on.

Rules

1. A turn is not over while a request for leave is open, or a call that was announced has not ended.
2. A request belongs to the first announced call that has none. A no ends that call. Who speaks while no request is open
   has the results: calls whose end was not told have ended.
3. Once nothing is open and nobody spoke since, the model is asked again; `MOST_ROUNDS` times in a turn.
"""

from dataclasses import dataclass, field

MOST_REQUESTS = 16
"""Of one turn; the others are refused at once."""
MOST_RUNNING = 16
MOST_ROUNDS = 8
"""Of one turn: every answer costs."""


@dataclass(slots=True)
class ServiceCalls:
    """Of one turn, on one connection."""

    running: list[str] = field(default_factory=list)
    """Calls that were announced and have not ended; a request's id stands for the call that it leads to."""
    open_requests: dict[str, str] = field(default_factory=dict)
    """Those that wait for a person, each with its call, "" where that is not known."""
    is_answer_due: bool = False
    """The service acted, and the model has said nothing since."""
    rounds: int = 0
    _requests: int = 0
    _allowed: list[str] = field(default_factory=list)
    """Requests in `running` whose call is not known yet, never one that is not in there."""

    @property
    def is_waiting(self) -> bool:
        """It is somebody else's move."""
        return bool(self.running or self.open_requests)

    def began(self, call_id: str) -> bool:
        """The service announces a call, or begins with it; False where it tells nothing new."""
        self.is_answer_due = True
        if not call_id or call_id in self.running:
            self._allowed = [request_id for request_id in self._allowed if request_id != call_id]
            return False
        if self._allowed:
            self._drop(self._allowed[0])
        if len(self.running) >= MOST_RUNNING:
            return False
        self.running.append(call_id)
        return True

    def ended(self, call_id: str) -> bool:
        """A call is over; False where nobody knew of it."""
        if call_id not in self.running:
            if not self._allowed:
                return False
            call_id = self._allowed[0]
        self._drop(call_id)
        return True

    def ask(self, request_id: str) -> bool:
        """The service asks for leave; False where that is one request too many."""
        if self._requests >= MOST_REQUESTS:
            return False
        self._requests += 1
        taken = self.open_requests.values()
        call_id = next((call_id for call_id in self.running if call_id not in (*taken, *self._allowed)), "")
        self.open_requests[request_id] = call_id
        self.is_answer_due = True
        return True

    def answer(self, request_id: str, *, is_approved: bool) -> None:
        """A person, or nobody, decided."""
        call_id = self.open_requests.pop(request_id) or request_id  # a call may have its request's id
        if is_approved and call_id not in self.running and request_id not in self.running:
            self.running.append(request_id)
            self._allowed.append(request_id)
        elif not is_approved and call_id in self.running:
            self._drop(call_id)

    def spoke(self) -> None:
        """The model says something."""
        if not self.open_requests:
            self.give_up()
            self.is_answer_due = False

    def give_up(self) -> None:
        """Wait for no call any more."""
        self.running.clear()
        self._allowed.clear()

    def clear(self) -> None:
        """The connection is gone, and everything with it."""
        self.give_up()
        self.open_requests.clear()
        self.is_answer_due = False

    def _drop(self, call_id: str) -> None:
        self.running.remove(call_id)
        if call_id in self._allowed:
            self._allowed.remove(call_id)
