"""One process a room: a lock in the state directory, which the kernel releases with the process, however it ends."""

import fcntl
import logging
import os
from pathlib import Path

from voice_node.model.errors import AlreadyRuns

log = logging.getLogger(__name__)


class RoomLock:
    """Held from `take` until `release` or the end of the process; never by a program that the process starts."""

    def __init__(self) -> None:
        self._directory: Path | None = None
        self._file: int | None = None

    def take(self, directory: Path, room: str) -> None:
        """Hold the room whose state is in `directory`, and no other one; raises `AlreadyRuns`.

        Nothing happens where it is held already. A directory that cannot be written is logged, and the room runs
        without a lock: a full disk silences nobody.
        """
        if directory == self._directory:
            return
        self.release()
        try:
            directory.mkdir(parents=True, exist_ok=True)
            file = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            log.warning("%s cannot be written (%s): nothing keeps a second %s away", directory, error.strerror, room)
            return
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            raise AlreadyRuns(f"room {room} already runs here (its state is in {directory})") from None
        except OSError as error:
            os.close(file)
            log.warning("%s cannot be locked (%s): nothing keeps a second %s away", directory, error.strerror, room)
            return
        self._directory, self._file = directory, file

    def release(self) -> None:
        """Let others have it."""
        if self._file is not None:
            os.close(self._file)
        self._directory = self._file = None


def is_held(directory: Path) -> bool:
    """Whether a process runs the room whose state is there. Takes nothing, and changes nothing on disk."""
    try:
        file = os.open(directory / "lock", os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    else:
        return False
    finally:
        os.close(file)
