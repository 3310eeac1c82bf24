"""`voice-node token` as people and scripts call it, against the local server."""

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.local.client import client_of, served
from tests.local.rooms import GET_TIME
from voice_node.cli.token import token
from voice_node.model.errors import ConfigError

ROOM = """
room: kitchen
session: {{provider: {provider}, url: "ws://127.0.0.1:{port}/v1/realtime", model: m, instructions: Be brief.}}
tools:
  - {{name: get_time, description: Tell the time., sentences: [what time is it]}}
"""


KEY = "house-canary"


@pytest.fixture
def room(tmp_path: Path) -> Path:
    return tmp_path / "kitchen.yaml"


def write(room: Path, port: int, provider: str = "custom") -> None:
    room.write_text(ROOM.format(provider=provider, port=port))


async def run(room: Path, *options: str) -> tuple[int | None, str, str]:
    """Exit code, stdout, stderr."""
    environ = {name: value for name, value in os.environ.items() if name != "CREDENTIALS_DIRECTORY"}
    command = [sys.executable, "-m", "voice_node", "token", str(room), *options]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, stdout=pipe, stderr=pipe, env={**environ, "OPENAI_API_KEY": KEY}
    )
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    assert KEY not in (out + err).decode()
    return process.returncode, out.decode(), err.decode()


@pytest.mark.parametrize("provider", ["custom", "local"])
async def test_another_device_uses_the_room_s_session(room: Path, provider: str) -> None:
    async with served([GET_TIME], api_key=KEY) as (_, port):
        write(room, port, provider)
        code, out, err = await run(room)
        assert (code, len(out.splitlines())) == (0, 1)
        assert err.startswith("It can be used until ")
        async with client_of(port, additional_headers={"Authorization": f"Bearer {out.strip()}"}) as client:
            session: dict[str, Any] = client.seen[0]["session"]
            assert (session["instructions"], session["model"]) == ("Be brief.", "m")
            assert [tool["name"] for tool in session["tools"]] == ["get_time"]


async def test_json_for_programs(room: Path) -> None:
    async with served([GET_TIME], api_key=KEY) as (_, port):
        write(room, port)
        code, out, err = await run(room, "--json", "--seconds", "300")
        assert (code, err) == (0, "")
        answer = json.loads(out)
        assert answer["value"].startswith("ek_")
        assert answer["expires_at"] == pytest.approx(time.time() + 300, abs=60)
        assert answer["url"] == f"ws://127.0.0.1:{port}/v1/realtime?model=m"


async def test_a_wrong_key_is_refused(room: Path) -> None:
    async with served([GET_TIME], api_key="other") as (_, port):
        write(room, port)
        code, out, err = await run(room)
    assert (code, out) == (77, "")
    assert "openai_api_key" in err


async def test_nobody_is_there(room: Path) -> None:
    async with served([GET_TIME]) as (_, port):
        pass
    write(room, port)
    code, out, err = await run(room)
    assert (code, out) == (1, "")
    address = f"http://127.0.0.1:{port}/v1/realtime/client_secrets"
    assert err == f"Error: {address}: no client secret: the service cannot be reached: Connection refused\n"


@pytest.mark.parametrize(
    ("session", "text"), [("local", "voice-node serve"), ("openai", "session.provider: openai needs an API key")]
)
def test_what_a_room_must_have(room: Path, session: str, text: str) -> None:
    room.write_text(f"room: kitchen\nsession: {{provider: {session}}}\n")
    result = CliRunner(env={"OPENAI_API_KEY": None, "CREDENTIALS_DIRECTORY": None}).invoke(token, [str(room)])
    assert isinstance(result.exception, ConfigError)
    assert text in str(result.exception)
    assert result.stdout == ""
