import asyncio
import base64
from dataclasses import replace
from typing import Any

import pytest

from tests.fakes.schema import assert_published
from tests.local.client import needs_espeak
from voice_node.local.conversation import Conversation
from voice_node.local.dialogue import Answer, Call, CallAll, Say
from voice_node.local.responding import Order, Response
from voice_node.local.voice import Voice

PCM = {"type": "audio/pcm", "rate": 24000}
ORDER = Order("resp_1", False, ("audio",), (), None, 1.0, "espeak-ng", "inf", PCM)
TEXT = Order("resp_1", False, ("text",), (), {"a": "b"}, 1.0, None, 100, PCM)
BESIDE = Order("resp_1", True, ("text",), (), None, 1.0, None, "inf", PCM)
MUTE = Voice("en", command="no-such-voice")


class Sent(list[dict[str, Any]]):
    """What a client would have got."""

    async def send(self, event: dict[str, Any]) -> None:
        assert_published("server", event)
        self.append(event)

    @property
    def kinds(self) -> list[str]:
        return [event["type"] for event in self]


async def run(order: Order, answer: Answer, voice: Voice = MUTE) -> tuple[Sent, dict[str, Any], Conversation]:
    sent, conversation = Sent(), Conversation()

    async def decide() -> Answer:
        return answer

    done = await Response(order, conversation, voice, sent.send).run(decide)
    assert_published("server", done)
    return sent, done["response"], conversation


async def test_without_a_voice_there_is_a_transcript() -> None:
    sent, response, _ = await run(ORDER, Say("Hello."))
    assert "response.output_audio.delta" not in sent.kinds
    assert response["output"][0]["content"] == [{"type": "output_audio", "transcript": "Hello."}]
    assert (response["status"], response["usage"]["total_tokens"]) == ("completed", 0)


async def test_text_is_answered_as_text_with_the_metadata() -> None:
    sent, response, conversation = await run(TEXT, Say("Hello."))
    assert not any("audio" in kind for kind in sent.kinds)
    assert response["metadata"] == sent[0]["response"]["metadata"] == {"a": "b"}
    assert conversation.last_id() == response["output"][0]["id"]


async def test_calls_have_their_places() -> None:
    sent, response, _ = await run(TEXT, CallAll((Call("a", {"x": 1}), Call("b", {}))))
    assert [item["name"] for item in response["output"]] == ["a", "b"]
    places = [event["output_index"] for event in sent if event["type"] == "response.output_item.done"]
    assert places == [0, 1]


async def test_beside_the_conversation_nothing_is_kept() -> None:
    sent, response, conversation = await run(BESIDE, Say("Hello."))
    assert conversation.last_id() is None
    assert response["conversation_id"] is None
    assert not any(kind.startswith("conversation") for kind in sent.kinds)


async def test_it_is_cancelled_before_it_knows_what_to_say() -> None:
    sent = Sent()
    response = Response(TEXT, Conversation(), MUTE, sent.send)
    is_deciding = asyncio.Event()

    async def decide() -> Answer:
        is_deciding.set()
        await asyncio.Event().wait()
        return Say("")

    task = asyncio.create_task(response.run(decide))
    await is_deciding.wait()
    response.cancel()
    response.cancel()
    done = await task
    assert done["response"]["status"] == "cancelled"
    assert done["response"]["output"] == []
    assert task.cancelling() == 0


@needs_espeak
async def test_it_is_cancelled_while_it_speaks() -> None:
    sent = Sent()
    response = Response(ORDER, Conversation(), Voice("en"), sent.send)

    async def decide() -> Answer:
        return Say("hello there. " * 100)

    async def send(event: dict[str, Any]) -> None:
        await sent.send(event)
        if event["type"] == "response.output_audio.delta":
            response.cancel()
            await asyncio.sleep(0)

    response._send = send
    done = await asyncio.create_task(response.run(decide))
    assert sent.kinds.count("response.output_audio.delta") == 1
    assert sent.kinds[-5:] == [
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "conversation.item.done",
    ]
    assert done["response"]["output"][0]["status"] == "incomplete"


async def test_words_beyond_the_limit_are_not_said() -> None:
    _, response, _ = await run(replace(TEXT, most_tokens=2), Say("Hello everybody."))
    assert response["status"] == "incomplete"
    assert response["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}
    assert response["output"][0]["content"][0]["text"] == "Hello ev"
    assert response["output"][0]["status"] == "incomplete"


async def test_it_fails_before_it_began() -> None:
    sent = Sent()
    done = await Response(TEXT, Conversation(), MUTE, sent.send).fail("rate_limit_exceeded", "Too many.")
    assert_published("server", done)
    assert sent.kinds == ["response.created"]
    assert done["response"]["status_details"]["error"]["code"] == "rate_limit_exceeded"


@needs_espeak
@pytest.mark.parametrize("kind", ["audio/pcmu", "audio/pcma"])
async def test_it_speaks_g711(kind: str) -> None:
    pcm, _, _ = await run(ORDER, Say("Hello there."), Voice("en"))
    g711, response, _ = await run(replace(ORDER, sound={"type": kind}), Say("Hello there."), Voice("en"))
    sizes = [
        sum(len(base64.b64decode(event["delta"])) for event in sent if event["type"] == "response.output_audio.delta")
        for sent in (pcm, g711)
    ]
    assert sizes[1] == pytest.approx(sizes[0] / 6, rel=0.01)
    assert response["audio"]["output"]["format"] == {"type": kind}
