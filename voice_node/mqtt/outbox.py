"""What may wait, on disk: it outlives the process and the machine.

What is kept in memory is the truth of a run; the file follows it, in one thread, a batch at a time, while the messages
are already on their way. So a disk that is full, read-only, slow or broken delays nothing and loses nothing as long as
the process lives: it is reported once, tried again every `RETRY_S`, and then brought level. A file that is no database,
is damaged or is of another version is set aside as `outbox.db.bad` and begun anew.

SQLite in WAL mode with full synchronisation: what was committed survives a power cut, at one fdatasync a batch. The
exclusive lock keeps a second node out of the file, and spares the shared-memory file that WAL needs otherwise. The file
is capped; the cap is above what `Outgoing` lets wait, so that the oldest is dropped there and not here. Small
checkpoints and a small journal make that hold on a full disk too, where SQLite could not even delete. What is deleted
is overwritten: it was spoken at home.
"""

import asyncio
import json
import logging
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from voice_node.mqtt.message import Message
from voice_node.mqtt.outgoing import MOST_KEPT, OLDEST_KEPT_MS, Kept
from voice_node.runtime.worker import Worker

_log = logging.getLogger(__name__)

RETRY_S = 3.0
MOST_PARKED = 50
MOST_PARKED_BYTES = 4 * 1024 * 1024
_MOST_PAGES = 4096
"""Of 4 KiB."""
_VERSION = 1
_CLOCK_WAS_SET = 1_700_000_000.0
"""A time before this (November 2023) was told by a clock that had not been set yet: it says nothing about an age."""
_SETTINGS = (
    "PRAGMA locking_mode = EXCLUSIVE",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA page_size = 4096",
    f"PRAGMA max_page_count = {_MOST_PAGES}",
    "PRAGMA wal_autocheckpoint = 16",
    "PRAGMA journal_size_limit = 262144",
    "PRAGMA secure_delete = ON",
)
_TABLES = (
    "CREATE TABLE IF NOT EXISTS kept (number INTEGER PRIMARY KEY, identity TEXT NOT NULL UNIQUE,"
    " at REAL NOT NULL, topic TEXT NOT NULL, payload BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS parked (number INTEGER PRIMARY KEY, at REAL NOT NULL, why TEXT NOT NULL,"
    " topic TEXT NOT NULL, payload BLOB NOT NULL)",
)


@dataclass(frozen=True, slots=True)
class _Row:
    identity: str
    at: float
    """By the wall clock."""
    message: Message


@dataclass(frozen=True, slots=True)
class _Parked:
    row: _Row
    why: str


class Outbox:
    """Keeps messages in `<directory>/outbox.db`. All methods belong to the event loop, and none but `open` waits.

    Args:
        directory: the room's state; made if it is not there.
        restored: hears what an earlier run left, once, in order; later than `open` where the disk came later.
        trouble: hears in words what is wrong with the disk or the file, once until it is well again.
    """

    def __init__(
        self, directory: Path, restored: Callable[[Sequence[Kept]], None], trouble: Callable[[str], None]
    ) -> None:
        self._disk = _Disk(directory / "outbox.db")
        self._restored = restored
        self._trouble = trouble
        self._worker = Worker("outbox")
        self._is_open = False
        self._is_restored = False
        self._has_trouble = False
        self._kept: dict[str, _Row] = {}
        self._unwritten: dict[str, _Row] = {}
        self._unremoved: set[str] = set()
        self._unparked: list[_Parked] = []
        self._flushing: asyncio.Task[None] | None = None
        self._retry: asyncio.TimerHandle | None = None

    async def open(self) -> None:
        """Open the file and hear what it holds. A disk that does not work is reported, not raised."""
        await self._flush()

    async def close(self, deadline_s: float = 1.0) -> None:
        """Write what is left, as far as the disk does it in time."""
        if self._retry is not None:
            self._retry.cancel()
        try:
            async with asyncio.timeout(deadline_s):
                if self._flushing is not None:
                    await asyncio.shield(self._flushing)
                if self._is_behind:
                    await self._flush()
                await self._worker.call(self._disk.close)
        except TimeoutError:
            _log.warning("The disk did not take the outbox before the end")
        if self._retry is not None:
            self._retry.cancel()
        self._is_open = False
        self._worker.stop()

    def put(self, identity: str, message: Message) -> None:
        """Write it down from now on."""
        self._kept[identity] = self._unwritten[identity] = _Row(identity, time.time(), message)
        self._start_flush()

    def remove(self, identity: str) -> None:
        """It is over; what was not written yet never will be."""
        self._kept.pop(identity, None)
        if self._unwritten.pop(identity, None) is None:
            self._unremoved.add(identity)
        self._start_flush()

    def park(self, identity: str, why: str) -> None:
        """Set it aside with the reason, for people to see.

        The newest `MOST_PARKED` and `MOST_PARKED_BYTES` stay, as long as others would.
        """
        row = self._kept.get(identity)
        if row is not None:
            self._unparked = _newest([*self._unparked, _Parked(row, why)])
        self.remove(identity)

    def set_aside(self, message: Message, why: str) -> None:
        """The same for one that was never put."""
        self._unparked = _newest([*self._unparked, _Parked(_Row("", time.time(), message), why)])
        self._start_flush()

    @property
    def _is_behind(self) -> bool:
        return bool(self._unwritten or self._unremoved or self._unparked)

    def _start_flush(self) -> None:
        if self._flushing is None and self._retry is None and self._is_open:
            self._flushing = asyncio.create_task(self._flush(), name="outbox")

    async def _flush(self) -> None:
        """Bring the file level, or try again later."""
        try:
            if not self._is_open:
                await self._open()
            while self._is_behind:
                await self._write()
        except (sqlite3.Error, OSError) as error:
            self._is_open = False
            self._complain(error)
            self._retry = asyncio.get_running_loop().call_later(RETRY_S, self._try_again)
            with suppress(sqlite3.Error):
                await self._worker.call(self._disk.close)
        else:
            if self._has_trouble:
                self._has_trouble = False
                _log.warning("The outbox is written again")
        finally:
            self._flushing = None

    async def _open(self) -> None:
        found, aside = await self._worker.call(self._disk.open)
        self._is_open = True
        if aside is not None:
            _log.error("The outbox cannot be used (%s): it is set aside and begun anew", aside)
            self._trouble(f"the outbox on disk cannot be used ({aside}): it is set aside and begun anew")
            self._unwritten, self._unremoved = dict(self._kept), set()
        if not self._is_restored:
            self._is_restored = True
            now = time.time()
            self._kept = {row.identity: row for row in found} | self._kept
            self._restored([Kept(row.identity, row.message, _age_ms(row.at, now)) for row in found])

    async def _write(self) -> None:
        written, removed, parked = self._unwritten, self._unremoved, self._unparked
        self._unwritten, self._unremoved, self._unparked = {}, set(), []
        try:
            await self._worker.call(lambda: self._disk.write(list(written.values()), removed, parked))
        except (sqlite3.Error, OSError):
            # What ended meanwhile needs no writing, but nobody knows whether it was written.
            self._unremoved |= removed | {identity for identity in written if identity not in self._kept}
            self._unwritten = {name: row for name, row in written.items() if name in self._kept} | self._unwritten
            self._unparked = _newest([*parked, *self._unparked])
            raise

    def _try_again(self) -> None:
        self._retry = None
        self._flushing = asyncio.create_task(self._flush(), name="outbox")

    def _complain(self, error: sqlite3.Error | OSError) -> None:
        if self._has_trouble:
            return
        self._has_trouble = True
        why = error.strerror if isinstance(error, OSError) else str(error)
        _log.error("The outbox cannot be written (%s): what waits is kept in memory alone", why)
        self._trouble(f"the outbox cannot be written ({why}): what waits is kept in memory alone")


class _Disk:
    """The file; every method blocks, and all are called in one thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def open(self) -> tuple[list[_Row], str | None]:
        """What is kept, in order; and why an unusable file was set aside, if one was."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return self._open(), None
        except sqlite3.OperationalError:  # the disk's fault or another process's, not the file's
            raise
        except sqlite3.DatabaseError as error:
            self.close()
            for suffix in ("-wal", "-shm"):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
            self._path.replace(self._path.with_name(self._path.name + ".bad"))
            return self._open(), str(error)

    def close(self) -> None:
        """The last checkpoint, as far as it goes."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def write(self, put: Sequence[_Row], removed: set[str], parked: Sequence[_Parked]) -> None:
        """All of it or nothing; on disk when this returns."""
        connection = self._connection
        assert connection is not None
        with connection:  # a transaction
            connection.executemany("DELETE FROM kept WHERE identity = ?", [(identity,) for identity in removed])
            connection.executemany(
                "INSERT OR IGNORE INTO kept (identity, at, topic, payload) VALUES (?, ?, ?, ?)",
                [(row.identity, row.at, row.message.topic, row.message.payload) for row in put],
            )
            connection.executemany(
                "INSERT INTO parked (at, why, topic, payload) VALUES (?, ?, ?, ?)",
                [(p.row.at, p.why, p.row.message.topic, p.row.message.payload) for p in parked],
            )
            if parked:
                self._trim(connection)

    def _open(self) -> list[_Row]:
        self._path.touch(mode=0o600)
        # The one thread is not always the same: a worker that was stopped begins another.
        connection = self._connection = sqlite3.connect(self._path, timeout=1.0, check_same_thread=False)
        for setting in _SETTINGS:
            connection.execute(setting)
        (damage,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if damage != "ok" or version not in (0, _VERSION):
            raise sqlite3.DatabaseError("it is damaged" if damage != "ok" else f"it is of version {version}")
        with connection:
            for table in _TABLES:
                connection.execute(table)
            connection.execute(f"PRAGMA user_version = {_VERSION}")
            self._trim(connection)
        found = connection.execute(
            "SELECT identity, at, topic, payload FROM kept ORDER BY number LIMIT ?", (MOST_KEPT,)
        ).fetchall()
        return [row for columns in found if (row := _read(*columns)) is not None]

    def _trim(self, connection: sqlite3.Connection) -> None:
        connection.execute(
            "DELETE FROM parked WHERE number <= (SELECT max(number) FROM parked) - ? OR at < ? OR number IN"
            " (SELECT number FROM (SELECT number, sum(length(payload)) OVER (ORDER BY number DESC) AS size FROM parked)"
            " WHERE size > ?)",
            (MOST_PARKED, time.time() - OLDEST_KEPT_MS / 1000, MOST_PARKED_BYTES),
        )


def _newest(parked: list[_Parked]) -> list[_Parked]:
    """As many as may stay."""
    size = 0
    for place, one in enumerate(reversed(parked)):
        size += len(one.row.message.payload)
        if place == MOST_PARKED or size > MOST_PARKED_BYTES:
            return parked[len(parked) - place :]
    return parked


def _read(identity: str, at: float, topic: str, payload: bytes) -> _Row | None:
    """A row, unless somebody else wrote it."""
    try:
        if not isinstance(json.loads(payload), dict):
            return None
        return _Row(identity, at, Message(topic, payload, qos=1, is_kept=True))
    except (ValueError, TypeError, RecursionError):
        return None


def _age_ms(at: float, now: float) -> int:
    return int(max(0.0, now - at) * 1000) if at > _CLOCK_WAS_SET else 0
