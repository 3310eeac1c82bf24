"""Log setup: for the journal with priorities, for a terminal with times. No secrets, no spoken words.

The text of an exception that nobody expected may hold anything, what was said too: of a bug the log tells the types
and the places in the code, and its text only where the room file lets spoken words into the log.
"""

import logging
import os
import re
import sys
import threading
import traceback
from collections.abc import Iterable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import TextIO

_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}

_CHATTY = ("websockets", "asyncio")
"""Libraries whose DEBUG lines hold headers with keys, or every frame: never below INFO."""

_SILENT = ("mcp", "httpx2", "httpcore2")
"""Libraries whose lines, errors too, hold what was said to a server of tools or by it: never logged."""


ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
SHORT = 6
"""Characters: a secret with fewer may be a part of any word, and is taken out where it stands by itself."""
DEEPEST = 8
"""Exceptions that led to one another, or stand in one another."""


class Redaction(logging.Formatter):
    """Takes secrets out of every line, whoever wrote it, and the texts out of exceptions."""

    def __init__(self, template: str, secrets: Iterable[str], *, tells_words: bool = False) -> None:
        """`tells_words`: the texts of exceptions stay."""
        super().__init__(template)
        self._tells_words = tells_words
        # The longest first: a secret that begins with another one must not leave its rest.
        words = sorted(filter(None, secrets), key=len, reverse=True)
        self._secrets = re.compile("|".join(map(_pattern, words)) or "(?!)")

    def format(self, record: logging.LogRecord) -> str:
        """The line without secrets."""
        record.exc_text = None  # of another formatter, which may have told more
        return self._secrets.sub("[secret]", super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is logging's
        """The line; asyncio's own lines on bugs go on with the exception, and with what a callback was called with."""
        if record.name == "asyncio" and record.exc_info and not self._tells_words:
            record.message = record.message.partition("\n")[0].partition("(")[0]
        return super().formatMessage(record)

    def formatException(self, ei: ExceptionInfo) -> str:  # noqa: N802 - the name is logging's
        """The traceback, without what the exceptions say."""
        if self._tells_words or ei[1] is None:
            return super().formatException(ei)
        return "\n".join(_places(ei[1]))


def _pattern(secret: str) -> str:
    """Beside a letter or digit at the edge of a short secret stands no other, but that of an escaped `\\n`."""
    found = re.escape(secret)
    if len(secret) < SHORT:
        before = r"(?:(?<![^\W_])|(?<=\\[nrt]))" if secret[0].isalnum() else ""
        after = r"(?![^\W_])" if secret[-1].isalnum() else ""
        found = before + found + after
    return found


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


def set_up(level: str, room: str, secrets: Iterable[str] = (), *, tells_words: bool = False) -> None:
    """Log to standard error at `level` (`debug` .. `error`); every line names the room.

    `tells_words`: spoken words may stand in it, so the texts of exceptions that nobody expected may.
    """
    handler = Lines(sys.stderr)
    if _is_journal(sys.stderr):
        handler.setFormatter(JournalFormatter(f"[{room}] %(message)s", secrets, tells_words=tells_words))
    else:
        template = f"%(asctime)s %(levelname)-7s [{room}] %(message)s"
        handler.setFormatter(Redaction(template, secrets, tells_words=tells_words))
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


def _places(bug: BaseException, depth: int = 0) -> Iterator[str]:
    """Where it happened and of what type it is, with what led to it and what stands in it; never what it says."""
    if depth > DEEPEST:
        yield "and more"
        return
    origin = bug.__cause__ or (None if bug.__suppress_context__ else bug.__context__)
    if origin is not None:
        yield from _places(origin, depth + 1)
        yield "this led to:"
    yield "Traceback (most recent call last):"
    yield from "".join(traceback.format_tb(bug.__traceback__)).splitlines()
    yield type(bug).__qualname__
    for number, part in enumerate(bug.exceptions if isinstance(bug, BaseExceptionGroup) else (), 1):
        yield f"{number} in it:"
        yield from (f"  {line}" for line in _places(part, depth + 1))


def _is_journal(stream: TextIO) -> bool:
    """`$JOURNAL_STREAM` names the journal's stream; children inherit the variable, whatever they write to."""
    try:
        place = os.fstat(stream.fileno())
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{place.st_dev}:{place.st_ino}"
