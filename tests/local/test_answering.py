from typing import Any

import pytest

from tests.local.line import Line, line, message
from voice_node.local.rate_limit import RateLimit


async def asked(peer: Line, text: str, **response: Any) -> dict[str, Any]:
    """The response to a text."""
    *_, done = await peer.say("response.create", response={"input": [message(text)], **response})
    resource: dict[str, Any] = done["response"]
    return resource


@pytest.mark.parametrize(
    ("choice", "count"),
    [("auto", 1), ("required", 1), ("none", 0), ({"type": "function", "name": "get_time"}, 1)],
)
async def test_the_choice_of_tools_is_kept(choice: Any, count: int) -> None:
    async with line() as peer:
        response = await asked(peer, "what time is it", tool_choice=choice)
        assert [item["type"] for item in response["output"]].count("function_call") == count


async def test_a_choice_of_another_tool_calls_nothing() -> None:
    async with line() as peer:
        choice = {"type": "function", "name": "other"}
        assert (await asked(peer, "what time is it", tool_choice=choice))["output"][0]["type"] == "message"


async def test_the_limits_of_a_response_are_its_own() -> None:
    async with line() as peer:
        response = await asked(peer, "sing me a song", max_output_tokens=1, conversation="none", metadata={"a": "b"})
        assert (response["status"], response["max_output_tokens"]) == ("incomplete", 1)
        assert (response["conversation_id"], response["metadata"]) == (None, {"a": "b"})
        assert response["output"][0]["content"][0]["text"] == "Sorr"


async def test_cancelling_nothing_is_an_error_that_ends_nothing() -> None:
    async with line() as peer:
        for fields in ({}, {"response_id": "resp_x"}):
            (error,) = await peer.say("response.cancel", **fields)
            assert error["error"]["code"] == "response_cancel_not_active"
        assert (await asked(peer, "what time is it"))["status"] == "completed"


async def test_a_response_is_cancelled_by_the_client() -> None:
    async with line() as peer:
        await peer.tell("response.create")
        (error,) = await peer.tell("response.create")
        assert error["error"]["code"] == "conversation_already_has_active_response"
        await peer.say("response.cancel")
        (done,) = peer.of("response.done")
        assert done["response"]["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}


async def test_a_runaway_client_is_slowed_down() -> None:
    async with line() as peer:
        peer.peer._answering._limit = RateLimit(limit=1, window_s=3600)
        assert (await asked(peer, "what time is it"))["status"] == "completed"
        response = await asked(peer, "what time is it")
        assert response["status"] == "failed"
        assert response["status_details"]["error"]["code"] == "rate_limit_exceeded"
