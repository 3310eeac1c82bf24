"""Log setup: for the journal with priorities, for a terminal with times. No secrets, no spoken words."""

import logging
import os
import re
import sys
import threading
from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import TextIO

_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}

_CHATTY = ("websockets", "asyncio")
"""Libraries whose DEBUG lines hold headers with keys, or every frame: never below INFO."""

_SILENT = ("mcp", "httpx2", "httpcore2")
"""Libraries whose lines, errors too, hold what was said to a server of tools or by it: never logged."""


class Redaction(logging.Formatter):
    """Takes secrets out of every line, tracebacks included, whoever wrote it."""

    def __init__(self, template: str, secrets: Iterable[str]) -> None:
        super().__init__(template)
        # The longest first: a secret that begins with another one must not leave its rest.
        words = sorted(filter(None, secrets), key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, words)) or "(?!)")

    def format(self, record: logging.LogRecord) -> str:
        """The line without secrets."""
        return self._secrets.sub("[secret]", super().format(record))


class JournalFormatter(Redaction):
    """Each line with its syslog priority, as systemd reads it from standard error."""

    def format(self, record: logging.LogRecord) -> str:
        """The record's lines, each with its priority."""
        prefix = f"<{_PRIORITIES.get(record.levelno, 6)}>"
        return "\n".join(prefix + line for line in super().format(record).splitlines())


class Lines(logging.StreamHandler[TextIO]):
    """One line a record, on standard error."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is logging's
        """Say where a call of the log is wrong; the standard way prints its arguments, secrets included."""
        with suppress(OSError, ValueError):
            self.stream.write(f"a line of {record.pathname}:{record.lineno} could not be logged\n")


def set_up(level: str, room: str, secrets: Iterable[str] = ()) -> None:
    """Log to standard error at `level` (`debug` .. `error`); every line names the room."""
    handler = Lines(sys.stderr)
    if _is_journal(sys.stderr):
        handler.setFormatter(JournalFormatter(f"[{room}] %(message)s", secrets))
    else:
        handler.setFormatter(Redaction(f"%(asctime)s %(levelname)-7s [{room}] %(message)s", secrets))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(logging.INFO, logging.getLogger().level))
    for name in _SILENT:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    sys.excepthook = _tell_bug
    threading.excepthook = lambda args: _tell_bug(args.exc_type, args.exc_value, args.exc_traceback)


def _tell_bug(kind: type[BaseException], bug: BaseException | None, trace: TracebackType | None) -> None:
    """What nobody caught: Python's own way past the log would print secrets that stand in it."""
    logging.getLogger(__name__).critical("a bug: %s", kind.__name__, exc_info=bug and (kind, bug, trace))


def _is_journal(stream: TextIO) -> bool:
    """`$JOURNAL_STREAM` names the journal's stream; children inherit the variable, whatever they write to."""
    try:
        place = os.fstat(stream.fileno())
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{place.st_dev}:{place.st_ino}"
