"""Every exception that ends a stage, and the exit code that the process takes from it.

    NodeError
     +-- ConfigError      78  the room file, a secret or a recording cannot be used; restarting cannot help
     +-- SessionRefused   77  the service refuses this key, account or model
     +-- CaptureLost      74  the microphone stays away
     +-- AlreadyRuns      75  another process runs this room; when it ends, a restart helps

Trouble that the node survives is a value on the road (`model.turn`), not an exception. Anything else that
escapes is a bug and exits with 1.
"""

from typing import ClassVar


class NodeError(Exception):
    """A stage cannot go on. The text is for people: it names the place and holds no secret and no spoken word."""

    exit_code: ClassVar[int] = 1


class ConfigError(NodeError):
    """The configuration cannot be used; the text holds one problem a line."""

    exit_code = 78


class SessionRefused(NodeError):
    """The Realtime service refuses for good: key, account, model or dialect."""

    exit_code = 77


class CaptureLost(NodeError):
    """The sound source ended or stays away."""

    exit_code = 74


class AlreadyRuns(NodeError):
    """Another process on this machine runs the same room."""

    exit_code = 75


class NotExamined(Exception):
    """A room that was to be looked at could not be; the text says why, for people."""
