"""What must survive a restart: a small JSON file that is replaced whole or not at all."""

import json
import logging
import os
import stat
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

LARGEST = 1024 * 1024
"""Bytes; a whole state has a few thousand."""


class StateFile:
    """`state.json` in the room's state directory. A file that cannot be read counts as empty and is set aside."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "state.json"
        self._content: dict[str, Any] = {}
        self._writing = threading.Lock()
        self._is_loaded = False
        self.was_unreadable = False
        """There was a file, and nobody knows what it said."""
        self.problem: str | None = None
        """Why what is remembered here may not survive the next restart, for people."""

    def load(self) -> None:
        """Read the file, if there is one; once: afterwards memory knows better than a disk that may be full."""
        if self._is_loaded:
            return
        self._is_loaded = True
        try:
            content = json.loads(_read(self._path))
        except FileNotFoundError:
            return
        except _UnusableError as error:
            self._set_aside(str(error))
            return
        except OSError as error:
            self._set_aside(error.strerror or type(error).__name__)
            return
        except (ValueError, RecursionError):
            self._set_aside("it is cut off or damaged")
            return
        if isinstance(content, dict):
            self._content = content
        else:
            self._set_aside("it is cut off or damaged")

    def flag(self, key: str) -> bool:
        """A remembered yes or no; no where nothing is remembered."""
        return self._content.get(key) is True

    def mapping(self, key: str) -> dict[str, Any]:
        """Remembered values by name."""
        value = self._content.get(key)
        return dict(value) if isinstance(value, dict) else {}

    def save(self, changes: Mapping[str, Any]) -> str | None:
        """Remember `changes`, on disk before this returns. A disk that cannot be written is no error: see `problem`.

        Returns `problem`. Blocks; may be called from several threads.
        """
        with self._writing:
            self._content |= changes
            self._write()
            return self.problem

    def _write(self) -> None:
        temporary = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            temporary.unlink(missing_ok=True)  # whatever it is: opening a pipe would wait for its reader
            with temporary.open("x", encoding="utf-8") as file:
                json.dump(self._content, file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._path)
            _sync(self._path.parent)
        except OSError as error:
            problem = f"{self._path} cannot be written ({error.strerror}): a restart forgets a mute or a setting"
            if problem != self.problem:
                log.error("%s", problem)  # noqa: TRY400 - no traceback for a full disk
            self.problem = problem
        else:
            if self.problem is not None:
                log.info("%s is whole again", self._path)
            self.problem = None

    def _set_aside(self, why: str) -> None:
        self.was_unreadable = True
        self.problem = f"{self._path} could not be read ({why}) and is set aside: the room is muted until it is unmuted"
        log.warning("%s", self.problem)
        try:
            self._path.replace(self._path.with_suffix(".bad"))
        except OSError:
            return


class _UnusableError(Exception):
    """This is no state; the text says what it is."""


def _read(path: Path) -> str:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # opening a pipe would wait for its writer
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _UnusableError("it is no file")
        content = os.read(descriptor, LARGEST + 1)
    finally:
        os.close(descriptor)
    if len(content) > LARGEST:
        raise _UnusableError(f"it is larger than {LARGEST} bytes")
    return content.decode()


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
