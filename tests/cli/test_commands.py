import importlib
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from voice_node.cli.commands import COMMANDS, group
from voice_node.version import VERSION


def test_every_module_of_a_command_is_in_the_list() -> None:
    folder = Path(importlib.import_module("voice_node.cli").__file__ or "").parent
    commands = {path.stem: path.read_text().count("@click.command") for path in folder.glob("*.py")}
    listed = Counter(module.rpartition(".")[2] for module, _, _ in COMMANDS.values())
    assert {name: count for name, count in commands.items() if count} == listed


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_each_command_says_what_it_does_and_gives_an_example(name: str, option: str) -> None:
    result = CliRunner().invoke(group, [name, option], prog_name="voice-node")
    assert result.exit_code == 0
    assert f"Usage: voice-node {name} " in result.output
    assert f"Example: voice-node {name}" in result.output


def test_the_first_page_lists_all_commands_and_imports_none() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from voice_node.cli.commands import COMMANDS, group\n"
        "page = CliRunner().invoke(group, ['--help']).output\n"
        "assert all(f'  {name} ' in page for name in COMMANDS), page\n"
        "assert not [module for module, _, _ in COMMANDS.values() if module in sys.modules]\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_version() -> None:
    assert CliRunner().invoke(group, ["--version"]).output == f"voice-node, version {VERSION}\n"


def test_an_unknown_command_is_a_mistake_in_calling() -> None:
    result = CliRunner().invoke(group, ["dance"])
    assert result.exit_code == 2
    assert "No such command 'dance'." in result.output
    assert "Did you mean" not in result.output


@pytest.mark.parametrize(
    ("typed", "meant"), [("chekc", "check"), ("Doctor", "doctor"), ("a.yaml", "voice-node run a.yaml")]
)
def test_what_was_probably_meant_is_told(typed: str, meant: str) -> None:
    result = CliRunner().invoke(group, [typed])
    assert result.exit_code == 2
    assert f"Did you mean `{meant}`?" in result.output


def test_a_mistake_in_calling_is_shown_with_the_usage() -> None:
    done = subprocess.run([sys.executable, "-m", "voice_node", "run"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Usage: voice-node run" in done.stderr
    assert "Missing argument 'ROOM.yaml'" in done.stderr


def test_help_is_no_failure() -> None:
    done = subprocess.run([sys.executable, "-m", "voice_node", "--help"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
