import asyncio
import base64
import json
from typing import Any

import pytest

from tests.local.client import needs_espeak, needs_sox, utter
from tests.local.line import line, message


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


@needs_espeak
@needs_sox
async def test_sound_may_come_within_an_item() -> None:
    async with line() as peer:
        audio = base64.b64encode(utter("what time is it")).decode()
        item = {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": audio}]}
        await peer.say("conversation.item.create", item=item)
        *_, done = await peer.say("response.create")
        assert done["response"]["output"][0]["name"] == "get_time"


async def test_items_have_the_places_and_the_ids_that_the_client_chose() -> None:
    async with line() as peer:
        await peer.say("conversation.item.create", item=message("one"))
        added, done = await peer.say("conversation.item.create", item=message("two"), previous_item_id="root")
        assert (added["item"]["id"], added["previous_item_id"], done["previous_item_id"]) == ("two", None, None)
        added, _ = await peer.say("conversation.item.create", item=message("six"), previous_item_id="two")
        assert added["previous_item_id"] == "two"
        added, _ = await peer.say("conversation.item.create", item=message("ten"), previous_item_id="")
        assert added["previous_item_id"] == "one"
        (retrieved,) = await peer.say("conversation.item.retrieve", item_id="six")
        assert retrieved["item"]["content"] == [{"type": "input_text", "text": "six"}]
        (deleted,) = await peer.say("conversation.item.delete", item_id="six")
        assert deleted["item_id"] == "six"


@pytest.mark.parametrize(
    ("event", "code", "words"),
    [
        (
            {"type": "conversation.item.create", "previous_item_id": "x", "item": message("ten")},
            "item_create_invalid_previous_item_id",
            "Error adding item: the previous item with id 'x' does not exist.",
        ),
        (
            {"type": "conversation.item.create", "item": message("one")},
            "item_create_duplicate_item_id",
            "Error adding item: an item with id 'one' already exists.",
        ),
        (
            {"type": "conversation.item.retrieve", "item_id": "x"},
            "item_retrieve_invalid_item_id",
            "Error retrieving item: the item with id 'x' does not exist.",
        ),
        (
            {"type": "conversation.item.delete", "item_id": "x"},
            "item_delete_invalid_item_id",
            "Error deleting item: the item with id 'x' does not exist.",
        ),
        (
            {"type": "conversation.item.truncate", "item_id": "x", "content_index": 0, "audio_end_ms": 0},
            "item_truncate_invalid_item_id",
            "Error truncating item: the item with id 'x' does not exist.",
        ),
    ],
    ids=["after", "twice", "retrieve", "delete", "truncate"],
)
async def test_items_that_are_not_there_or_twice_are_told_as_clients_know_it(
    event: dict[str, Any], code: str, words: str
) -> None:
    """Clients go on after these codes; for pipecat any other ends the session."""
    async with line() as peer:
        await peer.say("conversation.item.create", item=message("one"))
        fields = {name: value for name, value in event.items() if name != "type"}
        (error,) = await peer.say(event["type"], **fields, event_id="e1")
        assert (error["error"]["code"], error["error"]["message"], error["error"]["event_id"]) == (code, words, "e1")


async def test_what_is_missing_is_named() -> None:
    async with line() as peer:
        for event, param in (
            ({}, "type"),
            ({"type": "session.update"}, "session"),
            ({"type": "session.update", "session": {}}, "session.type"),
            ({"type": "input_audio_buffer.append"}, "audio"),
            ({"type": "conversation.item.create"}, "item"),
            ({"type": "conversation.item.retrieve"}, "item_id"),
            ({"type": "conversation.item.delete"}, "item_id"),
            ({"type": "conversation.item.truncate"}, "item_id"),
        ):
            await peer.peer.receive(json.dumps({**event, "event_id": "e"}))
            error = peer.sent[-1]["error"]
            assert (error["type"], error["code"]) == ("invalid_request_error", "missing_required_parameter")
            assert (error["param"], error["event_id"]) == (param, "e")


async def test_metadata_come_back_at_once() -> None:
    async with line() as peer:
        created, *_ = await peer.say("response.create", response={"metadata": {"client_event_id": "x"}})
        assert created["response"]["metadata"] == {"client_event_id": "x"}
        (limits,) = peer.of("rate_limits.updated")
        assert limits["rate_limits"][0]["name"] == "requests"
