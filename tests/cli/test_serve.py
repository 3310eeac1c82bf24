import asyncio
import json
import os
import signal
import socket
import sys
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

ROOM = """
room: kitchen
tools:
  - name: get_time
    description: Tell the time.
    sentences: ["what time is it"]
"""


async def start(*arguments: str, **environment: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-m", "voice_node", "serve", *arguments)
    return await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe, env={**os.environ, **environment})


async def refused(*arguments: str) -> str:
    """What is said on the way out with 78."""
    process = await start(*arguments)
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    assert (process.returncode, out) == (78, b"")
    return err.decode()


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
async def test_it_says_where_it_is_and_ends_with_0(tmp_path: Path, end: signal.Signals) -> None:
    room = tmp_path / "kitchen.yaml"
    room.write_text(ROOM)
    key = tmp_path / "key"
    key.write_text("secret\n")
    process = await start(str(room), "--port", "0", "--key-file", str(key))
    assert process.stdout is not None
    async with asyncio.timeout(30):
        line = (await process.stdout.readline()).decode()
        url = line.split()[-1]
        async with connect(url, additional_headers={"api-key": "secret"}, proxy=None) as connection:
            assert json.loads(await connection.recv())["type"] == "session.created"
        process.send_signal(end)
        out, err = await process.communicate()
    assert (process.returncode, out) == (0, b"")
    assert "Traceback" not in err.decode()


async def test_a_server_for_others_needs_a_key() -> None:
    assert "--key-file" in await refused("--host", "0.0.0.0", "--port", "0")


async def test_a_key_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    assert "No such file" in await refused("--key-file", str(tmp_path / "none"))
    (tmp_path / "empty").write_text("\n")
    assert "is empty" in await refused("--key-file", str(tmp_path / "empty"))


async def test_a_port_that_is_taken_is_refused() -> None:
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        assert "in use" in await refused("--port", str(server.sockets[0].getsockname()[1]))


@pytest.mark.slow
async def test_rooms_must_agree(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(ROOM)
    (tmp_path / "b.yaml").write_text(ROOM.replace("what time is it", "tell [me] the time"))
    assert "get_time differs" in await refused(str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml"))
    (tmp_path / "b.yaml").write_text(ROOM + "language: de\n")
    assert "one language" in await refused(str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml"))
    (tmp_path / "model").mkdir()
    (tmp_path / "b.yaml").write_text(ROOM + "local: {recogniser: vosk, model: model}\n")
    assert "one engine" in await refused(str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml"))


async def test_a_folder_of_rooms_in_the_beta_as_a_service(tmp_path: Path) -> None:
    (tmp_path / "rooms").mkdir()
    (tmp_path / "rooms" / "kitchen.yaml").write_text(ROOM)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        options = ("--port", "0", "--dialect", "beta")
        environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "300000", "WATCHDOG_PID": ""}
        process = await start(str(tmp_path / "rooms"), *options, **environment)
        assert process.stdout is not None
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(60):
            url = (await process.stdout.readline()).decode().split()[-1]
            told = [await loop.sock_recv(manager, 100) for _ in range(3)]
            async with connect(url, proxy=None) as connection:
                session = json.loads(await connection.recv())["session"]
            process.send_signal(signal.SIGTERM)
            await process.communicate()
            while told[-1] != b"STOPPING=1":
                told.append(await loop.sock_recv(manager, 100))
    assert session["modalities"] == ["audio", "text"]
    assert told[:3] == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]
    assert process.returncode == 0


async def test_a_folder_without_rooms_is_refused(tmp_path: Path) -> None:
    assert "there is no room file" in await refused(str(tmp_path))
