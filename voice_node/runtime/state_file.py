"""What must survive a restart: a small JSON file that is replaced whole or not at all."""

import json
import logging
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)


class StateFile:
    """`state.json` in the room's state directory. A file that cannot be read counts as empty and is set aside."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "state.json"
        self._content: dict[str, Any] = {}
        self._writing = threading.Lock()
        self._is_loaded = False
        self.was_unreadable = False
        """There was a file, and nobody knows what it said."""

    def load(self) -> None:
        """Read the file, if there is one; once: afterwards memory knows better than a disk that may be full."""
        if self._is_loaded:
            return
        self._is_loaded = True
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return
        except (OSError, ValueError, RecursionError) as error:
            self._set_aside(type(error).__name__)
            return
        if isinstance(content, dict):
            self._content = content
        else:
            self._set_aside("no JSON object")

    def flag(self, key: str) -> bool:
        """A remembered yes or no; no where nothing is remembered."""
        return self._content.get(key) is True

    def number(self, key: str, default: int) -> int:
        """A remembered whole number."""
        value = self._content.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else default

    def mapping(self, key: str) -> dict[str, Any]:
        """Remembered values by name."""
        value = self._content.get(key)
        return dict(value) if isinstance(value, dict) else {}

    def save(self, changes: Mapping[str, Any]) -> None:
        """Remember `changes`, on disk before this returns; a disk that cannot be written is logged, not fatal.

        Blocks; may be called from several threads.
        """
        with self._writing:
            self._content |= changes
            self._write()

    def _write(self) -> None:
        temporary = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("w", encoding="utf-8") as file:
                json.dump(self._content, file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._path)
            _sync(self._path.parent)
        except OSError as error:
            log.error("%s cannot be written: %s", self._path, error.strerror)  # noqa: TRY400 - no traceback for a full disk

    def _set_aside(self, why: str) -> None:
        self.was_unreadable = True
        log.warning("%s cannot be read (%s): it is set aside", self._path, why)
        try:
            self._path.replace(self._path.with_suffix(".bad"))
        except OSError:
            return


def _sync(directory: Path) -> None:
    """A new name is on disk only when its directory is."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def state_directory(room: str, environ: Mapping[str, str] = os.environ) -> Path:
    """systemd's `$STATE_DIRECTORY`, else the user's state directory."""
    given = environ.get("STATE_DIRECTORY")
    if given:
        return Path(given.split(":")[0])
    home = environ.get("XDG_STATE_HOME") or str(Path(environ.get("HOME", "/var/lib")) / ".local" / "state")
    return Path(home) / "voice-node" / room
