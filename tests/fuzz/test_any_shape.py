"""What no good input was the mother of: JSON of any shape, by hypothesis."""

import json
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.client_events import ClientEvents
from tests.fuzz.commands import Commands
from tests.fuzz.server_events import ServerEvents, events
from tests.fuzz.tool_arguments import GOOD, ToolArguments
from tests.session.room import Room
from voice_node.model.turn import ToolCall
from voice_node.mqtt.message import Incoming
from voice_node.session.wire_common import decode

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KINDS = st.sampled_from(sorted({event["type"] for event in events(1, {})}))
CLIENT_KINDS = st.sampled_from(
    [
        *("session.update", "input_audio_buffer.append", "conversation.item.create", "conversation.item.delete"),
        *("conversation.item.retrieve", "conversation.item.truncate", "response.create", "response.cancel"),
    ]
)
FIELDS = st.sampled_from(
    [
        *("session", "response", "item", "item_id", "response_id", "delta", "audio", "error", "usage", "transcript"),
        *("previous_item_id", "content_index", "audio_end_ms", "event_id", "languages", "logprobs", "output_index"),
    ]
)


@pytest.fixture(scope="module")
def client() -> Iterator[ClientEvents]:
    target = ClientEvents(Random(1))
    yield target
    target.close()


few = settings(max_examples=80, deadline=None)


@few
@given(kind=KINDS | st.text(max_size=20), fields=st.dictionaries(FIELDS, JSON, max_size=5))
def test_server_events(kind: str, fields: dict[str, Any]) -> None:
    odd = json.dumps({**fields, "type": kind})
    ServerEvents(Random(1)).feed(odd)
    room = Room().up()
    room.hear(decode(odd))
    room.down()
    room.up()
    room.ask("next")
    room.reply("resp_next", "next")
    assert room.ends() == [("next", "completed")], "the next connection knows nothing of it"


@few
@given(kind=CLIENT_KINDS, fields=st.dictionaries(FIELDS, JSON, max_size=5))
def test_client_events(client: ClientEvents, kind: str, fields: dict[str, Any]) -> None:
    client.feed(json.dumps({**fields, "type": kind}))
    client.feed(json.dumps({"type": "input_audio_buffer.clear"}))
    assert client.last_answer == "input_audio_buffer.cleared", "it is answered as ever"


@few
@given(
    below=st.sampled_from(["request/say", "request/ask", "tool/light/result", "tool/blind/result", "volume/set"]),
    content=JSON,
    fields=st.dictionaries(st.sampled_from(["call_id", "output", "error", "text", "volume"]), JSON),
)
def test_commands(below: str, content: Any, fields: dict[str, Any]) -> None:
    target = Commands(Random(1))
    for value in (content, fields):
        target.feed(Incoming(f"voice_node/kitchen/{below}", json.dumps(value).encode()))
    before = target.board.published
    target.feed(Incoming("voice_node/kitchen/request/stop", b"{}"))
    assert target.board.published == before + 1, "the next command has its response"


@few
@given(name=st.sampled_from([name for name, _ in GOOD]), arguments=JSON.map(json.dumps) | st.text())
def test_tool_arguments(name: str, arguments: str) -> None:
    target = ToolArguments(Random(1))
    target.feed(ToolCall("t1", "c1", name, arguments.encode(errors="replace").decode()))
    target.feed(ToolCall("t2", "c2", "light", '{"on": true}'))
    assert target.board.calls[-1:] == ["c2"], "the next call is made"
