import asyncio
import json
import logging
import os
import stat
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from voice_node.runtime.audit import AuditLog


async def write(log: AuditLog, *entries: dict[str, Any]) -> None:
    for entry in entries:
        await log.write(entry)


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def sizes_in(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in folder.iterdir()}


async def test_entries_come_in_order_with_their_time_and_for_the_owner_alone(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "state")
    await asyncio.gather(*(log.write({"number": number, "tool": "tür"}) for number in range(20)))
    log.stop()
    path = tmp_path / "state" / "audit.jsonl"
    assert [line["number"] for line in lines(path)] == list(range(20))
    assert all(datetime.fromisoformat(line["at"]).tzinfo for line in lines(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path.touch(0o666)
    log = AuditLog(tmp_path)
    await write(log, {"a": 1})
    log.stop()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_it_does_not_grow_without_end(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, most_bytes=1000)
    await write(log, *({"number": number} for number in range(200)))
    log.stop()
    sizes = sizes_in(tmp_path)
    assert set(sizes) <= {"audit.jsonl", "audit.jsonl.1"}
    assert all(size < 1100 for size in sizes.values())
    newest = [line["number"] for name in sorted(sizes, reverse=True) for line in lines(tmp_path / name)]
    assert newest == list(range(newest[0], 200))


async def test_a_pipe_in_the_file_s_place_keeps_nobody_waiting(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    os.mkfifo(tmp_path / "audit.jsonl")
    log = AuditLog(tmp_path)
    await write(log, {"a": 1})
    log.stop()
    assert "audit.jsonl cannot be written" in caplog.text


async def test_a_disk_that_cannot_be_written_is_told_once_and_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "state").touch()
    log = AuditLog(tmp_path / "state")
    with caplog.at_level(logging.ERROR):
        await write(log, {"a": 1}, {"a": 2})
    log.stop()
    assert len(caplog.records) == 1
    assert "audit.jsonl cannot be written" in caplog.text
