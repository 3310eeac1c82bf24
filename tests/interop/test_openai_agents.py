"""OpenAI's Agents SDK as a judge of the local server: it reports every event that it cannot validate as an error."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

pytest.importorskip("agents", reason="openai-agents is not installed: pip install -e '.[local,dev]'")

from agents import FunctionTool
from agents.realtime import (
    RealtimeAgent,
    RealtimeModelRawClientMessage,
    RealtimeModelSendRawMessage,
    RealtimeRunner,
    RealtimeSession,
)
from agents.tool_context import ToolContext

from tests.local.client import needs_espeak, needs_sox, served, utter
from tests.local.rooms import GET_TIME, SET_LIGHT, as_offered

pytestmark = [pytest.mark.interop, needs_espeak, needs_sox]

KEY = "house-key"
QUIET = bytes(48 * 1000)
TEXT = {"modalities": ["text"]}
SPEECH = {"modalities": ["audio"], "input_audio_transcription": {"model": "local"}}


class Home:
    """The agent's tools, and what was called."""

    def __init__(self, output: str = '{"ok": true}') -> None:
        self.calls: list[tuple[str, Any]] = []
        self._output = output

    def tools(self) -> list[FunctionTool]:
        return [self._tool(offered) for offered in as_offered(SET_LIGHT, GET_TIME)]

    def _tool(self, offered: dict[str, Any]) -> FunctionTool:
        async def invoke(_context: ToolContext[Any], arguments: str) -> str:
            self.calls.append((offered["name"], json.loads(arguments)))
            return self._output

        return FunctionTool(
            name=offered["name"],
            description=offered["description"],
            params_json_schema=offered["parameters"],
            on_invoke_tool=invoke,
            strict_json_schema=False,
        )


class Ear:
    """What a session tells; an error of any kind fails."""

    def __init__(self, session: RealtimeSession) -> None:
        self.session = session
        self.audio = 0
        self.raw: list[str] = []
        self._events = aiter(session)

    async def until(self, kind: str) -> Any:
        """The next event of this kind of the SDK's own, or of the server's."""
        async with asyncio.timeout(60):
            while True:
                event = await anext(self._events)
                assert event.type != "error", event
                if event.type == "audio":
                    self.audio += len(event.audio.data)
                if event.type == "raw_model_event":
                    assert event.data.type not in ("error", "exception"), event.data
                    if event.data.type == "raw_server_event":
                        assert event.data.data["type"] != "error", event.data.data
                        self.raw.append(event.data.data["type"])
                        if self.raw[-1] == kind:
                            return event.data.data
                if event.type == kind:
                    return event

    def words(self) -> list[str]:
        """What was said, by both."""
        parts = [part for item in self.session._history for part in getattr(item, "content", [])]
        return [getattr(part, "transcript", None) or getattr(part, "text", None) or "" for part in parts]


@asynccontextmanager
async def talking(port: int, home: Home, **settings: Any) -> AsyncIterator[Ear]:
    agent = RealtimeAgent(name="house", instructions="Be brief.", tools=list(home.tools()))
    model: Any = {"url": f"ws://127.0.0.1:{port}/v1/realtime?model=local", "api_key": KEY}
    config: Any = {"model_settings": {"tracing": None, **settings}}
    runner = RealtimeRunner(agent, config=config)
    session = await runner.run(model_config=model)
    async with session:
        yield Ear(session)


async def test_a_text_turn_and_a_call() -> None:
    home = Home()
    async with served(api_key=KEY) as (_, port), talking(port, home, **TEXT) as ear:
        await ear.session.send_message("turn on the kitchen light")
        await ear.until("tool_end")
        await ear.until("response.output_text.done")
        await ear.until("agent_end")
        assert home.calls == [("set_light", {"area": "kitchen", "state": "on"})]
        assert ear.words()[-1] == "The kitchen light is on."


@pytest.mark.parametrize("detection", ["server_vad", "semantic_vad"])
async def test_an_audio_turn_and_a_call(detection: str) -> None:
    home = Home()
    async with (
        served(api_key=KEY) as (_, port),
        talking(port, home, **SPEECH, turn_detection={"type": detection}) as ear,
    ):
        await ear.session.send_audio(QUIET + utter("turn on the kitchen light") + QUIET + QUIET)
        await ear.until("conversation.item.input_audio_transcription.completed")
        await ear.until("tool_end")
        await ear.until("audio_end")
        await ear.until("response.done")
        assert home.calls == [("set_light", {"area": "kitchen", "state": "on"})]
        # One more sound at the end means the same in this grammar; what is done is judged below.
        assert ear.words()[0] in ("turn on the kitchen light", "turn on the kitchen lights")
        assert ear.audio > 24000


async def test_a_turn_that_the_client_commits() -> None:
    home = Home()
    async with served(api_key=KEY) as (_, port), talking(port, home, **SPEECH, turn_detection=None) as ear:
        await ear.session.send_audio(utter("what time is it"), commit=True)
        await ear.until("input_audio_buffer.committed")
        await ear.session.model.send_event(_raw("response.create"))
        await ear.until("tool_end")
        assert home.calls == [("get_time", {})]


async def test_a_person_who_speaks_interrupts_the_reply() -> None:
    """The SDK stops what it plays, tells how much was played, and the conversation goes on."""
    home = Home('{"error": "' + "the lamp is far too hot " * 6 + '"}')
    async with served(api_key=KEY) as (_, port), talking(port, home, **SPEECH) as ear:
        await ear.session.send_message("turn on the kitchen light")
        await ear.until("response.output_audio.done")
        await ear.session.send_audio(utter("what time is it") + QUIET + QUIET)
        await ear.until("audio_interrupted")
        truncated = await ear.until("conversation.item.truncated")
        assert truncated["audio_end_ms"] >= 0
        while len(home.calls) < 2:
            await ear.until("tool_end")
        assert home.calls[1] == ("get_time", {})


async def test_an_interruption_with_nothing_to_interrupt() -> None:
    home = Home()
    async with served(api_key=KEY) as (_, port), talking(port, home, **TEXT) as ear:
        await ear.session.interrupt()
        await ear.session.send_message("what time is it")
        await ear.until("tool_end")
        assert home.calls == [("get_time", {})]


def _raw(kind: str) -> Any:
    message: RealtimeModelRawClientMessage = {"type": kind}
    return RealtimeModelSendRawMessage(message=message)
