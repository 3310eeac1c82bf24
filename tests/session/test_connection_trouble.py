"""Servers that refuse, hang, fall silent or speak something else: what the connection makes of them."""

import asyncio
import logging
import socket

import pytest

from tests.fakes.realtime_server import (
    Close,
    Drop,
    Emit,
    Expect,
    Freeze,
    Pause,
    RealtimeServer,
    Refuse,
    Script,
    Stay,
    emit,
    greet,
)
from tests.fakes.until import until
from tests.session.node import CANARY, node, reply, spoken_turn
from tests.session.room import SECOND
from voice_node.model.control import AskText
from voice_node.model.turn import LinkChanged, ServiceTrouble
from voice_node.session import connection as connection_module
from voice_node.session.connection import UNREAD
from voice_node.session.step import Returned


@pytest.mark.parametrize("end", [Close(1000), Close(1001, "going away"), Close(1011), Close(1012), Drop()], ids=repr)
async def test_every_end_is_a_disconnect(end: Close | Drop) -> None:
    cut = (*greet(), Expect("input_audio_buffer.commit"), end)
    async with RealtimeServer(cut, [*greet(), *spoken_turn()]) as server, node(server.url) as room:
        await room.is_up()
        await room.say("t1")
        assert await room.ended(1) == [("t1", "completed")]
        assert bytes(server.audio) == SECOND * 2
        assert [link.is_up for link in room.all(LinkChanged)][:3] == [True, False, True]
        assert room.connection.reconnects == 1


async def test_a_turn_that_was_acted_on_is_not_said_again() -> None:
    go = asyncio.Event()
    begun = reply("r1").events[:3]
    cut = (*greet(), Expect("input_audio_buffer.commit"), Expect("response.create"), Emit(begun), Pause(go), Drop())
    async with RealtimeServer(cut, [*greet(), Stay()]) as server, node(server.url) as room:
        await room.say("t1")
        await until(lambda: bool(room.played))
        go.set()
        assert await room.ended(1) == [("t1", "disconnected")]
        await until(lambda: len(server.requests) == 2)
        await until(lambda: len(room.all(LinkChanged)) == 3)


async def test_a_server_that_accepts_and_closes_is_not_stormed() -> None:
    async with RealtimeServer([Close(1011, "overloaded")], is_endless=True) as server, node(server.url) as room:
        await asyncio.sleep(2.5)
        assert 2 <= len(server.requests) <= 6
        assert room.failure is None


async def test_a_server_that_greets_and_gives_up_is_not_stormed() -> None:
    expired = {"type": "error", "error": {"type": "invalid_request_error", "code": "session_expired", "message": "x"}}
    async with RealtimeServer([*greet(), emit(expired), Stay()], is_endless=True) as server, node(server.url):
        await asyncio.sleep(2.5)
        assert 2 <= len(server.requests) <= 6


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_key_ends_the_session(status: int) -> None:
    async with RealtimeServer([Refuse(status)]) as server, node(server.url) as room:
        await until(lambda: room.failure is not None)
        assert str(status) in str(room.failure)
        assert CANARY not in str(room.failure)


async def test_an_error_about_the_key_ends_the_session() -> None:
    error = {"type": "invalid_request_error", "code": "invalid_api_key", "message": f"Incorrect API key: {CANARY}."}
    async with RealtimeServer([emit({"type": "error", "error": error}), Stay()]) as server, node(server.url) as room:
        await until(lambda: room.failure is not None)
        assert "invalid_api_key" in str(room.failure)
        assert CANARY not in str(room.failure) + str(room.outcomes)


async def test_a_rate_limit_says_when_to_come_back() -> None:
    refused = Refuse(429, {"Retry-After": "1"})
    async with RealtimeServer([refused], [*greet(), *spoken_turn()]) as server, node(server.url) as room:
        began = asyncio.get_running_loop().time()
        await room.say("t1")
        assert await room.ended(1) == [("t1", "completed")]
        assert asyncio.get_running_loop().time() - began > 0.9


@pytest.mark.parametrize("status", [500, 503])
async def test_a_service_in_trouble_is_tried_again(status: int) -> None:
    async with RealtimeServer([Refuse(status)], [*greet(), *spoken_turn()]) as server, node(server.url) as room:
        await room.say("t1")
        assert await room.ended(1) == [("t1", "completed")]


async def test_a_frozen_server_is_noticed() -> None:
    async with (
        RealtimeServer([*greet(), Freeze()], [*greet(), *spoken_turn()]) as server,
        node(server.url, ping_s=0.2) as room,
    ):
        await room.is_up()
        await until(lambda: len(server.requests) == 2)
        await room.say("t1")
        assert await room.ended(1) == [("t1", "completed")]


async def test_a_server_that_does_not_read_is_given_up() -> None:
    """Its kernel and ours take some megabytes; what is beyond makes every write wait, pings and closes too."""
    async with (
        RealtimeServer([*greet(), Freeze()], [*greet(), Stay()]) as server,
        node(server.url, ping_s=60, send_s=0.5) as room,
    ):
        await room.is_up()
        flood = asyncio.create_task(room.say("t1", SECOND * 240))
        await until(lambda: len(server.requests) == 2, 20)
        flood.cancel()
        await until(lambda: len(room.all(LinkChanged)) == 3)
        _, lost, again = room.all(LinkChanged)
        assert (lost.is_up, lost.is_trouble, lost.detail) == (False, True, UNREAD)
        assert again.is_up


async def test_a_handshake_that_never_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with node(f"ws://127.0.0.1:{silent.getsockname()[1]}/", open_s=0.1) as room:
            await until(lambda: len(room.all(LinkChanged)) >= 2)
            assert "cannot be reached" in room.all(LinkChanged)[0].detail


async def test_a_server_that_never_configures() -> None:
    async with RealtimeServer([Stay()], [*greet(), *spoken_turn()]) as server, node(server.url, speed=50) as room:
        await until(lambda: len(server.requests) == 2)
        await room.say("t1")
        assert await room.ended(1) == [("t1", "completed")]


async def test_a_server_that_never_finishes_a_turn() -> None:
    mute = (*greet(), Expect("conversation.item.create"), Expect("response.create"), Stay())
    async with RealtimeServer(mute, [*greet(), *spoken_turn()]) as server, node(server.url, speed=50) as room:
        await room.is_up()
        await room.inputs.put(AskText("t1", "what is the time"))
        assert await room.ended(1) == [("t1", "timeout")]
        await until(lambda: len(server.requests) == 2)
        await room.say("t2")
        assert (await room.ended(2))[1:] == [("t2", "completed")]


async def test_nobody_is_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    async with node(f"ws://127.0.0.1:{port}/", speed=100) as room:
        await room.say("t1")
        assert await room.ended(1) == [("t1", "stale")]
        assert all(link.is_trouble for link in room.all(LinkChanged))


async def test_a_server_that_speaks_something_else() -> None:
    async def gibberish(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(gibberish, "127.0.0.1", 0)
    async with server, node(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/") as room:
        await until(lambda: len(room.all(LinkChanged)) >= 2)
        assert "does not speak WebSocket" in room.all(LinkChanged)[0].detail


async def test_errors_do_not_end_the_connection() -> None:
    def error(code: str) -> Emit:
        return emit({"type": "error", "error": {"type": "invalid_request_error", "code": code, "message": "no"}})

    codes = (
        "response_cancel_not_active",
        "input_audio_buffer_commit_empty",
        "conversation_already_has_active_response",
    )
    script = (*greet(), *(error(code) for code in codes), error("invalid_value"), *spoken_turn())
    async with RealtimeServer(script) as server, node(server.url) as room:
        await room.say("t1")
        assert await room.ended(1) == [("t1", "completed")]
        assert [trouble.code for trouble in room.all(ServiceTrouble)] == ["invalid_value"]


async def test_the_key_is_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    message = {"type": "invalid_request_error", "code": "odd", "message": f"Incorrect API key provided: {CANARY}"}
    scripts: list[Script] = [
        [Refuse(500)],
        [Close(1011, f"bad key {CANARY}")],
        [*greet(), emit({"type": "error", "error": message}), *spoken_turn(), Drop()],
        [Refuse(401)],
    ]
    async with RealtimeServer(*scripts) as server, node(server.url) as room:
        await room.say("t1")
        await room.ended(1)
        await until(lambda: room.failure is not None)
        assert all(request.headers["Authorization"] == f"Bearer {CANARY}" for request in server.requests)
    ours = [record for record in caplog.records if not record.name.startswith("websockets.server")]
    assert ours
    assert CANARY not in "\n".join(logging.Formatter().format(record) for record in ours)
    assert CANARY not in str(room.outcomes) + repr(room.failure)
    assert "turn on the light" not in "\n".join(record.getMessage() for record in ours)


async def test_where_the_room_lives_on_a_refusal_is_trouble_that_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection_module, "REFUSED_S", 0.1)
    returned: list[Returned] = []
    async with (
        RealtimeServer([Refuse(401)], [*greet(), *spoken_turn()]) as server,
        node(server.url, lives_on=True, take_back=returned.append, patience_s=10.0) as room,
    ):
        await room.is_up()
        (lost,) = [link for link in room.all(LinkChanged) if not link.is_up]
        assert lost.is_trouble
        assert "HTTP 401" in lost.detail
        await room.say("t1")
        await room.ended(1)
        assert room.failure is None
    assert returned == []
