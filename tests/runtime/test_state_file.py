import json
import logging
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from voice_node.runtime.state_file import LARGEST, StateFile, state_directory


def loaded(directory: Path) -> StateFile:
    state = StateFile(directory)
    state.load()
    return state


def test_what_was_saved_is_there_after_a_restart(tmp_path: Path) -> None:
    state = loaded(tmp_path / "made" / "here")
    assert not state.flag("is_muted")
    state.save({"is_muted": True})
    state.save({"volume": {"now": 30}})
    again = loaded(tmp_path / "made" / "here")
    assert again.flag("is_muted")
    assert again.mapping("volume") == {"now": 30}


def test_what_was_saved_counts_at_once(tmp_path: Path) -> None:
    state = loaded(tmp_path)
    state.save({"is_muted": True})
    assert state.flag("is_muted")
    state.save({"is_muted": False})
    assert not state.flag("is_muted")


@pytest.mark.parametrize("value", ["yes", 1, None, [], "true"])
def test_only_yes_is_yes(tmp_path: Path, value: object) -> None:
    (tmp_path / "state.json").write_text(json.dumps({"is_muted": value}))
    assert not loaded(tmp_path).flag("is_muted")


@pytest.mark.parametrize("value", ["30", 30.5, None, True, []])
def test_only_a_mapping_is_a_mapping(tmp_path: Path, value: object) -> None:
    (tmp_path / "state.json").write_text(json.dumps({"usage": value}))
    assert loaded(tmp_path).mapping("usage") == {}


def test_threads_that_save_at_once_lose_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    state = loaded(tmp_path)
    with ThreadPoolExecutor(8) as threads:
        for done in [threads.submit(state.save, {f"key_{number}": {"n": number}}) for number in range(40)]:
            done.result()
    again = loaded(tmp_path)
    assert [again.mapping(f"key_{number}") for number in range(40)] == [{"n": number} for number in range(40)]
    assert caplog.text == ""


CORRUPT = {
    "empty": b"",
    "cut": b'{"is_muted": tr',
    "zeros": bytes(64),
    "not UTF-8": b'{"is_muted": "\xff"}',
    "a list": b"[]",
    "a number": b"5",
    "nested too deeply": b"[" * 100_000,
    "a number of 5,000 digits": b'{"volume": ' + b"9" * 5000 + b"}",
    "too large": b'{"is_muted": true, "x": "' + b"x" * LARGEST + b'"}',
}


@pytest.mark.parametrize("content", CORRUPT.values(), ids=CORRUPT.keys())
def test_a_corrupt_file_is_set_aside(tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "state.json").write_bytes(content)
    with caplog.at_level(logging.WARNING):
        state = loaded(tmp_path)
    assert not state.flag("is_muted")
    assert (tmp_path / "state.bad").read_bytes() == content
    assert "set aside" in caplog.text
    state.save({"is_muted": True})
    assert loaded(tmp_path).flag("is_muted")


def test_a_directory_in_the_file_s_place(tmp_path: Path) -> None:
    (tmp_path / "state.json").mkdir()
    state = loaded(tmp_path)
    state.save({"is_muted": True})
    assert loaded(tmp_path).flag("is_muted")


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", ["state.json", "state.new"])
def test_a_pipe_in_the_file_s_place_keeps_nobody_waiting(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    state = loaded(tmp_path)
    assert state.was_unreadable == (name == "state.json")
    assert state.save({"is_muted": True}) is None
    assert loaded(tmp_path).flag("is_muted")


def test_a_device_in_the_file_s_place_is_no_state(tmp_path: Path) -> None:
    (tmp_path / "state.json").symlink_to("/dev/zero")
    state = loaded(tmp_path)
    assert state.problem is not None
    assert "it is no file" in state.problem
    assert state.was_unreadable


def test_a_problem_is_there_until_the_disk_takes_what_is_remembered(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "room").write_text("in the way")
    state = loaded(tmp_path / "room")
    assert state.problem is not None
    assert "could not be read (Not a directory)" in state.problem
    problem = state.save({"is_muted": True})
    assert state.save({"is_muted": True}) == problem
    assert [record.levelno for record in caplog.records] == [logging.WARNING, logging.ERROR], "each is said once"
    assert problem is not None
    assert "state.json cannot be written" in problem
    (tmp_path / "room").unlink()
    assert state.save({"volume": {}}) is None
    assert state.problem is None
    assert loaded(tmp_path / "room").flag("is_muted"), "what the disk did not take goes with the next"


def test_a_disk_that_cannot_be_written_is_logged_and_not_fatal(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("no directory")
    state = loaded(tmp_path / "file" / "room")
    with caplog.at_level(logging.ERROR):
        state.save({"is_muted": True})
    assert "cannot be written" in caplog.text
    assert state.flag("is_muted"), "it holds at least until the process ends"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write into every directory")
def test_a_read_only_directory(tmp_path: Path) -> None:
    loaded(tmp_path).save({"is_muted": True})
    tmp_path.chmod(0o500)
    state = loaded(tmp_path)
    state.save({"is_muted": False})
    tmp_path.chmod(0o700)
    assert loaded(tmp_path).flag("is_muted"), "the old content stays whole"


def test_a_file_system_that_takes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    state = loaded(Path("/proc/voice-node-test"))
    with caplog.at_level(logging.ERROR):
        state.save({"is_muted": True})
    assert "cannot be written" in caplog.text


def test_the_content_and_the_name_are_on_disk_before_save_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut cannot be staged here; that the kernel was asked for both can be seen."""
    synced: list[str] = []
    fsync = os.fsync

    def spy(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", spy)
    StateFile(tmp_path).save({"is_muted": True})
    assert synced == ["state.new", tmp_path.name]


WRITER = """
import sys
from pathlib import Path
from voice_node.runtime.state_file import StateFile
state = StateFile(Path(sys.argv[1]))
number = 0
while True:
    number += 1
    state.save({"number": {"n": number}, "twin": {"n": number}, "ballast": "x" * 200_000})
    print(number, flush=True)
"""


@pytest.mark.parametrize("delay_s", [0.0, 0.003, 0.011, 0.02])
def test_a_process_that_is_killed_while_it_writes_leaves_the_old_or_the_new(tmp_path: Path, delay_s: float) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    with writer:
        saved = int(writer.stdout.readline())
        time.sleep(delay_s)  # anywhere within a write; which one does not matter
        writer.send_signal(signal.SIGKILL)
        saved = max([saved, *(int(line) for line in writer.stdout if line.endswith("\n"))])
    state = loaded(tmp_path)
    assert state.mapping("number")["n"] in (saved, saved + 1)
    assert state.mapping("twin") == state.mapping("number")
    state.save({"number": {"n": 0}})
    assert loaded(tmp_path).mapping("number") == {"n": 0}, "what the killed one left is in nobody's way"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"STATE_DIRECTORY": "/var/lib/voice-node/kitchen"}, "/var/lib/voice-node/kitchen"),
        ({"STATE_DIRECTORY": "/var/lib/one:/var/lib/two"}, "/var/lib/one"),
        ({"XDG_STATE_HOME": "/home/pi/state"}, "/home/pi/state/voice-node/kitchen"),
        ({"HOME": "/home/pi"}, "/home/pi/.local/state/voice-node/kitchen"),
        ({"HOME": "/home/pi", "STATE_DIRECTORY": ""}, "/home/pi/.local/state/voice-node/kitchen"),
        ({}, "/var/lib/.local/state/voice-node/kitchen"),
    ],
)
def test_where_the_state_is(environ: dict[str, str], expected: str) -> None:
    assert state_directory("kitchen", environ) == Path(expected)


def test_a_file_that_nobody_can_read_is_not_the_same_as_none(tmp_path: Path) -> None:
    assert not loaded(tmp_path).was_unreadable
    (tmp_path / "state.json").write_text('{"is_muted": true, ')
    assert loaded(tmp_path).was_unreadable
    assert not loaded(tmp_path).was_unreadable, "it was set aside: the next start begins anew"


def test_what_the_disk_did_not_take_is_still_known(tmp_path: Path) -> None:
    state = StateFile(tmp_path / "file" / "below")
    (tmp_path / "file").write_text("in the way")
    state.load()
    state.save({"is_muted": True})
    state.load()
    assert state.flag("is_muted")
