import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from tests.fakes.schema import check_event
from tests.local.client import needs_espeak, needs_sox, utter
from tests.local.rooms import GET_TIME, as_offered
from voice_node.local.engine import Engine
from voice_node.local.peer import Peer
from voice_node.local.session import default_session


class Line:
    """A peer without a socket."""

    def __init__(self, peer_engine: Engine, group: asyncio.TaskGroup) -> None:
        self.sent: list[dict[str, Any]] = []
        self.tasks: list[asyncio.Task[None]] = []
        self._group = group
        self.peer = Peer(peer_engine, default_session("sess_1", "realtime", "local"), self._send, self._spawn)

    async def _send(self, event: dict[str, Any]) -> None:
        check_event("server", event)
        self.sent.append(event)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        self.tasks.append(self._group.create_task(work))
        return self.tasks[-1]

    async def say(self, kind: str, **fields: Any) -> list[dict[str, Any]]:
        """A client event; what it brought, once everything is done."""
        before = len(self.sent)
        await self.peer.receive(json.dumps({"type": kind, **fields}))
        await asyncio.gather(*self.tasks)
        return self.sent[before:]


@contextlib.asynccontextmanager
async def line() -> AsyncIterator[Line]:
    engine = Engine([GET_TIME], "en")
    engine.start()
    try:
        async with asyncio.TaskGroup() as group:
            one = Line(engine, group)
            session = {"type": "realtime", "tools": as_offered(GET_TIME), "output_modalities": ["text"]}
            await one.say("session.update", session=session)
            yield one
    finally:
        await engine.close()


def message(text: str) -> dict[str, Any]:
    return {"id": text[:4], "type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


async def test_a_response_may_have_its_own_input_and_tools() -> None:
    async with line() as peer:
        for response, count in (
            ({"input": [message("what time is it")], "conversation": "none"}, 1),
            ({"input": []}, 0),
            ({"input": [message("what time is it")], "tools": []}, 0),
        ):
            *_, done = await peer.say("response.create", response=response)
            calls = [item for item in done["response"]["output"] if item["type"] == "function_call"]
            assert len(calls) == count


async def test_input_may_refer_to_an_item() -> None:
    async with line() as peer:
        await peer.say("conversation.item.create", item=message("what time is it"))
        reference = {"type": "item_reference", "id": "what"}
        *_, done = await peer.say("response.create", response={"input": [reference], "conversation": "none"})
        assert done["response"]["output"][0]["name"] == "get_time"


async def test_out_of_band_responses_are_bounded() -> None:
    async with line() as peer:
        create = json.dumps({"type": "response.create", "response": {"conversation": "none", "input": []}})
        for _ in range(5):
            await peer.peer.receive(create)
        assert [event["error"]["code"] for event in peer.sent if event["type"] == "error"] == ["too_many_responses"]
        await asyncio.gather(*peer.tasks)


async def test_an_output_for_no_call_is_refused() -> None:
    async with line() as peer:
        item = {"type": "function_call_output", "call_id": "none", "output": "x"}
        (error,) = await peer.say("conversation.item.create", item=item, event_id="e1")
        assert (error["error"]["code"], error["error"]["event_id"]) == ("invalid_tool_call_id", "e1")


async def test_sound_cannot_pile_up() -> None:
    async with line() as peer:
        append = json.dumps({"type": "input_audio_buffer.append", "audio": base64.b64encode(bytes(9600)).decode()})
        for _ in range(5):
            await peer.peer.receive(append)
            await peer.peer.receive('{"type": "input_audio_buffer.commit"}')
        assert [event["error"]["code"] for event in peer.sent if event["type"] == "error"] == ["too_much_sound"]
        for task in peer.tasks:
            task.cancel()


@needs_espeak
@needs_sox
async def test_sound_may_come_within_an_item() -> None:
    async with line() as peer:
        audio = base64.b64encode(utter("what time is it")).decode()
        item = {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": audio}]}
        await peer.say("conversation.item.create", item=item)
        *_, done = await peer.say("response.create")
        assert done["response"]["output"][0]["name"] == "get_time"
