"""What `run` is as a command; what it does is in tests/system."""

import subprocess
import sys
from pathlib import Path

import pytest

FOR_PEOPLE = ("rich", "pocketsphinx", "hassil", "voice_node.local.server", "httpx")
"""What only people's commands or a local room need."""


def voice_node(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "voice_node", *map(str, arguments)], capture_output=True, text=True, check=False
    )


def test_a_service_does_not_pay_for_what_people_need() -> None:
    code = f"import sys, voice_node.cli.run; print([name for name in {FOR_PEOPLE} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("arguments", [(), ("one.yaml", "two.yaml")])
def test_it_runs_one_room(arguments: tuple[str, ...]) -> None:
    assert voice_node("run", *arguments).returncode == 2


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    done = voice_node("run", tmp_path / "none.yaml")
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr == f"{tmp_path}/none.yaml: there is no such file\n"


def test_a_key_that_is_missing_is_told_before_anything_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    path = tmp_path / "kitchen.yaml"
    path.write_text("room: kitchen\nsession: {provider: openai}\n")
    done = voice_node("run", path)
    assert done.returncode == 78
    assert done.stderr.startswith(f"{path}: session.provider: openai needs an API key: ")
