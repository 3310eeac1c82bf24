"""Clients for JavaScript as judges of the local server: OpenAI's two, a fork of its first, and Azure's.

They are no dependency of this project: `installed` sets them in the user's cache.
"""

import asyncio
import json
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.certificates import ABSENT, Authority
from tests.fakes.schema import published
from tests.interop import installed
from tests.local.client import needs_espeak, needs_sox, served, utter
from tests.local.rooms import GET_TIME, SET_LIGHT
from voice_node.local.handshake import Choice
from voice_node.local.server import LocalServer

HERE = Path(__file__).parent / "javascript"
KEY = "house-key"
LIGHT = ["set_light", {"area": "kitchen", "state": "on"}]
TIME = ["get_time", {}]
SAID = "what time is it"

pytestmark = [pytest.mark.interop, pytest.mark.slow, pytest.mark.timeout(600), needs_espeak, needs_sox]


@pytest.fixture(scope="module")
def modules() -> Path:
    """Where the packages are."""
    return installed.javascript()


@asynccontextmanager
async def encrypted(port: int, folder: Path) -> AsyncIterator[tuple[int, Path]]:
    """A port where the server speaks TLS, and whom to trust: the package knows no other socket."""
    authority = Authority(folder)
    certificate = authority.sign("server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.path, certificate.key)

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            return
        finally:
            writer.close()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pump(reader, forth), pump(back, writer))

    server = await asyncio.start_server(pass_on, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1], authority.path


async def judged(modules: Path, script: str, url: str, folder: Path, *more: str, **environment: str) -> dict[str, Any]:
    """What a script found."""
    sound = folder / "time.raw"
    sound.write_bytes(utter(SAID))
    options = ["--experimental-websocket"] if "native" in more else []  # node 22 has a browser's socket without asking
    environment["VOICE_NODE_JS_MODULES"] = str(modules)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *("node", *options, str(HERE / script), url, KEY, str(sound), *more),
        stdout=pipe,
        stderr=pipe,
        env=os.environ | environment,
    )
    async with asyncio.timeout(90):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    assert out, err.decode()
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    return found


def served_to(dialect: Choice = "auto") -> AbstractAsyncContextManager[tuple[LocalServer, int]]:
    return served([SET_LIGHT, GET_TIME], api_key=KEY, dialect=dialect)


async def test_the_agents_sdk(modules: Path, tmp_path: Path) -> None:
    async with served_to() as (_, port):
        found = await judged(modules, "agents.cjs", f"ws://127.0.0.1:{port}/v1/realtime?model=local", tmp_path)
    assert found["errors"] == []
    assert found["calls"] == [LIGHT, TIME]
    assert found["transcript"] == SAID
    assert found["interruptions"] >= 1


@pytest.mark.skipif(bool(ABSENT), reason=ABSENT)
@pytest.mark.parametrize("socket", ["ws", "native"])
@pytest.mark.parametrize("dialect", ["ga", "beta"])
async def test_the_sdk_in_both_dialects(modules: Path, tmp_path: Path, dialect: str, socket: str) -> None:
    async with served_to() as (_, open_port), encrypted(open_port, tmp_path) as (port, trusted):
        url = f"https://127.0.0.1:{port}/v1"
        trust = {"NODE_EXTRA_CA_CERTS": str(trusted)}
        found = await judged(modules, "openai.cjs", url, tmp_path, dialect, socket, **trust)
    assert found["errors"] == ["response_cancel_not_active", "input_audio_buffer_commit_empty", "invalid_value"]
    assert found["calls"] == [LIGHT, TIME]
    assert found["transcript"] == SAID
    assert found["manual"] == found["telephone"] == [SAID, "get_time"]
    assert found["cancelled"] == "cancelled"
    assert found["reply"] == {
        "type": "audio" if dialect == "beta" else "output_audio",
        "transcript": "The kitchen light is on.",
    }
    assert set(found["kinds"]) - {"event", "error"} <= (published("server", dialect) or set(found["kinds"]))


@pytest.mark.parametrize("dialect", ["auto", "beta"])
async def test_the_fork_of_the_reference_client(modules: Path, tmp_path: Path, dialect: Choice) -> None:
    async with served_to(dialect) as (_, port):
        found = await judged(modules, "realtime_api.mjs", f"ws://127.0.0.1:{port}/v1/realtime", tmp_path)
    # it cancels whatever it interrupts, after the server did
    assert set(found["errors"]) <= {"response_cancel_not_active"}
    assert found["calls"] == [LIGHT, TIME, TIME, TIME, ["set_light", {"area": "kitchen", "state": "off"}]]
    assert found["manual"] == SAID
    assert found["transcript"] == SAID
    assert found["interruptions"] == 1
    assert found["kept"] == 2400
    assert set(found["kinds"]) <= (published("server", "beta") or set(found["kinds"]))


async def test_azure_s_client(modules: Path, tmp_path: Path) -> None:
    async with served_to() as (_, port):
        found = await judged(modules, "azure.mjs", f"ws://127.0.0.1:{port}", tmp_path)
    assert found == {
        "calls": [LIGHT, TIME, TIME, TIME],
        "reply": ["The kitchen light is on.", True],
        "manual": SAID,
        "cancelled": "cancelled",
        "transcript": SAID,
        "refused": "input_audio_buffer_commit_empty",
    }
