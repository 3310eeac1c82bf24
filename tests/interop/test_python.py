"""Clients in Python that are no dependency of this project, each in an environment of its own, as judges.

Those that take minutes to install run by hand: pytest -m long tests/interop/test_python.py
"""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.interop import installed
from tests.local.client import needs_espeak, needs_sox, served, utter
from tests.local.rooms import GET_TIME, SET_LIGHT

ROOT = Path(__file__).parents[2]
KEY = "house-key"
SAID = "what time is it"

pytestmark = [pytest.mark.interop, pytest.mark.timeout(900), needs_espeak, needs_sox]


async def judged(interpreter: Path, judge: str, folder: Path, address: str, way: str = "") -> dict[str, Any]:
    """What it found in `voice-node serve`'s server, which listens at {address}."""
    sound = folder / "time.raw"
    sound.write_bytes(utter(SAID))
    async with served([SET_LIGHT, GET_TIME], api_key=KEY) as (_, port):
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *(str(interpreter), "-W", "ignore", "-m", f"tests.interop.python.{judge}"),
            *(address.format(port=port), KEY, str(sound), way),
            cwd=ROOT,
            env={name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
            stdout=pipe,
            stderr=pipe,
        )
        async with asyncio.timeout(120):
            out, err = await process.communicate()
    assert process.returncode == 0, err.decode()[-2000:]
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    return found


@pytest.mark.slow
async def test_azure_s_voice_live(tmp_path: Path) -> None:
    interpreter = installed.python("azure-ai-voicelive==1.3.1", "aiohttp")
    found = await judged(interpreter, "voice_live", tmp_path, "http://127.0.0.1:{port}")
    assert found["errors"] == ["response_cancel_not_active"]
    assert found["calls"] == ["set_light", "get_time"]
    assert found["transcript"] == SAID
    assert found["reply"].startswith("That did not work: the lamp is far too hot")


@pytest.mark.long
@pytest.mark.parametrize("way", ["vad", "manual", "text", "azure", "reconnect"])
async def test_livekit(tmp_path: Path, way: str) -> None:
    interpreter = installed.python("livekit-agents==1.8.9", "livekit-plugins-openai==1.8.9")
    found = await judged(interpreter, "livekit", tmp_path, "ws://127.0.0.1:{port}/v1/realtime", way)
    assert found["errors"] == []
    assert found["calls"] == ["set_light", "get_time"] + ["get_time"] * (way == "reconnect")
    assert found["transcript"] == SAID
    assert found["reply"].startswith("That did not work: the lamp is far too hot")
    assert found["sound"] is (way != "text")


@pytest.mark.long
@pytest.mark.parametrize(
    ("version", "way"), [("1.14.0", "vad"), ("1.14.0", "semantic"), ("1.14.0", "manual"), ("0.0.95", "beta")]
)
async def test_pipecat(tmp_path: Path, version: str, way: str) -> None:
    interpreter = installed.python(f"pipecat-ai[openai,websockets-base]=={version}")
    found = await judged(interpreter, "pipecat", tmp_path, "ws://127.0.0.1:{port}/v1/realtime", way)
    assert found["errors"] == []
    assert found["calls"] == ["set_light", "get_time"] + ["get_time"] * (way != "beta")
    assert way == "beta" or found["transcript"] == SAID
    assert "did not work" in found["reply"]
    assert found["unknown"] == "Error retrieving item: the item with id 'nowhere' does not exist."
