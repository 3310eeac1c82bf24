"""What Azure's rt-client 0.5 demands of a server, written down: it comes as a wheel from its repository alone.

It ends at an event that it does not know, and at one that lacks a field; it says `none` where others say null.
"""

import json
from typing import Any

import pytest
from websockets.asyncio.client import connect

from tests.local.client import Client, needs_espeak, needs_sox, served, utter
from tests.local.rooms import GET_TIME, SET_LIGHT, as_offered

pytestmark = [pytest.mark.interop, needs_espeak, needs_sox]

PATH = "/openai/realtime?deployment=gpt-realtime&api-version=2024-10-01-preview"
QUIET = bytes(48 * 1000)
VOICES = ("alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse")

Text, Number, Flag = (str,), (int, float), (bool,)
MaybeText = (str, type(None))
PLACE = {"response_id": Text, "item_id": Text, "output_index": Number, "content_index": Number}
CALL = {"response_id": Text, "item_id": Text, "output_index": Number, "call_id": Text}
PARTS: dict[str, dict[str, Any]] = {"input_text": {"text": Text}, "input_audio": {"transcript": MaybeText}}
PARTS |= {"text": {"text": Text}, "audio": {"transcript": MaybeText}}
ITEMS: dict[str, dict[str, Any]] = {
    "message": {"id": Text, "status": Text, "role": Text, "content": (list,)},
    "function_call": {"id": Text, "status": Text, "name": Text, "call_id": Text, "arguments": Text},
    "function_call_output": {"id": Text, "call_id": Text, "output": Text},
}
SESSION = {
    "id": Text,
    "model": Text,
    "modalities": (list,),
    "instructions": Text,
    "voice": Text,
    "input_audio_format": Text,
    "output_audio_format": Text,
    "input_audio_transcription": (dict, type(None)),
    "turn_detection": (dict, type(None)),
    "tools": (list,),
    "tool_choice": (str, dict),
    "temperature": Number,
    "max_response_output_tokens": (int, str),
}
RESPONSE = {"id": Text, "status": Text, "status_details": (dict, type(None)), "output": (list,)}
EVENTS: dict[str, dict[str, Any]] = {
    "session.created": {"session": SESSION},
    "session.updated": {"session": SESSION},
    "input_audio_buffer.committed": {"previous_item_id": MaybeText, "item_id": Text},
    "input_audio_buffer.cleared": {},
    "input_audio_buffer.speech_started": {"audio_start_ms": Number, "item_id": Text},
    "input_audio_buffer.speech_stopped": {"audio_end_ms": Number, "item_id": Text},
    "conversation.item.created": {"previous_item_id": MaybeText, "item": (dict,)},
    "conversation.item.truncated": {"item_id": Text, "content_index": Number, "audio_end_ms": Number},
    "conversation.item.deleted": {"item_id": Text},
    "conversation.item.input_audio_transcription.completed": {"item_id": Text, "transcript": Text},
    "response.created": {"response": RESPONSE},
    "response.done": {"response": RESPONSE | {"usage": (dict,)}},
    "response.output_item.added": {"response_id": Text, "output_index": Number, "item": (dict,)},
    "response.output_item.done": {"response_id": Text, "output_index": Number, "item": (dict,)},
    "response.content_part.added": PLACE | {"part": (dict,)},
    "response.content_part.done": PLACE | {"part": (dict,)},
    "response.text.delta": PLACE | {"delta": Text},
    "response.text.done": PLACE | {"text": Text},
    "response.audio_transcript.delta": PLACE | {"delta": Text},
    "response.audio_transcript.done": PLACE | {"transcript": Text},
    "response.audio.delta": PLACE | {"delta": Text},
    "response.audio.done": PLACE,
    "response.function_call_arguments.delta": CALL | {"delta": Text},
    "response.function_call_arguments.done": CALL | {"name": Text, "arguments": Text},
    "rate_limits.updated": {"rate_limits": (list,)},
}


def assert_fields(place: str, value: dict[str, Any], fields: dict[str, Any]) -> None:
    """Each field is there, and of one of its types."""
    for name, wanted in fields.items():
        assert name in value, f"{place} has no {name}"
        if isinstance(wanted, dict):
            assert_fields(f"{place}.{name}", value[name], wanted)
        else:
            assert isinstance(value[name], wanted), f"{place}.{name}: {value[name]!r}"


def assert_readable(event: dict[str, Any]) -> None:
    """As that client reads it."""
    kind = event["type"]
    assert kind in EVENTS, f"unknown event {kind}"
    assert_fields(kind, event, EVENTS[kind] | {"event_id": Text})
    for part in [event["part"]] if "part" in event else []:
        assert_fields(kind, part, PARTS[part["type"]])
    items = [event["item"]] if "item" in event else event.get("response", {}).get("output", [])
    for item in items:
        assert_fields(kind, item, ITEMS[item["type"]])
        for part in item.get("content", []):
            assert_fields(kind, part, PARTS[part["type"]])
    if "session" in event:
        assert event["session"]["voice"] in VOICES
        turns = event["session"]["turn_detection"]
        assert turns is None or turns["type"] in ("server_vad", "none")


class Azure(Client):
    """Its connection."""

    async def next(self) -> dict[str, Any]:
        event = await super().next()
        assert_readable(event)
        return event


async def test_its_turns_go_through() -> None:
    tools = as_offered(SET_LIGHT, GET_TIME)
    async with served([SET_LIGHT, GET_TIME], api_key="house-key") as (_, port):
        headers = {"api-key": "house-key", "x-ms-client-request-id": "1"}
        async with connect(f"ws://127.0.0.1:{port}{PATH}", additional_headers=headers, proxy=None) as connection:
            azure = Azure(connection, "beta")
            await azure.until("session.created")
            turns = {"type": "none"}
            update = {"type": "session.update", "session": {"tools": tools, "turn_detection": turns}}
            await azure.send_raw(json.dumps(update))
            assert (await azure.until("session.updated"))["session"]["turn_detection"] is None

            (call,) = (await azure.write("turn on the kitchen light"))["response"]["output"]
            assert call["name"] == "set_light"
            reply = (await azure.give(call["call_id"], '"ok"'))["response"]["output"][0]
            assert reply["content"] == [{"type": "audio", "transcript": "The kitchen light is on."}]
            await azure.send("conversation.item.truncate", item_id=reply["id"], content_index=0, audio_end_ms=100)
            await azure.until("conversation.item.truncated")
            await azure.send("conversation.item.delete", item_id=reply["id"])
            await azure.until("conversation.item.deleted")

            heard = {"turn_detection": {"type": "server_vad"}, "input_audio_transcription": {"model": "whisper-1"}}
            await azure.send("session.update", session=heard)
            await azure.until("session.updated")
            await azure.append(QUIET + utter("what time is it") + QUIET)
            await azure.until("input_audio_buffer.speech_started")
            transcript = await azure.until("conversation.item.input_audio_transcription.completed")
            assert transcript["transcript"] == "what time is it"
            assert (await azure.until("response.done"))["response"]["output"][0]["name"] == "get_time"
