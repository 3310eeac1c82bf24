"""The scripts, as somebody calls them who only wants to know what they are."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.benchmarks.parts import PARTS

SCRIPTS = Path(__file__).parents[2] / "script"


@pytest.mark.parametrize("name", ["bench", "check_wheels", "demo", "faults", "fuzz", "lint", "soak", "test"])
@pytest.mark.parametrize("words", [["--help"], ["-h"], ["more", "--help"]])
def test_help_installs_nothing(tmp_path: Path, name: str, words: list[str]) -> None:
    folder = tmp_path / "script"
    folder.mkdir()
    shutil.copy(SCRIPTS / name, folder)
    (folder / "setup").write_text("#!/bin/sh\necho it installs >&2\nexit 1\n")
    (folder / "setup").chmod(0o755)
    done = subprocess.run([folder / name, *words], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"usage: script/{name}" in done.stdout
    assert "set -euo" not in done.stdout
    assert (
        "it installs" in subprocess.run([folder / name], capture_output=True, text=True, timeout=30, check=False).stderr
    )


@pytest.mark.parametrize("name", ["install", "setup", "setup_home_assistant"])
@pytest.mark.parametrize("word", ["--help", "-h"])
def test_help_of_what_installs_does_nothing(tmp_path: Path, name: str, word: str) -> None:
    folder = tmp_path / "script"
    folder.mkdir()
    shutil.copy(SCRIPTS / name, folder)
    environ = {"HOME": str(tmp_path / "home"), "PATH": os.environ["PATH"]}
    command = [str(folder / name), word]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"usage: script/{name}" in done.stdout
    assert list(tmp_path.rglob("*")) == [folder, folder / name]


def test_the_demo_finds_the_callers_room_file(tmp_path: Path) -> None:
    (tmp_path / "script").mkdir()
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    shutil.copy(SCRIPTS / "demo", tmp_path / "script")
    for stub in ("script/setup", ".venv/bin/voice-node"):
        (tmp_path / stub).write_text('#!/bin/sh\necho "$PWD $*"\n')
        (tmp_path / stub).chmod(0o755)
    command = [str(tmp_path / "script" / "demo"), "--room", "kitchen.yaml"]
    done = subprocess.run(command, cwd=tmp_path / "elsewhere", capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.splitlines()[-1] == f"{tmp_path}/elsewhere demo --room kitchen.yaml"


def test_every_script_is_asked_for_its_help() -> None:
    asked = {"bench", "check_wheels", "demo", "faults", "fuzz", "lint", "soak", "test"}
    assert {path.name for path in SCRIPTS.iterdir()} == asked | {"install", "setup", "setup_home_assistant"}


def test_the_help_of_the_benchmarks_names_every_part() -> None:
    shown = subprocess.run([SCRIPTS / "bench", "--help"], capture_output=True, text=True, timeout=30, check=True).stdout
    assert set(PARTS) <= set(shown.replace(";", " ").split())
