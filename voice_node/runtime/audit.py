"""What became of each tool call, for whoever asks later: `audit.jsonl` in the room's state directory.

One JSON object a line, the newest last. A file that reaches `MOST_BYTES` becomes `audit.jsonl.1`, and the one before it
is gone: twice that much is the most on disk. Only the service's own user can read it.
"""

import json
import logging
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from voice_node.runtime.worker import Worker

log = logging.getLogger(__name__)

MOST_BYTES = 1024 * 1024


class AuditLog:
    """Appends entries, in order, off the event loop."""

    def __init__(self, directory: Path, most_bytes: int = MOST_BYTES) -> None:
        self._path = directory / "audit.jsonl"
        self._most_bytes = most_bytes
        self._worker = Worker("audit")
        self._is_lost = False
        """Writing failed the last time; that was said once."""

    async def write(self, entry: Mapping[str, Any]) -> None:
        """Append one entry with the time; a disk that cannot be written is logged, not fatal."""
        line = json.dumps({"at": datetime.now(UTC).isoformat(timespec="milliseconds"), **entry}, ensure_ascii=False)
        await self._worker.call(lambda: self._append(line.encode() + b"\n"))

    def stop(self) -> None:
        """End the thread after what waits to be written."""
        self._worker.stop()

    def _append(self, line: bytes) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK, 0o600)
            try:
                os.fchmod(descriptor, 0o600)  # a file from elsewhere may be open to others
                os.write(descriptor, line)
                size = os.fstat(descriptor).st_size
            finally:
                os.close(descriptor)
            if size >= self._most_bytes:
                self._path.replace(self._path.with_suffix(".jsonl.1"))
        except OSError as error:
            if not self._is_lost:
                log.error("%s cannot be written: %s", self._path, error.strerror)  # noqa: TRY400 - as for state.json
            self._is_lost = True
        else:
            self._is_lost = False
