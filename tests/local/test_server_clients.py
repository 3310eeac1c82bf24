"""Clients that send what they should not, too many of them, and the end of sessions and of the server."""

import asyncio
import base64
import contextlib
import json

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedOK, InvalidStatus

from tests.local.client import called, client_of, said, served
from tests.local.hostile import HOSTILE
from tests.local.rooms import GET_TIME, SET_LIGHT


@pytest.mark.parametrize("frame", HOSTILE, ids=range(len(HOSTILE)))
async def test_hostile_frames_get_errors_and_nothing_else(frame: str | bytes) -> None:
    async with served(tools=[GET_TIME]) as (_, port), client_of(port) as client:
        await client.send_raw(frame)
        await client.error()
        await client.configure([GET_TIME])
        assert called(await client.write("what time is it"))


async def test_clients_do_not_see_each_other() -> None:
    async with served() as (_, port), client_of(port) as one, client_of(port) as other:
        await asyncio.gather(one.configure([GET_TIME], output_modalities=["text"]), other.configure([SET_LIGHT]))
        text = "turn on the bedroom light"
        first, second = await asyncio.gather(one.write(text), other.write(text))
        assert "did not understand" in said(first)
        assert called(second)[0][0] == "set_light"
        await one.send_raw("{")
        await one.error()
        assert called(await other.write("turn off the bedroom light"))


async def test_too_large_a_frame_ends_that_client_only() -> None:
    async with served() as (_, port), client_of(port) as good:
        # by hand, because the library's client trips over a connection that is closed while it writes
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        headers = "Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        key = base64.b64encode(bytes(16)).decode()
        writer.write(f"GET /v1/realtime HTTP/1.1\r\n{headers}Sec-WebSocket-Key: {key}\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"\x81\xff" + (22 * 1024 * 1024).to_bytes(8, "big") + bytes(4))  # text of 22 MiB is announced
        async with asyncio.timeout(10):
            assert b"\x03\xf1" in await reader.read()  # close code 1009
        writer.close()
        await good.configure()
        assert called(await good.write("what time is it"))


async def test_the_server_says_goodbye() -> None:
    async with served() as (server, port), client_of(port) as client:
        await server.close()
        with pytest.raises(ConnectionClosedOK):
            await client.next()


async def test_a_session_ends_when_its_time_is_over() -> None:
    async with served([GET_TIME], longest_session_s=0.3) as (_, port), client_of(port) as client:
        assert (await client.error())["code"] == "session_expired"
        with pytest.raises(ConnectionClosedOK) as closed:
            await client.next()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
        async with client_of(port) as other:
            await other.configure([GET_TIME])


async def test_the_server_ends_at_once_although_somebody_is_still_asking() -> None:
    async with served([GET_TIME]) as (server, port):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /v1")
        await writer.drain()
        async with asyncio.timeout(5):
            await server.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        writer.close()


async def test_one_client_too_many_is_told_so() -> None:
    async with served([GET_TIME], most_clients=1) as (_, port):
        async with client_of(port):
            with pytest.raises(InvalidStatus) as refusal:
                await connect(f"ws://127.0.0.1:{port}/v1/realtime", proxy=None)
            assert refusal.value.response.status_code == 503
            assert json.loads(refusal.value.response.body)["error"]["code"] == "too_many_clients"
        async with asyncio.timeout(10):
            while True:
                with contextlib.suppress(InvalidStatus):  # the server may not have seen yet that the other has left
                    async with client_of(port) as other:
                        await other.configure([GET_TIME])
                        break


async def test_sixteen_rooms_speak_at_once() -> None:
    async with served([GET_TIME]) as (_, port), contextlib.AsyncExitStack() as stack:
        rooms = [await stack.enter_async_context(client_of(port)) for _ in range(16)]
        await asyncio.gather(*(room.configure([GET_TIME]) for room in rooms))
        answers = await asyncio.gather(*(room.write("what time is it") for room in rooms))
        assert [called(answer)[0][0] for answer in answers] == ["get_time"] * 16
