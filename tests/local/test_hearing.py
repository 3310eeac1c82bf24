import asyncio
import base64
from typing import Any

import pytest

from tests.local.client import needs_espeak, needs_sox, utter
from tests.local.line import Line, line

SILENCE = bytes(48 * 1000)
TRANSCRIBED = {"transcription": {"model": "local"}}


def heard(turns: dict[str, Any] | None, **more: Any) -> dict[str, Any]:
    """`audio` of a session."""
    return {"input": {"turn_detection": turns, **TRANSCRIBED, **more}}


def kinds(peer: Line) -> list[str]:
    return [event["type"].removeprefix("input_audio_buffer.") for event in peer.sent]


@needs_espeak
@needs_sox
@pytest.mark.parametrize("piece_ms", [20, 100, 10_000])
async def test_the_server_finds_the_turn_and_answers_it(piece_ms: int) -> None:
    async with line(audio={"input": TRANSCRIBED}) as peer:
        sound = SILENCE + utter("what time is it") + SILENCE
        assert (await peer.append(sound, piece_ms))[:5] == [
            "input_audio_buffer.speech_started",
            "input_audio_buffer.speech_stopped",
            "input_audio_buffer.committed",
            "conversation.item.added",
            "conversation.item.done",
        ]
        await peer.settle()
        (started,), (stopped,) = (
            peer.of("input_audio_buffer.speech_started"),
            peer.of("input_audio_buffer.speech_stopped"),
        )
        (committed,), (added,) = peer.of("input_audio_buffer.committed"), peer.of("conversation.item.added")[:1]
        assert started["item_id"] == stopped["item_id"] == committed["item_id"] == added["item"]["id"]
        assert 600 <= started["audio_start_ms"] <= 1100
        assert 0 < len(sound) / 48 - stopped["audio_end_ms"] < 1000
        (delta,) = peer.of("conversation.item.input_audio_transcription.delta")
        (completed,) = peer.of("conversation.item.input_audio_transcription.completed")
        assert delta["delta"] == completed["transcript"] == "what time is it"
        assert completed["usage"]["seconds"] == pytest.approx(
            (stopped["audio_end_ms"] - started["audio_start_ms"]) / 1000, abs=0.01
        )
        (done,) = peer.of("response.done")
        assert done["response"]["output"][0]["name"] == "get_time"


@needs_espeak
@needs_sox
async def test_whoever_answers_himself_is_only_told_of_the_turn() -> None:
    async with line(audio={"input": {"turn_detection": {"create_response": False}}}, language="de") as peer:
        await peer.append(utter("what time is it") + SILENCE)
        await peer.settle()
        assert kinds(peer)[-3:] == ["committed", "conversation.item.added", "conversation.item.done"]


@needs_espeak
@needs_sox
@pytest.mark.parametrize(("interrupts", "status"), [(True, "cancelled"), (False, "completed")])
async def test_speech_interrupts_the_response_in_work(interrupts: bool, status: str) -> None:
    turns = {"type": "semantic_vad", "eagerness": "high", "interrupt_response": interrupts}
    async with line(audio=heard(turns), language="de") as peer:
        await peer.tell("response.create")
        await peer.append(utter("what time is it") + SILENCE)
        await peer.settle()
        first, second = [event["response"] for event in peer.of("response.done")]
        assert first["status"] == status
        assert second["status"] == "completed"
        if interrupts:
            assert first["status_details"] == {"type": "cancelled", "reason": "turn_detected"}


async def test_silence_after_a_reply_is_answered_once() -> None:
    async with line(audio=heard({"type": "server_vad", "idle_timeout_ms": 5000}), language="de") as peer:
        await peer.append(SILENCE * 6)
        assert not peer.of("input_audio_buffer.timeout_triggered")
        await peer.say("response.create")
        await peer.append(SILENCE * 6)
        await peer.settle()
        (triggered,) = peer.of("input_audio_buffer.timeout_triggered")
        assert 5000 <= triggered["audio_end_ms"] - triggered["audio_start_ms"] <= 5020
        (committed,) = peer.of("input_audio_buffer.committed")
        assert committed["item_id"] == triggered["item_id"]
        _, asked = peer.of("response.done")
        assert asked["response"]["output"][0]["content"][0]["text"] == "Are you still there?"


@needs_espeak
@needs_sox
async def test_a_client_may_commit_although_the_server_listens() -> None:
    async with line(audio={"input": TRANSCRIBED}) as peer:
        await peer.append(SILENCE + utter("what time is it"))
        (started,) = peer.of("input_audio_buffer.speech_started")
        await peer.say("input_audio_buffer.commit")
        (committed,) = peer.of("input_audio_buffer.committed")
        assert committed["item_id"] == started["item_id"]
        (completed,) = peer.of("conversation.item.input_audio_transcription.completed")
        assert completed["transcript"] == "what time is it"
        assert not peer.of("response.created")


async def test_what_nobody_said_is_bounded() -> None:
    async with line(language="de") as peer:
        await peer.append(SILENCE * 150, piece_ms=50_000)
        assert peer.peer._hearing._buffer.duration_ms == 120_000
        assert not peer.of("error")


async def test_without_turn_detection_too_much_is_refused() -> None:
    async with line(audio=heard(None), language="de") as peer:
        await peer.append(SILENCE * 130, piece_ms=10_000)
        (error,) = peer.of("error")
        assert error["error"]["code"] == "input_audio_buffer_full"
        assert [event["type"] for event in await peer.say("input_audio_buffer.clear")] == ["input_audio_buffer.cleared"]
        (error,) = await peer.say("input_audio_buffer.commit")
        assert "only has 0.00ms" in error["error"]["message"]


async def test_turns_beyond_what_can_be_listened_to_fail() -> None:
    async with line(audio=heard({"type": "server_vad", "silence_duration_ms": 200}), language="de") as peer:
        noise = bytes(range(256)) * 38  # 200 ms that sound like a voice
        hearing = peer.peer._hearing
        waiting = asyncio.Event()

        async def wait() -> None:
            await waiting.wait()

        hearing._unheard.update(asyncio.create_task(wait()) for _ in range(4))
        await peer.append(noise * 5 + SILENCE)
        waiting.set()
        assert kinds(peer).count("speech_started") == kinds(peer).count("committed") > 0
        failed = peer.of("conversation.item.input_audio_transcription.failed")
        assert {event["error"]["code"] for event in failed} == {"too_much_sound"}


async def test_another_format_begins_anew() -> None:
    async with line(audio=heard(None), language="de") as peer:
        await peer.append(SILENCE)
        await peer.say(
            "session.update", session={"type": "realtime", "audio": heard(None, format={"type": "audio/pcmu"})}
        )
        (error,) = await peer.say("input_audio_buffer.commit")
        assert error["error"]["code"] == "input_audio_buffer_commit_empty"
        await peer.tell("input_audio_buffer.append", audio=base64.b64encode(b"\xff" * 800).decode())
        await peer.say("input_audio_buffer.commit")
        assert peer.of("input_audio_buffer.committed")
