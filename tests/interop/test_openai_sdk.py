"""OpenAI's own SDK as the judge of the local server: it drives it, and every event must be one of its typed classes.

The SDK builds an event's class without checking its fields, so here each is validated by that class too.
"""

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, get_args

import pytest

pytest.importorskip("openai", reason="openai is not installed: pip install -e '.[local,dev]'")

from openai import AsyncOpenAI, AuthenticationError, BadRequestError, NotFoundError, OpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection
from openai.types.realtime import RealtimeServerEvent
from openai.types.realtime.realtime_transcription_session_create_response import (
    RealtimeTranscriptionSessionCreateResponse,
)

from tests.local.client import needs_espeak, needs_sox, served, utter
from tests.local.rooms import GET_TIME, ROOM, as_offered
from voice_node.local import wire

pytestmark = pytest.mark.interop

KEY = "house-key"
CLASSES = {
    get_args(kind.model_fields["type"].annotation)[0]: kind for kind in get_args(get_args(RealtimeServerEvent)[0])
}
"""The SDK's class of each event."""
KINDS = set(re.findall(r'_event\(\s*"([a-z_.]+)"', Path(wire.__file__).read_text(encoding="utf-8")))
"""All that the local server can send."""
OFFERED: Any = as_offered(*ROOM)


class Judge:
    """The SDK's connection; what comes is validated."""

    def __init__(self, connection: AsyncRealtimeConnection) -> None:
        self.sdk = connection
        self.seen: list[Any] = []

    async def next(self) -> Any:
        async with asyncio.timeout(30):
            data = await self.sdk.recv_bytes()
        event = self.sdk.parse_event(data)
        raw = json.loads(data)
        assert type(event) is CLASSES[raw["type"]]
        type(event).model_validate(raw)
        assert not event.model_extra, f"{raw['type']}: fields that the SDK does not know: {event.model_extra}"
        self.seen.append(event)
        return event

    async def until(self, kind: str) -> Any:
        while (event := await self.next()).type != kind:
            assert event.type != "error", event.error
        return event

    async def say(self, text: str) -> Any:
        """A text turn; the response."""
        content: Any = [{"type": "input_text", "text": text}]
        await self.sdk.conversation.item.create(item={"type": "message", "role": "user", "content": content})
        await self.sdk.response.create()
        return (await self.until("response.done")).response

    def kinds(self) -> set[str]:
        return {event.type for event in self.seen}


@asynccontextmanager
async def sdk(port: int, key: str = KEY) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(api_key=key, base_url=f"http://127.0.0.1:{port}/v1", max_retries=0) as client:
        yield client


@asynccontextmanager
async def judged(port: int, key: str = KEY, **session: Any) -> AsyncIterator[Judge]:
    """A session that is configured, where there is anything to configure."""
    async with sdk(port, key) as client, client.realtime.connect(model="local") as connection:
        judge = Judge(connection)
        await judge.until("session.created")
        if session:
            wanted: Any = {"type": "realtime", **session}
            await connection.session.update(session=wanted)
            await judge.until("session.updated")
        yield judge


async def test_a_text_turn() -> None:
    async with served(api_key=KEY) as (_, port), judged(port, output_modalities=["text"], tools=OFFERED) as judge:
        response = await judge.say("sing me a song")
        assert response.output[0].content[0].text == "Sorry, I did not understand that."
        assert response.usage.total_tokens == 0


@needs_espeak
@needs_sox
async def test_an_audio_turn_with_a_call_and_a_spoken_reply() -> None:
    audio = {"input": {"turn_detection": None, "transcription": {"model": "gpt-transcribe"}}}
    async with served(api_key=KEY) as (_, port), judged(port, tools=OFFERED, audio=audio) as judge:
        pcm = utter("turn on the kitchen light")
        for start in range(0, len(pcm), 4800):
            piece = base64.b64encode(pcm[start : start + 4800]).decode()
            await judge.sdk.input_audio_buffer.append(audio=piece)
        await judge.sdk.input_audio_buffer.commit()
        await judge.sdk.response.create()
        response = (await judge.until("response.done")).response
        (heard,) = [event for event in judge.seen if event.type.endswith("transcription.completed")]
        assert "kitchen" in heard.transcript
        (call,) = response.output
        assert (call.name, json.loads(call.arguments)) == ("set_light", {"area": "kitchen", "state": "on"})

        output: Any = {"type": "function_call_output", "call_id": call.call_id, "output": '{"ok": true}'}
        await judge.sdk.conversation.item.create(item=output)
        await judge.sdk.response.create()
        response = (await judge.until("response.done")).response
        assert response.output[0].content[0].transcript == "The kitchen light is on."
        sound = [base64.b64decode(event.delta) for event in judge.seen if event.type == "response.output_audio.delta"]
        assert len(b"".join(sound)) > 24000


async def test_a_client_secret_opens_the_session_that_it_was_made_for() -> None:
    async with served(api_key=KEY) as (_, port), sdk(port) as client:
        session: Any = {"type": "realtime", "model": "gpt-realtime", "output_modalities": ["text"], "tools": OFFERED}
        made = await client.realtime.client_secrets.create(
            expires_after={"anchor": "created_at", "seconds": 60}, session=session
        )
        type(made).model_validate(made.model_dump())
        assert made.session.type == "realtime"
        assert made.session.output_modalities == ["text"]
        for _ in range(2):
            async with judged(port, made.value) as judge:
                assert judge.seen[0].session.model == "gpt-realtime"
                assert judge.seen[0].session.id != made.session.id
                response = await judge.say("what time is it")
                assert response.output[0].name == "get_time"


async def test_a_client_secret_for_transcription() -> None:
    async with served(api_key=KEY) as (_, port), sdk(port) as client:
        made = await client.realtime.client_secrets.create(session={"type": "transcription"})
        assert isinstance(made.session, RealtimeTranscriptionSessionCreateResponse)
        async with judged(port, made.value) as judge:
            assert judge.seen[0].session.type == "transcription"


async def test_a_session_of_the_beta_dialect() -> None:
    async with served(api_key=KEY) as (_, port), sdk(port) as client:
        made = await client.beta.realtime.sessions.create(
            modalities=["text"], voice="alloy", input_audio_format="g711_ulaw", tools=OFFERED, temperature=0.7
        )
        type(made).model_validate(made.model_dump())
        assert (made.modalities, made.input_audio_format, made.temperature) == (["text"], "g711_ulaw", 0.7)
        async with judged(port, made.client_secret.value) as judge:
            assert judge.seen[0].session.audio.input.format.type == "audio/pcmu"
            assert (await judge.say("what time is it")).output[0].name == "get_time"


async def test_errors_are_the_sdk_s_own() -> None:
    async with served(api_key=KEY) as (_, port), sdk(port) as client, sdk(port, "wrong") as stranger:
        assert [model.id async for model in client.models.list()] == ["local"]
        with pytest.raises(AuthenticationError) as denied:
            await stranger.realtime.client_secrets.create()
        assert denied.value.code == "invalid_api_key"
        with pytest.raises(NotFoundError):
            await client.embeddings.create(model="local", input="x")
        wrong: Any = {"type": "realtime", "audio": {"output": {"speed": 9}}}
        with pytest.raises(BadRequestError) as refused:
            await client.realtime.client_secrets.create(session=wrong)
        assert (refused.value.code, refused.value.param) == ("invalid_value", "session.audio.output.speed")


def converse(port: int) -> list[str]:
    with OpenAI(api_key=KEY, base_url=f"http://127.0.0.1:{port}/v1", max_retries=0) as client:
        secret = client.realtime.client_secrets.create().value
    with (
        OpenAI(api_key=secret, base_url=f"http://127.0.0.1:{port}/v1", max_retries=0) as client,
        client.realtime.connect(model="local") as connection,
    ):
        created = connection.recv()
        connection.response.create(response={"output_modalities": ["text"]})
        kinds: list[str] = [created.type]
        while kinds[-1] not in ("response.done", "error"):
            kinds.append(connection.recv().type)
        return kinds


# the SDK 3.51 calls `websockets` 17 in its old way
@pytest.mark.filterwarnings("ignore:connect.. must be used as a context manager:DeprecationWarning")
async def test_the_synchronous_client() -> None:
    async with served(api_key=KEY) as (_, port):
        kinds = await asyncio.to_thread(converse, port)
        assert (kinds[0], kinds[-1]) == ("session.created", "response.done")


@needs_espeak
@needs_sox
async def test_every_kind_of_event_is_known_to_the_sdk() -> None:
    """Without a recogniser (it knows English alone) a transcription fails, and that is an event too."""
    async with served([GET_TIME], api_key=KEY) as (_, port), judged(port, tools=OFFERED) as judge:
        (call,) = (await judge.say("what time is it")).output
        output: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "{}"}
        await judge.sdk.conversation.item.create(item=output)
        await judge.sdk.response.create()
        spoken = (await judge.until("response.done")).response.output[0]
        await judge.sdk.conversation.item.retrieve(item_id=spoken.id)
        await judge.until("conversation.item.retrieved")
        await judge.sdk.conversation.item.truncate(item_id=spoken.id, content_index=0, audio_end_ms=100)
        await judge.until("conversation.item.truncated")
        await judge.sdk.conversation.item.delete(item_id=spoken.id)
        await judge.until("conversation.item.deleted")
        await judge.sdk.input_audio_buffer.clear()
        await judge.until("input_audio_buffer.cleared")
        await judge.sdk.response.create(response={"output_modalities": ["text"]})
        await judge.until("response.done")
        await judge.sdk.response.cancel()
        assert (await judge.next()).error.code == "response_cancel_not_active"
        kinds = judge.kinds()

    heard = {"input": {"transcription": {"model": "local"}}}
    for language, last in (("en", "completed"), ("de", "failed")):
        async with served(language=language, api_key=KEY) as (_, port), judged(port, audio=heard) as judge:
            await judge.sdk.input_audio_buffer.append(audio=base64.b64encode(bytes(9600)).decode())
            await judge.sdk.input_audio_buffer.commit()
            await judge.until(f"conversation.item.input_audio_transcription.{last}")
            kinds |= judge.kinds()

    turns = {"input": {"transcription": {"model": "local"}, "turn_detection": {"idle_timeout_ms": 5000}}}
    async with served(api_key=KEY) as (_, port), judged(port, output_modalities=["text"], audio=turns) as judge:
        quiet = bytes(48 * 7000)
        for sound in (utter("turn on the kitchen light") + quiet[: 48 * 1000], quiet):
            await judge.sdk.input_audio_buffer.append(audio=base64.b64encode(sound).decode())
            await judge.until("response.done")
        kinds |= judge.kinds()

    assert kinds == KINDS
