"""Turns over a true WebSocket: written and spoken, with tools, cut short, in both dialects."""

import base64
import os
import signal
from typing import Any

import pytest

from tests.fakes.schema import needs_schema, published
from tests.local.client import called, client_of, needs_espeak, needs_sox, said, served, utter
from tests.local.rooms import GET_TIME, SET_LIGHT, as_offered


@needs_schema
def test_the_schema_is_here_to_judge_by() -> None:
    """Skipped, it says why the events of this file were not judged."""
    for dialect in ("ga", "beta"):
        assert {"session.created", "response.done", "error"} <= published("server", dialect)


async def test_a_written_turn_calls_the_tool_and_speaks_its_result() -> None:
    async with served() as (_, port), client_of(port) as client:
        await client.configure(output_modalities=["text"])
        done = await client.write("Please turn on the living room lights!")
        ((name, arguments, call_id),) = called(done)
        assert (name, arguments) == ("set_light", {"area": "living_room", "state": "on"})
        assert said(await client.give(call_id, '{"ok": true}')) == "The living room light is on."
        kinds = [event["type"] for event in client.seen]
        assert kinds[-9:] == [
            "response.output_item.added",
            "conversation.item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "conversation.item.done",
            "response.done",
        ]


async def test_a_call_is_announced_in_order() -> None:
    async with served() as (_, port), client_of(port) as client:
        await client.configure()
        await client.write("what time is it")
        kinds = [event["type"] for event in client.seen if event["type"].startswith("response.")]
        assert kinds == [
            "response.created",
            "response.output_item.added",
            "response.function_call_arguments.delta",
            "response.function_call_arguments.done",
            "response.output_item.done",
            "response.done",
        ]


async def test_two_commands_in_one_text_are_two_calls_and_one_answer() -> None:
    async with served() as (_, port), client_of(port) as client:
        await client.configure(output_modalities=["text"])
        first, second = called(await client.write("turn on the kitchen light and set the kitchen blind to 40%"))
        assert second[:2] == ("set_blind", {"area": "kitchen", "position": 40})
        output = {"type": "function_call_output", "call_id": first[2], "output": "null"}
        await client.send("conversation.item.create", item=output)
        assert said(await client.give(second[2], '{"error": "jammed"}')) == (
            "The kitchen light is on. That did not work: jammed."
        )


async def test_what_is_no_command_is_not_understood_and_calls_nothing() -> None:
    async with served() as (_, port), client_of(port) as client:
        await client.configure(output_modalities=["text"])
        assert said(await client.write("sing me a song")) == "Sorry, I did not understand that."


async def test_only_offered_tools_are_called_and_none_that_asks_for_confirmation() -> None:
    async with served() as (_, port), client_of(port) as client:
        await client.configure(output_modalities=["text"])
        assert "did not understand" in said(await client.write("unlock the front door"))
        await client.configure([GET_TIME])
        assert "did not understand" in said(await client.write("turn on the kitchen light"))
        await client.configure([SET_LIGHT], tool_choice="none")
        assert "did not understand" in said(await client.write("turn on the kitchen light"))


@needs_espeak
@needs_sox
async def test_a_spoken_turn_calls_the_tool_and_speaks_its_result() -> None:
    async with served() as (_, port), client_of(port) as client:
        await client.configure(audio={"input": {"transcription": {"model": "local"}, "turn_detection": None}})
        await client.speak(utter("turn on the kitchen light"))
        committed = await client.until("input_audio_buffer.committed")
        await client.send("response.create")
        done = await client.until("response.done")
        transcripts = [event for event in client.seen if event["type"].endswith("transcription.completed")]
        assert [event["item_id"] for event in transcripts] == [committed["item_id"]]
        assert transcripts[0]["usage"]["seconds"] == pytest.approx(1.5, abs=0.7)
        ((name, arguments, call_id),) = called(done)
        assert (name, arguments) == ("set_light", {"area": "kitchen", "state": "on"})
        done = await client.give(call_id, "null")
        assert said(done) == "The kitchen light is on."
        sound = [base64.b64decode(event["delta"]) for event in client.seen if "output_audio.delta" in event["type"]]
        assert len(sound) > 1
        assert 1 < len(b"".join(sound)) / 48000 < 4


@needs_espeak
@needs_sox
async def test_speech_that_is_no_command_is_written_down_and_not_obeyed() -> None:
    async with served() as (_, port), client_of(port) as client:
        await client.configure(output_modalities=["text"], audio={"input": {"transcription": {"model": "local"}}})
        await client.speak(utter("my sister told me about the wedding yesterday"))
        await client.send("response.create")
        assert said(await client.until("response.done")) == "Sorry, I did not understand that."
        (completed,) = [event for event in client.seen if event["type"].endswith("transcription.completed")]
        assert "yesterday" in completed["transcript"]


@needs_espeak
@needs_sox
async def test_a_worker_that_is_killed_costs_one_segment() -> None:
    async with served() as (server, port), client_of(port) as client:
        await client.configure(output_modalities=["text"], audio={"input": {"transcription": {"model": "local"}}})
        await client.speak(utter("turn on the kitchen light"))
        await client.send("response.create")
        assert called(await client.until("response.done"))
        recogniser = server.engine.recogniser
        assert recogniser is not None
        first = recogniser.pid
        assert first is not None
        os.kill(first, signal.SIGSTOP)  # so that it is surely in the middle of the next segment
        await client.speak(utter("what time is it"))
        await client.until("conversation.item.done")
        os.kill(first, signal.SIGKILL)
        await client.until("conversation.item.input_audio_transcription.failed")
        await client.send("response.create")
        assert "did not understand" in said(await client.until("response.done"))
        await client.speak(utter("what time is it"))
        await client.send("response.create")
        assert called(await client.until("response.done"))[0][0] == "get_time"
        assert recogniser.pid != first


@needs_espeak
async def test_a_reply_is_cancelled_and_truncated() -> None:
    async with served() as (_, port), client_of(port) as client:
        await client.configure()
        text = "One two three. " * 100
        say = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
        await client.send("response.create", response={"conversation": "none", "input": [say], "metadata": {"a": "b"}})
        await client.until("response.done")
        await client.send("response.create")
        item_id = (await client.until("response.output_audio.delta"))["item_id"]
        await client.until("response.done")
        await client.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=100)
        assert (await client.until("conversation.item.truncated"))["audio_end_ms"] == 100
        await client.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=99999)
        assert "already shorter" in (await client.error())["message"]
        await client.send("response.cancel")
        assert (await client.error())["code"] == "response_cancel_not_active"


@needs_espeak
async def test_announcements_are_spoken_word_for_word_beside_the_conversation() -> None:
    async with served() as (_, port), client_of(port) as client:
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Turn on the light."}]}
        response = {"conversation": "none", "input": [item], "metadata": {"voice_node": "say"}, "instructions": "Say"}
        await client.send("response.create", response=response)
        created = await client.until("response.created")
        assert created["response"]["metadata"] == {"voice_node": "say"}
        done = await client.until("response.done")
        assert said(done) == "Turn on the light."
        assert done["response"]["conversation_id"] is None
        assert not any(event["type"].startswith("conversation.item") for event in client.seen)
        assert any(event["type"] == "response.output_audio.delta" for event in client.seen)


@needs_espeak
async def test_a_long_reply_can_be_cancelled() -> None:
    async with served() as (_, port), client_of(port) as client:
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello there. " * 150}]}
        response = {"conversation": "none", "input": [item], "metadata": {"voice_node": "say"}}
        await client.send("response.create", response=response)
        event = await client.until("response.output_audio.delta")
        await client.send("response.cancel", response_id=event["response_id"])
        done = await client.until("response.done")
        assert done["response"]["status"] == "cancelled"
        assert done["response"]["status_details"]["reason"] == "client_cancelled"
        assert done["response"]["output"][0]["status"] == "incomplete"


async def test_one_response_at_a_time() -> None:
    async with served() as (_, port), client_of(port) as client:
        await client.configure()
        await client.send("response.create")
        await client.send("response.create", event_id="second")
        while (event := await client.next())["type"] != "error":
            assert event["type"] != "response.done"
        assert event["error"]["code"] == "conversation_already_has_active_response"
        assert event["error"]["event_id"] == "second"
        await client.until("response.done")
        await client.send("response.create", response={"output_modalities": ["text"]})
        await client.until("response.done")


async def test_items_are_made_retrieved_and_deleted() -> None:
    async with served() as (_, port), client_of(port) as client:
        item = {"id": "mine", "type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
        await client.send("conversation.item.create", item=item, previous_item_id="root")
        added = await client.until("conversation.item.added")
        assert (added["item"]["id"], added["previous_item_id"]) == ("mine", None)
        await client.until("conversation.item.done")
        await client.send("conversation.item.retrieve", item_id="mine")
        assert (await client.until("conversation.item.retrieved"))["item"]["content"] == item["content"]
        await client.send("conversation.item.delete", item_id="mine")
        assert (await client.until("conversation.item.deleted"))["item_id"] == "mine"
        await client.send("conversation.item.retrieve", item_id="mine", event_id="e1")
        assert (await client.error())["event_id"] == "e1"


async def test_the_buffer_is_cleared_and_not_committed_when_empty() -> None:
    async with served() as (_, port), client_of(port) as client:
        await client.send("input_audio_buffer.append", audio=base64.b64encode(bytes(4800)).decode())
        await client.send("input_audio_buffer.clear")
        await client.until("input_audio_buffer.cleared")
        await client.send("input_audio_buffer.commit")
        error = await client.error()
        assert error["code"] == "input_audio_buffer_commit_empty"
        assert "0.00ms" in error["message"]


async def test_what_cannot_be_is_refused_with_its_place() -> None:
    async with served() as (_, port), client_of(port) as client:
        session = {"type": "realtime", "audio": {"input": {"turn_detection": {"type": "server_vad", "threshold": 5}}}}
        await client.send("session.update", session=session, event_id="e7")
        error = await client.error()
        assert (error["param"], error["event_id"]) == ("session.audio.input.turn_detection.threshold", "e7")


@needs_espeak
@needs_sox
async def test_the_server_ends_the_turn_and_speech_interrupts_its_reply() -> None:
    quiet = bytes(48 * 1000)
    async with served() as (_, port), client_of(port) as client:
        await client.configure()
        await client.append(quiet + utter("turn on the kitchen light") + quiet, piece_ms=20)
        ((name, _, call_id),) = called(await client.until("response.done"))
        assert name == "set_light"
        output = {
            "type": "function_call_output",
            "call_id": call_id,
            "output": '{"error": "' + "far too hot " * 12 + '"}',
        }
        await client.send("conversation.item.create", item=output)
        await client.send("response.create")
        await client.until("response.output_audio.delta")
        await client.append(utter("what time is it") + quiet)
        started = await client.until("input_audio_buffer.speech_started")
        assert started["audio_start_ms"] > 0
        replies = [(await client.until("response.done"))["response"]]
        if not replies[0]["output"] or replies[0]["output"][0]["type"] == "message":
            replies.append((await client.until("response.done"))["response"])
        assert called({"response": replies[-1]})[0][0] == "get_time"


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("/v1/realtime?model=gpt-realtime", {"additional_headers": {"OpenAI-Beta": "realtime=v1"}}),
        ("/v1/realtime?model=gpt-realtime", {"subprotocols": ["realtime", "openai-beta.realtime-v1"]}),
        ("/openai/realtime?api-version=2024-10-01-preview&deployment=gpt-realtime", {}),
    ],
)
async def test_a_client_of_the_beta_gets_the_beta(path: str, options: dict[str, Any]) -> None:
    async with served() as (_, port), client_of(port, path, "beta", **options) as client:
        assert client.seen[0]["session"]["modalities"] == ["audio", "text"]
        await client.send("session.update", session={"modalities": ["text"], "tools": as_offered(GET_TIME)})
        assert called(await client.write("what time is it"))[0][0] == "get_time"
    async with served(dialect="ga") as (_, port), client_of(port, path, **options) as client:
        assert client.seen[0]["session"]["type"] == "realtime"
    async with (
        served(dialect="beta") as (_, port),
        client_of(port, "/v1/realtime?model=gpt-realtime", "beta") as client,
    ):
        assert "audio" not in client.seen[0]["session"]


async def test_a_transcription_session_writes_down_and_does_not_answer() -> None:
    async with served() as (_, port), client_of(port, "/v1/realtime?intent=transcription") as client:
        assert client.seen[0]["session"]["type"] == "transcription"
        await client.send("response.create")
        assert (await client.error())["param"] == "type"
