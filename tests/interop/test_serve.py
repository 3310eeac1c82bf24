"""OpenAI's own SDK, in both dialects, against `voice-node serve`: a program of its own, of which no test knows more."""

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

from tests.fakes.schema import assert_published
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

    def __init__(self, connection: Any, dialect: str) -> None:
        self.sdk = connection
        self.kinds: list[str] = []
        self._dialect = dialect

    async def until(self, kind: str) -> Any:
        async with asyncio.timeout(60):
            while True:
                event = await self.sdk.recv()
                assert_published("server", event.to_dict(), self._dialect)
                assert event.type != "error", event
                self.kinds.append(event.type)
                if event.type == kind:
                    return event

    async def hear(self, sound: bytes) -> None:
        for start in range(0, len(sound), 1920):
            piece = base64.b64encode(sound[start : start + 1920]).decode()
            await self.sdk.input_audio_buffer.append(audio=piece)

    async def answered(self, item: dict[str, Any]) -> Any:
        """The response to an item."""
        await self.sdk.conversation.item.create(item=item)
        await self.sdk.response.create()
        return (await self.until("response.done")).response


@contextlib.asynccontextmanager
async def judging(url: str, dialect: str) -> AsyncIterator[Judge]:
    """A session with the tools of the room."""
    tools: Any = as_offered(SET_LIGHT, GET_TIME)
    session: Any = {"type": "realtime", "tools": tools, "audio": {"input": {"transcription": {"model": "local"}}}}
    if dialect == "beta":
        session = {"tools": tools, "input_audio_transcription": {"model": "whisper-1"}, "temperature": 0.7}
    client = AsyncOpenAI(api_key="house-key", base_url=url.replace("ws:", "http:"), websocket_base_url=url)
    async with client:
        api: Any = client.beta.realtime if dialect == "beta" else client.realtime
        async with api.connect(model="gpt-realtime") as connection:
            judge = Judge(connection, dialect)
            await judge.until("session.created")
            await connection.session.update(session=session)
            await judge.until("session.updated")
            yield judge


# the SDK 3.51 calls `websockets` 17 in its old way
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("dialect", "options"), [("ga", ()), ("beta", ()), ("beta", ("--dialect", "beta"))], ids=["ga", "beta", "forced"]
)
async def test_turns_calls_and_an_interruption(tmp_path: Path, dialect: str, options: tuple[str, ...]) -> None:
    async with serving(tmp_path, *options) as url, judging(url, dialect) as judge:
        content = [{"type": "input_text", "text": "turn on the kitchen light"}]
        (call,) = (await judge.answered({"type": "message", "role": "user", "content": content})).output
        assert (call.name, call.status) == ("set_light", "completed")
        output = '{"error": "' + "the lamp is far too hot " * 6 + '"}'
        result = {"type": "function_call_output", "call_id": call.call_id, "output": output}
        (reply,) = (await judge.answered(result)).output
        assert ("response.audio.delta" if dialect == "beta" else "response.output_audio.delta") in judge.kinds

        await judge.hear(QUIET + utter("what time is it") + QUIET)
        await judge.until("input_audio_buffer.speech_started")  # the reply is still being played
        await judge.sdk.conversation.item.truncate(item_id=reply.id, content_index=0, audio_end_ms=200)
        heard = await judge.until("conversation.item.input_audio_transcription.completed")
        assert heard.transcript == "what time is it"
        assert (await judge.until("response.done")).response.output[0].name == "get_time"
        if "conversation.item.truncated" not in judge.kinds:
            await judge.until("conversation.item.truncated")


# the SDK 3.51 calls `websockets` 17 in its old way
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("dialect", ["ga", "beta"])
async def test_a_reply_in_work_is_interrupted(tmp_path: Path, dialect: str) -> None:
    """It waits for what was said before, so it is surely in work when somebody speaks again."""
    async with serving(tmp_path) as url, judging(url, dialect) as judge:
        speech = utter("what time is it")
        await judge.hear(speech)
        await judge.sdk.input_audio_buffer.commit()
        await judge.sdk.response.create()
        await judge.hear(speech + QUIET)
        statuses = [(await judge.until("response.done")).response for _ in range(2)]
        assert [response.status for response in statuses] == ["cancelled", "completed"]
        assert statuses[0].status_details.reason == "turn_detected"
        assert statuses[1].output[0].name == "get_time"
