"""One response at a time: the only place that decides when a response is asked for.

Rules

1. The server runs at most one response of the conversation; a second `response.create` is an error. So a response is
   `requested` from the moment the request is sent (not from the server's answer: that would leave a gap), `active`
   from `response.created`, and over with its `response.done`.
2. A request that comes meanwhile waits; there is at most one waiting answer for each turn. They leave in order.
3. Announcements share the queue although the server would run them beside a response: two voices at once help nobody.
4. An answer to somebody who spoke goes before an announcement.
5. A request that the server refuses because another response is active (a benign race: the server began one by itself)
   goes back to the head of the queue, and leaves with the next `response.done`.
"""

from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Job:
    """A wish for a response."""

    turn_id: str
    announcement: str | None = None
    """The text to speak; None: answer the conversation."""
    instructions: str | None = None


class Sequencer:
    """Keeps the requests of one connection in order."""

    def __init__(self) -> None:
        self._waiting: deque[Job] = deque()
        self._job: Job | None = None
        self._event_id = ""
        self._response_id: str | None = None

    @property
    def is_idle(self) -> bool:
        """No response is requested or active."""
        return self._job is None and self._response_id is None

    @property
    def active_response(self) -> str | None:
        """The response that runs, where the server has named one."""
        return self._response_id

    @property
    def active_turn(self) -> str | None:
        """The turn whose response is requested or active."""
        return None if self._job is None else self._job.turn_id

    def add(self, job: Job) -> None:
        """Let `job` wait its turn; a second answer for the same turn is one."""
        if job in self._waiting:
            return
        if job.announcement is None:
            after = next((i for i, other in enumerate(self._waiting) if other.announcement is not None), None)
            if after is not None:
                self._waiting.insert(after, job)
                return
        self._waiting.append(job)

    def next(self, event_id: str) -> Job | None:
        """The request to send now under `event_id`, or None while one is under way or none waits."""
        if not self.is_idle or not self._waiting:
            return None
        self._job = self._waiting.popleft()
        self._event_id = event_id
        return self._job

    def created(self, response_id: str) -> Job | None:
        """The server began a response: the job that it serves, or None where the server began it by itself."""
        self._response_id = response_id
        return self._job

    def done(self, response_id: str) -> None:
        """A response ended; one that was not the active one changes nothing."""
        if self._response_id in (None, "", response_id):
            self._job = None
            self._response_id = None

    def busy(self, event_id: str) -> bool:
        """The server refused this request because a response is active; True where the request was ours to repeat."""
        if self._job is None or event_id != self._event_id or self._response_id is not None:
            return False
        self._waiting.appendleft(self._job)
        self._job = None
        self._response_id = ""  # one that the server began by itself and whose id is not known: any `done` ends it
        return True

    def refused(self, event_id: str) -> Job | None:
        """The server refused this request for good: the job that it was."""
        if self._job is None or event_id != self._event_id:
            return None
        job, self._job = self._job, None
        return job

    def has(self, turn_id: str) -> bool:
        """A response for this turn waits, is requested or runs."""
        return self.active_turn == turn_id or any(job.turn_id == turn_id for job in self._waiting)

    def drop(self, turn_id: str) -> None:
        """Nobody needs an answer to this turn any more; one that is under way is the caller's to cancel."""
        self._waiting = deque(job for job in self._waiting if job.turn_id != turn_id)

    def clear(self) -> None:
        """The connection is gone, and its responses with it."""
        self._waiting.clear()
        self._job = None
        self._response_id = None
