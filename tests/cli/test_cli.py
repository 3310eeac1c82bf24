import asyncio
import importlib
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from voice_node import __version__
from voice_node.cli import main
from voice_node.cli.commands import COMMANDS, group
from voice_node.model.errors import CaptureLost, SessionRefused


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
    assert CliRunner().invoke(group, ["--version"]).output == f"voice-node, version {__version__}\n"


def test_an_unknown_command_is_a_mistake_in_calling() -> None:
    result = CliRunner().invoke(group, ["dance"])
    assert result.exit_code == 2
    assert "No such command 'dance'" in result.output


@pytest.mark.parametrize("error", [SessionRefused("the key is refused"), CaptureLost("microphone x: gone")])
def test_errors_that_people_can_mend_are_one_line_and_their_code(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    def fail() -> None:
        raise error

    monkeypatch.setattr(group, "get_command", lambda _context, _name: fail)
    monkeypatch.setattr(sys, "argv", ["voice-node", "run"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == {"SessionRefused": 77, "CaptureLost": 74}[type(error).__name__]
    assert capsys.readouterr().err == f"{error}\n"


def test_ctrl_c_before_anything_is_imported_is_quiet() -> None:
    code = (
        "import sys\n"
        "class Pressed:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'click': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Pressed())\n"
        "from voice_node.cli import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


async def test_ctrl_c_while_a_command_waits_is_quiet(tmp_path: Path) -> None:
    came = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.set()
        await reader.read()
        writer.close()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as server:
        room = tmp_path / "kitchen.yaml"
        room.write_text(f"room: kitchen\nmqtt: {{port: {server.sockets[0].getsockname()[1]}}}\n")
        pipe = asyncio.subprocess.PIPE
        command = [sys.executable, "-m", "voice_node", "mute", str(room)]
        process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
        async with asyncio.timeout(30):
            await came.wait()
            process.send_signal(signal.SIGINT)
            out, err = await process.communicate()
    assert (process.returncode, out, err.strip()) == (130, b"", b"")


def test_a_mistake_in_calling_is_shown_with_the_usage() -> None:
    done = subprocess.run([sys.executable, "-m", "voice_node", "run"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Usage: voice-node run" in done.stderr
    assert "Missing argument 'ROOM.yaml'" in done.stderr


def test_help_is_no_failure() -> None:
    done = subprocess.run([sys.executable, "-m", "voice_node", "--help"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
