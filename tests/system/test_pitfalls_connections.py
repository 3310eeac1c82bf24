"""Rows 1 to 4: connections that are refused, that end, and that are dead."""

import asyncio
import time
from typing import Any

import pytest

from tests.fakes.realtime_server import Close, Drop, Expect, Freeze, Pause, RealtimeServer, Script, emit, greet
from tests.fakes.until import until
from tests.session.node import node, spoken_turn
from tests.system.pitfalls import assert_next_turn_works, error
from voice_node.model.turn import LinkChanged
from voice_node.session.providers import endpoint
from voice_node.settings.session import SessionSettings


async def test_row_01_the_beta_dialect_is_refused_once_and_not_stormed() -> None:
    script: Script = [
        emit(error("beta_api_shape_disabled")),
        Close(4000, "invalid_request_error.beta_api_shape_disabled"),
    ]
    async with RealtimeServer(script) as server, node(server.url) as room:
        await until(lambda: room.failure is not None)
        assert "beta" in str(room.failure)


async def test_row_01_a_close_code_alone_is_understood() -> None:
    async with (
        RealtimeServer([Close(4000, "invalid_request_error.beta_api_shape_disabled")]) as server,
        node(server.url) as room,
    ):
        await until(lambda: room.failure is not None)
        assert "beta" in str(room.failure)


@pytest.mark.parametrize("provider", ["openai", "xai", "local", "localai"])
def test_row_01_nobody_is_sent_the_beta_header_who_would_refuse_it(provider: Any) -> None:
    place = endpoint(SessionSettings(provider=provider, url="http://nas"), "key", "ws://127.0.0.1:1")
    assert "OpenAI-Beta" not in place.headers


async def test_row_02_the_hour_is_over_and_the_library_calls_it_a_good_end() -> None:
    over = Close(1001, "Your session hit the maximum duration of 60 minutes.")
    go = asyncio.Event()
    async with (
        RealtimeServer(
            [*greet(), *spoken_turn(), Pause(go), over], [*greet(), *remembered(2), *spoken_turn(2)]
        ) as server,
        node(server.url) as room,
    ):
        await assert_next_turn_works(room, "t1")
        go.set()
        await until(lambda: len(server.requests) == 2)
        await assert_next_turn_works(room)


async def test_row_02_the_session_is_renewed_before_it_ends_and_between_turns() -> None:
    ends_soon = greet(expires_at=time.time() + 100)  # renewed 25 s before that
    scripts: list[Script] = [[*ends_soon, *spoken_turn()], [*greet(), *remembered(2), *spoken_turn(2)]]
    async with RealtimeServer(*scripts) as server, node(server.url, speed=50) as room:
        await assert_next_turn_works(room, "t1")
        await until(lambda: len(server.requests) == 2)
        await assert_next_turn_works(room)
        assert not any(link.is_trouble for link in room.all(LinkChanged))


def remembered(count: int) -> Script:
    """So many messages are put back into the conversation."""
    return [Expect("conversation.item.create")] * count


async def test_row_03_the_conversation_is_rebuilt_in_order_and_before_anything_else() -> None:
    go = asyncio.Event()

    def is_text(role: str, kind: str, text: str) -> Expect:
        item = {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}
        return Expect("conversation.item.create", lambda event: item.items() <= event["item"].items())

    again = (
        *greet(),
        is_text("user", "input_text", "turn on the light"),
        is_text("assistant", "output_text", "it is on"),
        *spoken_turn(2),
    )
    async with RealtimeServer([*greet(), *spoken_turn(), Pause(go), Drop()], again) as server, node(server.url) as room:
        await assert_next_turn_works(room, "t1")
        go.set()
        await until(lambda: len(server.requests) == 2)
        await assert_next_turn_works(room)


async def test_row_04_a_connection_that_is_dead_is_noticed_by_its_pong() -> None:
    async with (
        RealtimeServer([*greet(), Freeze()], [*greet(), *spoken_turn()]) as server,
        node(server.url, ping_s=0.2) as room,
    ):
        await room.is_up()
        await until(lambda: len(server.requests) == 2)
        await assert_next_turn_works(room)


@pytest.mark.parametrize("code", [1001, 1011, 1012, 1013])
async def test_row_04_ends_that_heal_are_tried_again(code: int) -> None:
    async with RealtimeServer([*greet(), Close(code)], [*greet(), *spoken_turn()]) as server, node(server.url) as room:
        await until(lambda: len(server.requests) == 2)
        await assert_next_turn_works(room)
