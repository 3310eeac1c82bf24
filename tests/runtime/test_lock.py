import subprocess
import sys
from pathlib import Path

import pytest

from voice_node.model.errors import AlreadyRuns
from voice_node.runtime.lock import RoomLock, is_held

HOLD = """
import sys
from pathlib import Path
from voice_node.runtime.lock import RoomLock, is_held
lock = RoomLock()
lock.take(Path(sys.argv[1]), "kitchen")
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_one_is_refused_and_told_where_until_the_first_lets_go(tmp_path: Path) -> None:
    first, second = RoomLock(), RoomLock()
    first.take(tmp_path / "state", "kitchen")
    with pytest.raises(AlreadyRuns) as refused:
        second.take(tmp_path / "state", "kitchen")
    assert str(refused.value) == f"room kitchen already runs here (its state is in {tmp_path}/state)"
    first.release()
    second.take(tmp_path / "state", "kitchen")
    second.release()
    second.release()


def test_it_is_held_over_reloads_and_moves_with_the_room_s_name(tmp_path: Path) -> None:
    lock, other = RoomLock(), RoomLock()
    for room in ("kitchen", "kitchen", "hall"):
        lock.take(tmp_path / room, room)
    other.take(tmp_path / "kitchen", "kitchen")
    with pytest.raises(AlreadyRuns):
        RoomLock().take(tmp_path / "hall", "hall")
    lock.release()
    other.release()


def test_a_process_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    lock = RoomLock()
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(AlreadyRuns):
            lock.take(tmp_path, "kitchen")
        process.kill()
        process.wait()
    lock.take(tmp_path, "kitchen")
    lock.release()


def test_a_child_that_outlives_the_process_holds_nothing(tmp_path: Path) -> None:
    lock, other = RoomLock(), RoomLock()
    lock.take(tmp_path, "kitchen")
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False) as child:
        lock.release()
        other.take(tmp_path, "kitchen")
        other.release()
        assert child.poll() is None
        assert child.stdin is not None
        child.stdin.close()


def test_a_directory_that_cannot_be_made_is_told_and_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    lock = RoomLock()
    lock.take(tmp_path / "file" / "state", "kitchen")
    assert "nothing keeps a second kitchen away" in caplog.text
    lock.release()
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_who_looks_takes_nothing(tmp_path: Path) -> None:
    lock = RoomLock()
    assert not is_held(tmp_path)
    assert list(tmp_path.iterdir()) == []
    lock.take(tmp_path, "kitchen")
    assert is_held(tmp_path)
    lock.release()
    assert not is_held(tmp_path)
