"""One response at a time: the only place that decides when a response is asked for.

Rules

1. The server runs at most one response of the conversation; a second `response.create` is an error. So a response is
   `requested` from the moment the request is sent (not from the server's answer: that would leave a gap), `active`
   from `response.created`, and over with its `response.done`.
2. A request that comes meanwhile waits; there is at most one waiting answer for each turn. They leave in order.
3. Announcements share the queue although the server would run them beside a response: two voices at once help nobody.
4. An answer to somebody who spoke goes before what was typed, and that before an announcement. No announcement begins
   over a person speaking, and nothing that was typed while a call is open: its words would be taken for the call's.
   What may not leave yet holds nobody up: the call may wait for the answer to an announcement.
5. A response that names the requested turn in its metadata is ours, and so is one that names none: not every server
   gives metadata back. Any other was begun by the server itself; nothing is asked for before it is over.
6. A request that the server refuses because another response is active (a benign race: the server began one by itself)
   goes back to the head of the queue, and leaves with the next `response.done`. What was taken for its response was
   the server's own. A refusal that names no request is believed when a response of the server's own ends first.
7. A response is over once: what is said of it later changes nothing.
8. Where the service answers its own turn detection's turns unasked, such a response is expected instead of requested.
   No refusal concerns it. A response that made the service refuse a request of ours is the expected one.
"""

from collections import deque
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Job:
    """A wish for a response."""

    turn_id: str
    announcement: str | None = None
    """The text to speak; None: answer the conversation."""
    instructions: str | None = None
    is_typed: bool = False
    """It begins a turn that was typed: the words go to the service with it."""

    @property
    def rank(self) -> int:
        """Rule 4: the lower goes first."""
        return 2 if self.announcement is not None else int(self.is_typed)


class Sequencer:
    """Keeps the requests of one connection in order."""

    def __init__(self) -> None:
        self._waiting: deque[Job] = deque()
        self._job: Job | None = None
        """What was asked for last, until its response is over."""
        self._event_id = ""
        """Of its request; "" where it is expected."""
        self._response_id: str | None = None
        """Of the job's response, once the server named it."""
        self._is_doubtful = False
        """The server refused some request, perhaps this one."""
        self._others: set[str] = set()
        """Responses that the server began by itself; "" is one that it did not name."""
        self._over: deque[str] = deque(maxlen=64)
        self._expected: deque[Job] = deque()

    @property
    def is_idle(self) -> bool:
        """No response is requested or active."""
        return self._job is None and not self._others

    @property
    def active_response(self) -> str | None:
        """The response that runs for `active_turn`, where the server has named it."""
        return self._response_id

    @property
    def active_turn(self) -> str | None:
        """The turn whose response is requested or active."""
        return None if self._job is None else self._job.turn_id

    def add(self, job: Job) -> None:
        """Let `job` wait its turn; a second answer for the same turn is one."""
        if job in self._waiting:
            return
        after = next((i for i, other in enumerate(self._waiting) if other.rank > job.rank), len(self._waiting))
        self._waiting.insert(after, job)

    def expect(self, job: Job) -> None:
        """The service will answer this turn without being asked."""
        self._expected.append(job)
        self._take_expected()

    def next(self, event_id: str, *, may_announce: bool = True, may_begin: bool = True) -> Job | None:
        """The request to send now under `event_id`, or None while one is under way or none may leave."""
        if not self.is_idle:
            return None
        free = (
            job
            for job in self._waiting
            if (may_announce or job.announcement is None) and (may_begin or not job.is_typed)
        )
        job = next(free, None)
        if job is None:
            return None
        self._waiting.remove(job)
        self._job = job
        self._event_id = event_id
        self._is_doubtful = False
        return job

    def created(self, response_id: str, turn_id: str | None) -> Job | None:
        """The server began a response that names this turn: the job that it serves, or None where it is not ours."""
        if response_id in self._over:
            return None
        if self._is_ours(response_id, turn_id):
            self._response_id = response_id
            return self._job
        self._others.add(response_id)
        return None

    def is_over(self, response_id: str) -> bool:
        """This response was done before."""
        return response_id in self._over

    def done(self, response_id: str, turn_id: str | None) -> Job | None:
        """A response ended: the job that it served, or None where it was not ours."""
        if response_id in self._over:
            return None
        if response_id:
            self._over.append(response_id)
        if response_id not in self._others and self._is_ours(response_id, turn_id):
            job, self._job, self._response_id = self._job, None, None
            self._take_expected()
            return job
        self._others -= {response_id, ""}
        if self._is_doubtful and self._job is not None and self._response_id is None:
            self._waiting.appendleft(replace(self._job, is_typed=False))  # its words are there
            self._job = None
        return None

    def busy(self, event_id: str) -> str | None:
        """The server refused this request because a response is active.

        None where that was no request to repeat; else the response that was taken for ours, or "".
        """
        self._is_doubtful = not event_id and self._event_id != ""
        if self._job is None or not event_id or event_id != self._event_id:
            return None
        taken = self._response_id or ""
        self._waiting.appendleft(replace(self._job, is_typed=False))  # its words are there
        self._job = self._response_id = None
        if self._expected:
            self._take_expected()
            self._response_id = taken or None
        else:
            self._others.add(taken)
        return taken

    def refused(self, event_id: str) -> Job | None:
        """The server refused this request for good: the job that it was."""
        if not event_id or event_id != self._event_id:
            return None
        job = self._job
        if self._response_id is None:  # else its response runs all the same, until it is cancelled
            self._job = None
        return job

    def has(self, turn_id: str) -> bool:
        """A response for this turn waits, is requested or runs."""
        return self.active_turn == turn_id or any(job.turn_id == turn_id for job in (*self._waiting, *self._expected))

    def drop(self, turn_id: str) -> None:
        """Nobody needs an answer to this turn any more; one that is under way is the caller's to cancel."""
        self._waiting = deque(job for job in self._waiting if job.turn_id != turn_id)
        self._expected = deque(job for job in self._expected if job.turn_id != turn_id)

    def clear(self) -> None:
        """The connection is gone, and its responses with it."""
        self._waiting.clear()
        self._expected.clear()
        self._others.clear()
        self._over.clear()
        self._job = self._response_id = None

    def _take_expected(self) -> None:
        if self._job is None and self._expected:
            self._job = self._expected.popleft()
            self._event_id = ""
            self._is_doubtful = False

    def _is_ours(self, response_id: str, turn_id: str | None) -> bool:
        if self._job is None or turn_id not in (None, self._job.turn_id):
            return False
        return not response_id or self._response_id in (None, response_id)
