"""OpenAI's own SDK in the beta dialect against `voice-node serve`, a program of its own: no room for what we know."""

import asyncio
import base64
import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("openai", reason="openai is not installed: pip install -e '.[local,dev]'")

from openai import AsyncOpenAI

from tests.fakes.schema import check_event
from tests.local.client import needs_espeak, needs_sox, utter
from tests.local.rooms import GET_TIME, SET_LIGHT, as_offered

pytestmark = [pytest.mark.interop, needs_espeak, needs_sox]

QUIET = bytes(48 * 1000)
ROOM = """
room: kitchen
tools:
  - name: set_light
    description: Switch a light.
    parameters:
      type: object
      properties: {area: {type: string, enum: [kitchen]}, state: {type: string, enum: ["on", "off"]}}
      required: [area, state]
    sentences: ["turn {state} the {area} light"]
  - name: get_time
    description: Tell the time.
    sentences: ["what time is it"]
"""


@contextlib.asynccontextmanager
async def serving(folder: Path, *options: str) -> AsyncIterator[str]:
    """`voice-node serve` on a free port; its address for the SDK."""
    (folder / "kitchen.yaml").write_text(ROOM)
    (folder / "key").write_text("house-key\n")
    command = (sys.executable, "-m", "voice_node", "serve", str(folder / "kitchen.yaml"), "--port", "0")
    process = await asyncio.create_subprocess_exec(
        *command, "--key-file", str(folder / "key"), *options, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(60):
            yield (await process.stdout.readline()).decode().split()[-1].removesuffix("/realtime")
    finally:
        process.terminate()
        await process.wait()


class Judge:
    """The SDK's connection; each event must be published, and none an error."""

    def __init__(self, connection: Any) -> None:
        self.sdk = connection
        self.kinds: list[str] = []

    async def until(self, kind: str) -> Any:
        async with asyncio.timeout(60):
            while True:
                event = await self.sdk.recv()
                check_event("server", event.to_dict(), "beta")
                assert event.type != "error", event
                self.kinds.append(event.type)
                if event.type == kind:
                    return event

    async def hear(self, sound: bytes) -> None:
        for start in range(0, len(sound), 1920):
            piece = base64.b64encode(sound[start : start + 1920]).decode()
            await self.sdk.input_audio_buffer.append(audio=piece)


# the SDK 3.51 calls `websockets` 17 in its old way
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("options", [(), ("--dialect", "beta")])
async def test_turns_calls_and_an_interruption(tmp_path: Path, options: tuple[str, ...]) -> None:
    async with serving(tmp_path, *options) as url:
        client = AsyncOpenAI(api_key="house-key", base_url=url.replace("ws:", "http:"), websocket_base_url=url)
        async with client, client.beta.realtime.connect(model="gpt-realtime") as connection:
            judge = Judge(connection)
            await judge.until("session.created")
            tools: Any = as_offered(SET_LIGHT, GET_TIME)
            await connection.session.update(
                session={"tools": tools, "input_audio_transcription": {"model": "whisper-1"}, "temperature": 0.7}
            )
            assert (await judge.until("session.updated")).session.temperature == 0.7

            content: Any = [{"type": "input_text", "text": "turn on the kitchen light"}]
            await connection.conversation.item.create(item={"type": "message", "role": "user", "content": content})
            await connection.response.create()
            (call,) = (await judge.until("response.done")).response.output
            assert (call.name, call.status) == ("set_light", "completed")
            output = '{"error": "' + "the lamp is far too hot " * 6 + '"}'
            await connection.conversation.item.create(
                item={"type": "function_call_output", "call_id": call.call_id, "output": output}
            )
            await connection.response.create()
            reply = (await judge.until("response.content_part.added")).item_id
            await judge.until("response.done")

            await judge.hear(QUIET + utter("what time is it") + QUIET)
            await judge.until("input_audio_buffer.speech_started")
            await connection.conversation.item.truncate(item_id=reply, content_index=0, audio_end_ms=200)
            heard = await judge.until("conversation.item.input_audio_transcription.completed")
            assert heard.transcript == "what time is it"
            assert (await judge.until("response.done")).response.output[0].name == "get_time"
            if "conversation.item.truncated" not in judge.kinds:
                await judge.until("conversation.item.truncated")
            assert "response.audio.delta" in judge.kinds
