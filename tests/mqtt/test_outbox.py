import asyncio
import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from tests.fakes.until import until
from voice_node.mqtt import outbox as module
from voice_node.mqtt.message import LARGEST_ASIDE, Message
from voice_node.mqtt.outbox import MOST_PARKED, MOST_PARKED_BYTES, Outbox
from voice_node.mqtt.outgoing import MOST_KEPT, MOST_KEPT_BYTES, OLDEST_KEPT_MS, Kept


def kept(number: int, size: int = 0) -> Message:
    return Message("a/transcript", json.dumps({"n": number, "x": "x" * size}).encode(), 1, is_kept=True)


class Opened:
    """An outbox, and what it said."""

    def __init__(self, directory: Path) -> None:
        self.found: list[Kept] = []
        self.restorals = 0
        self.troubles: list[str] = []
        self.box = Outbox(directory, self._restored, self.troubles.append)

    def _restored(self, found: Sequence[Kept]) -> None:
        self.found += found
        self.restorals += 1

    @property
    def numbers(self) -> list[int]:
        return [json.loads(found.message.payload)["n"] for found in self.found]

    async def level(self) -> None:
        """Wait until the file holds what is kept."""
        await until(lambda: not self.box._is_behind and self.box._flushing is None, 20)


@asynccontextmanager
async def opened(directory: Path) -> AsyncIterator[Opened]:
    it = Opened(directory)
    await it.box.open()
    try:
        yield it
    finally:
        await it.box.close()


def table(directory: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(directory / "outbox.db")) as connection:
        return connection.execute(query).fetchall()


async def test_what_is_kept_outlives_the_process_in_order(tmp_path: Path) -> None:
    async with opened(tmp_path / "new") as first:
        assert first.restorals == 1
        for number in range(20):
            first.box.put(str(number), kept(number))
        await first.level()
        first.box.remove("3")
        first.box.put("20", kept(20))
        first.box.remove("20")  # before it was written
    assert (tmp_path / "new" / "outbox.db").stat().st_mode & 0o777 == 0o600
    async with opened(tmp_path / "new") as second:
        assert second.numbers == [n for n in range(20) if n != 3]
        assert second.found[0].message == kept(0)
        assert 0 <= second.found[0].age_ms < 60_000
        assert second.troubles == []


async def test_the_same_identity_is_stored_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as first:
        first.box.put("a", kept(1))
        await first.level()
    async with opened(tmp_path) as second:
        second.box.put("a", kept(1))
        await second.level()
    assert table(tmp_path, "SELECT identity FROM kept") == [("a",)]


async def test_the_parked_are_set_aside_with_the_reason_and_bounded(tmp_path: Path) -> None:
    async with opened(tmp_path) as it:
        for number in range(MOST_PARKED + 10):
            it.box.put(str(number), kept(number))
            await it.level()
            it.box.park(str(number), f"why {number}")
            await it.level()
    assert table(tmp_path, "SELECT count(*) FROM kept") == [(0,)]
    parked = table(tmp_path, "SELECT topic, why FROM parked ORDER BY number")
    assert parked == [("a/transcript", f"why {n}") for n in range(10, MOST_PARKED + 10)]
    with closing(sqlite3.connect(tmp_path / "outbox.db")) as connection, connection:
        connection.execute("UPDATE parked SET at = at - ?", (OLDEST_KEPT_MS / 1000 + 60,))
    async with opened(tmp_path):
        pass
    assert table(tmp_path, "SELECT count(*) FROM parked") == [(0,)]


def aside(number: int, size: int) -> Message:
    payload = json.dumps({"n": number}).encode().ljust(size)
    return Message("a/transcript", payload, 1, is_kept=True, flaw="large")


async def test_what_was_never_kept_is_set_aside_too_and_bounded_in_bytes(tmp_path: Path) -> None:
    async with opened(tmp_path) as it:
        for number in range(10):
            it.box.set_aside(aside(number, LARGEST_ASIDE), f"why {number}")
            await it.level()
    newest = [f"why {n}" for n in range(10 - MOST_PARKED_BYTES // LARGEST_ASIDE, 10)]
    assert table(tmp_path, "SELECT why FROM parked ORDER BY number") == [(why,) for why in newest]
    assert table(tmp_path, "SELECT topic, length(payload) FROM parked LIMIT 1") == [("a/transcript", LARGEST_ASIDE)]
    assert size_of(tmp_path) < 17 * 1024 * 1024
    async with opened(tmp_path) as it:
        assert it.found == [], "it is not tried again"


async def test_what_is_set_aside_while_the_disk_is_away_is_bounded_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.05)
    place = tmp_path / "state"
    place.write_text("a file where the directory should be")
    async with opened(place) as it:
        for number in range(10):
            it.box.set_aside(aside(number, LARGEST_ASIDE), f"why {number}")
        assert sum(len(parked.row.message.payload) for parked in it.box._unparked) <= MOST_PARKED_BYTES
        place.unlink()
        await it.level()
    assert table(place, "SELECT why FROM parked ORDER BY number DESC LIMIT 1") == [("why 9",)]


async def test_the_cap_holds_with_everything_full(tmp_path: Path) -> None:
    """As much as may wait, and as much as may be parked: nothing is in trouble."""
    async with opened(tmp_path) as it:
        for number in range(MOST_KEPT_BYTES // 1000):
            it.box.put(str(number), kept(number, 900))
        await it.level()
        for number in range(20):
            it.box.set_aside(aside(number, LARGEST_ASIDE), "why")
            await it.level()
        for number in range(100):
            it.box.remove(str(number))
            it.box.put(f"more {number}", kept(number, 900))
        await it.level()
        assert it.troubles == []
    assert size_of(tmp_path) < 17 * 1024 * 1024


def size_of(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.iterdir())


@pytest.mark.parametrize("how", ["no database", "damaged", "of another version", "empty"])
async def test_an_unusable_file_is_set_aside_and_begun_anew(tmp_path: Path, how: str) -> None:
    path = tmp_path / "outbox.db"
    async with opened(tmp_path) as it:
        for number in range(200):
            it.box.put(str(number), kept(number, 500))
    match how:
        case "no database":
            path.write_bytes(b"this is no database" * 1000)
        case "damaged":
            content = bytearray(path.read_bytes())
            content[4096 : 4096 * 12] = os.urandom(4096 * 11)
            path.write_bytes(content)
        case "of another version":
            with closing(sqlite3.connect(path)) as connection:
                connection.execute("PRAGMA user_version = 7")
        case "empty":
            path.write_bytes(b"")
    async with opened(tmp_path) as it:
        it.box.put("new", kept(1))
        await it.level()
        is_aside = (tmp_path / "outbox.db.bad").exists()
        assert is_aside == (how != "empty")
        assert len(it.troubles) == int(is_aside)
        assert it.found == []
    async with opened(tmp_path) as it:
        assert it.numbers == [1]


async def test_rows_that_nobody_here_wrote_are_left_out(tmp_path: Path) -> None:
    async with opened(tmp_path) as it:
        it.box.put("good", kept(1))
    with closing(sqlite3.connect(tmp_path / "outbox.db")) as connection, connection:
        rows = [("a", "t", b"[1]"), ("b", "t", b"{"), ("c", "t/#", b"{}"), ("d", "t", "[" * 100_000), ("e", "", b"{}")]
        connection.executemany("INSERT INTO kept (identity, at, topic, payload) VALUES (?, 0, ?, ?)", rows)
    async with opened(tmp_path) as it:
        assert it.numbers == [1]


async def test_a_clock_that_was_not_set_says_nothing_about_an_age(tmp_path: Path) -> None:
    async with opened(tmp_path) as it:
        for name in ("a", "b", "c"):
            it.box.put(name, kept(1))
    with closing(sqlite3.connect(tmp_path / "outbox.db")) as connection, connection:
        connection.execute("UPDATE kept SET at = 100 WHERE identity = 'a'")
        connection.execute("UPDATE kept SET at = at + 100000 WHERE identity = 'b'")
        connection.execute("UPDATE kept SET at = at - 5000 WHERE identity = 'c'")
    async with opened(tmp_path) as it:
        ages = [found.age_ms for found in it.found]
        assert ages[:2] == [0, 0]
        assert 5_000_000 <= ages[2] < 5_100_000


async def test_a_second_node_does_not_write_into_the_first_ones_outbox(tmp_path: Path) -> None:
    async with opened(tmp_path) as first:
        first.box.put("a", kept(1))
        await first.level()
        async with opened(tmp_path) as second:
            assert second.restorals == 0
            (trouble,) = second.troubles
            assert "locked" in trouble
            second.box.put("b", kept(2))


@pytest.mark.parametrize("is_full", [True, False])
async def test_a_disk_that_fails_is_reported_once_and_brought_level_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_full: bool
) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.05)
    place = tmp_path / "state"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    if is_full:  # a file may not grow beyond this: what a full disk does to a write
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, hard))
    else:
        place.write_text("a file where the directory should be")
    async with opened(place) as it:
        try:
            for number in range(300):
                it.box.put(str(number), kept(number, 1000))
            await until(lambda: bool(it.troubles), 20)
            it.box.remove("5")
            await asyncio.sleep(0.3)  # several attempts
            assert len(it.troubles) == 1
            assert "memory" in it.troubles[0]
        finally:
            if is_full:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            else:
                place.unlink()
        it.box.put("300", kept(300))
        await it.level()
        assert it.restorals == 1
    async with opened(place) as it:
        assert it.numbers == [n for n in range(301) if n != 5]


async def test_the_file_is_damaged_while_it_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.05)
    async with opened(tmp_path) as it:
        for number in range(300):
            it.box.put(str(number), kept(number, 1000))
        await it.level()
        it.box._disk.close()
        (tmp_path / "outbox.db").write_bytes(os.urandom(100_000))
        it.box._disk._connection = sqlite3.connect(tmp_path / "outbox.db", check_same_thread=False)
        it.box.put("new", kept(300))
        await it.level()
        assert any("set aside" in trouble for trouble in it.troubles)
    async with opened(tmp_path) as it:
        assert it.numbers == list(range(301))


async def test_the_file_stays_below_its_cap(tmp_path: Path) -> None:
    async with opened(tmp_path) as it:
        for round_ in range(3):
            for number in range(MOST_KEPT):
                it.box.put(f"{round_} {number}", kept(number, 500))
                if round_:
                    it.box.remove(f"{round_ - 1} {number}")
            await it.level()
    assert size_of(tmp_path) < 17 * 1024 * 1024


WRITER = """
import asyncio, json, sys
from pathlib import Path
from voice_node.mqtt.message import Message
from voice_node.mqtt.outbox import Outbox

async def main():
    box = Outbox(Path(sys.argv[1]), lambda found: None, print)
    await box.open()
    for number in range(int(sys.argv[2]), 10**9):
        box.put(str(number), Message("t", json.dumps({"n": number}).encode(), 1, is_kept=True))
        while box._is_behind or box._flushing is not None:
            await asyncio.sleep(0)
        print(number, flush=True)
        if number % 2:
            box.remove(str(number))

asyncio.run(main())
"""


def kill_a_writer(directory: Path, first: int, lines: int) -> int:
    """Kill -9 a process that writes, after so many rows; the last row that it said was written."""
    with subprocess.Popen([sys.executable, "-c", WRITER, directory, str(first)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        last = first - 1
        for _ in range(lines):
            last = int(writer.stdout.readline())
        writer.kill()
        for line in writer.stdout:
            last = int(line) if line.endswith(b"\n") else last
    return last


async def assert_killed_writers_lose_no_row(directory: Path, kills: int) -> None:
    owed: set[int] = set()
    first = 0
    for kill in range(kills):
        last = await asyncio.to_thread(kill_a_writer, directory, first, 5 + kill % 17)
        owed |= {n for n in range(first, last + 1) if n % 2 == 0}
        async with opened(directory) as it:
            assert owed <= set(it.numbers)
            assert it.numbers == sorted(it.numbers)
            assert it.troubles == []
        first = last + 2


async def test_a_writer_that_is_killed_loses_no_row_that_was_written(tmp_path: Path) -> None:
    await assert_killed_writers_lose_no_row(tmp_path, 3)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_hundred_killed_writers_lose_no_row(tmp_path: Path) -> None:
    await assert_killed_writers_lose_no_row(tmp_path, 100)
