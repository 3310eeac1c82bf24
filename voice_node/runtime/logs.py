"""Log setup: for the journal with priorities, for a terminal with times. No secrets, no spoken words."""

import logging
import os
import sys
from collections.abc import Iterable

_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}

_CHATTY = ("websockets", "asyncio")
"""Libraries whose DEBUG lines hold headers with keys, or every frame: never below INFO."""


class Redaction(logging.Formatter):
    """Takes secrets out of every line, tracebacks included, whoever wrote it."""

    def __init__(self, template: str, secrets: Iterable[str]) -> None:
        super().__init__(template)
        self._secrets = [secret for secret in secrets if secret]

    def format(self, record: logging.LogRecord) -> str:
        """The line without secrets."""
        line = super().format(record)
        for secret in self._secrets:
            line = line.replace(secret, "[secret]")
        return line


class JournalFormatter(Redaction):
    """Each line with its syslog priority, as systemd reads it from standard error."""

    def format(self, record: logging.LogRecord) -> str:
        """The record's lines, each with its priority."""
        prefix = f"<{_PRIORITIES.get(record.levelno, 6)}>"
        return "\n".join(prefix + line for line in super().format(record).splitlines())


def set_up(level: str, room: str, secrets: Iterable[str] = ()) -> None:
    """Log to standard error at `level` (`debug` .. `error`); every line names the room."""
    handler = logging.StreamHandler(sys.stderr)
    if "JOURNAL_STREAM" in os.environ:
        handler.setFormatter(JournalFormatter(f"[{room}] %(message)s", secrets))
    else:
        handler.setFormatter(Redaction(f"%(asctime)s %(levelname)-7s [{room}] %(message)s", secrets))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(logging.INFO, logging.getLogger().level))
