"""The door: exit codes, and Ctrl-C."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

from voice_node.cli import main
from voice_node.cli.commands import group
from voice_node.model.errors import CaptureLost, SessionRefused


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
