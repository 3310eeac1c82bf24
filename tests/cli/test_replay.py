"""What `replay` is as a command; what it does is in tests/system."""

import subprocess
import sys
from pathlib import Path


def voice_node(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "voice_node", *map(str, arguments)], capture_output=True, text=True, check=False
    )


def test_without_a_recording_it_is_a_mistake_in_calling(tmp_path: Path) -> None:
    done = voice_node("replay", tmp_path / "kitchen.yaml")
    assert done.returncode == 2
    assert "FILE.wav" in done.stderr


def test_the_room_file_is_read_first(tmp_path: Path) -> None:
    done = voice_node("replay", tmp_path / "none.yaml", tmp_path / "none.wav")
    assert done.returncode == 78
    assert done.stderr == f"{tmp_path}/none.yaml: there is no such file\n"
