"""OpenAI's packages for JavaScript as judges of the local server.

They are no dependency of this project: install `openai`, `ws` and `@openai/agents-realtime` by npm into a folder, and
name it in VOICE_NODE_JS_MODULES.
"""

import asyncio
import json
import os
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.certificates import ABSENT, Authority
from tests.fakes.schema import published
from tests.local.client import needs_espeak, needs_sox, served, utter
from tests.local.rooms import GET_TIME, SET_LIGHT

HERE = Path(__file__).parent / "javascript"
NODE = shutil.which("node")
MODULES = Path(os.environ.get("VOICE_NODE_JS_MODULES", "nowhere"))
KEY = "house-key"
LIGHT = ["set_light", {"area": "kitchen", "state": "on"}]

pytestmark = [
    pytest.mark.interop,
    needs_espeak,
    needs_sox,
    pytest.mark.skipif(NODE is None, reason="node is not installed"),
    pytest.mark.skipif(
        not (MODULES / "node_modules" / "@openai" / "agents-realtime").is_dir(),
        reason="VOICE_NODE_JS_MODULES names no folder with openai, ws and @openai/agents-realtime",
    ),
]


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


async def judged(script: str, url: str, folder: Path, *more: str, **environment: str) -> dict[str, Any]:
    """What a script found."""
    sound = folder / "time.raw"
    sound.write_bytes(utter("what time is it"))
    assert NODE is not None
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        NODE, str(HERE / script), url, KEY, str(sound), *more, stdout=pipe, stderr=pipe, env=os.environ | environment
    )
    async with asyncio.timeout(90):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    assert out, err.decode()
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    return found


async def test_the_agents_sdk(tmp_path: Path) -> None:
    async with served([SET_LIGHT, GET_TIME], api_key=KEY) as (_, port):
        found = await judged("agents.cjs", f"ws://127.0.0.1:{port}/v1/realtime?model=local", tmp_path)
    assert found["errors"] == []
    assert found["calls"] == [LIGHT, ["get_time", {}]]
    assert found["transcript"] == "what time is it"
    assert found["interruptions"] >= 1


@pytest.mark.skipif(bool(ABSENT), reason=ABSENT)
@pytest.mark.parametrize("dialect", ["ga", "beta"])
async def test_the_sdk_in_both_dialects(tmp_path: Path, dialect: str) -> None:
    async with (
        served([SET_LIGHT, GET_TIME], api_key=KEY) as (_, open_port),
        encrypted(open_port, tmp_path) as (port, trusted),
    ):
        url = f"https://127.0.0.1:{port}/v1"
        found = await judged("openai.cjs", url, tmp_path, dialect, NODE_EXTRA_CA_CERTS=str(trusted))
    assert found["errors"] == []
    assert found["calls"] == [LIGHT, ["get_time", {}]]
    assert found["transcript"] == "what time is it"
    assert found["reply"] == {
        "type": "audio" if dialect == "beta" else "output_audio",
        "transcript": "The kitchen light is on.",
    }
    assert set(found["kinds"]) - {"event", "error"} <= (published("server", dialect) or set(found["kinds"]))
