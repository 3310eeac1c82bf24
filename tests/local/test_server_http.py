"""Who is let in, and what is answered that is no session."""

import asyncio
import json
import time
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from tests.local.client import client_of, served
from tests.local.rooms import GET_TIME


@pytest.mark.parametrize(
    "options",
    [
        {"additional_headers": {"Authorization": "Bearer secret"}},
        {"additional_headers": {"api-key": "secret"}},
        {"subprotocols": ["realtime", "openai-insecure-api-key.secret"]},
        {"path": "/v1/realtime?model=local&api-key=secret"},
    ],
)
async def test_the_key_is_taken_in_many_ways(options: dict[str, Any]) -> None:
    async with served(api_key="secret") as (_, port), client_of(port, **options) as client:
        assert client.connection.subprotocol == ("realtime" if "subprotocols" in options else None)


async def test_a_key_in_the_address_is_for_sessions_alone() -> None:
    async with served(api_key="secret") as (_, port):
        for path in ("/v1/realtime?api-key=wrong", "/v1/models?api-key=secret"):
            with pytest.raises(InvalidStatus) as refusal:
                await connect(f"ws://127.0.0.1:{port}{path}", proxy=None)
            assert refusal.value.response.status_code == 401


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"api-key": "sécret"}])
async def test_a_wrong_key_is_refused(headers: dict[str, str]) -> None:
    async with served(api_key="secret") as (_, port):
        with pytest.raises(InvalidStatus) as refusal:
            await connect(f"ws://127.0.0.1:{port}/v1/realtime", additional_headers=headers, proxy=None)
        assert refusal.value.response.status_code == 401


async def test_other_paths_and_foreign_web_pages_are_refused() -> None:
    async with served() as (_, port):
        with pytest.raises(InvalidStatus) as refusal:
            await connect(f"ws://127.0.0.1:{port}/v1/chat", proxy=None)
        assert refusal.value.response.status_code == 404
        with pytest.raises(InvalidStatus) as refusal:
            await connect(f"ws://127.0.0.1:{port}/v1/realtime", origin=Origin("https://example.org"), proxy=None)
        assert refusal.value.response.status_code == 403


async def exchange(port: int, *pieces: bytes) -> tuple[int, Any]:
    """Status and JSON of one HTTP request, sent piece by piece."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.01)  # so that the pieces come one by one
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: x", *(f"{name}: {value}" for name, value in headers.items())]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


async def test_secrets_and_sessions_come_from_one_port() -> None:
    async with served(api_key="key") as (_, port):
        body = json.dumps({"session": {"type": "realtime", "instructions": "Be brief."}}).encode()
        post = request("POST", "/v1/realtime/client_secrets", body, Authorization="Bearer key")
        status, answer = await exchange(port, post)
        assert status == 200
        bearer = {"Authorization": f"Bearer {answer['value']}"}
        async with client_of(port, additional_headers=bearer) as client, client_of(port, additional_headers=bearer):
            session = client.seen[0]["session"]
            assert session["instructions"] == "Be brief."
            assert session["expires_at"] == pytest.approx(time.time() + 3600, abs=60)
        assert (await exchange(port, post[:2], post[2:40], post[40:]))[0] == 200


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (request("POST", "/v1/realtime/client_secrets", b"{}"), 401),
        (request("POST", "/v1/other", b"{}"), 404),
        (request("GET", "/v1/models"), 401),
        (request("GET", "/v1/other"), 404),
        (request("GET", "/v1/realtime/sessions"), 405),
        (request("DELETE", "/v1/realtime"), 404),
        (request("POST", "/v1/realtime/sessions", b"{", Authorization="Bearer key"), 400),
        (request("POST", "/v1/realtime/sessions", b"x" * 1_000_000, Authorization="Bearer key"), 413),
        (b"\x16\x03\x01\x00\xa5" + bytes(0xA5) + b"\r\n\r\n", 400),
    ],
)
async def test_other_requests_are_answered_in_json(sent: bytes, status: int) -> None:
    async with served([GET_TIME], api_key="key") as (_, port):
        found, answer = await exchange(port, sent)
        assert found == status
        assert set(answer["error"]) == {"message", "type", "param", "code"}


async def test_a_foreign_web_page_mints_nothing() -> None:
    async with served([GET_TIME]) as (_, port):
        post = request("POST", "/v1/realtime/client_secrets", b"{}", Origin="https://example.org")
        assert (await exchange(port, post))[0] == 403
        assert (await exchange(port, request("POST", "/v1/realtime/client_secrets", b"{}")))[0] == 200


async def test_a_secret_is_for_its_type_of_session() -> None:
    async with served([GET_TIME], api_key="key") as (_, port):
        body = b'{"session": {"type": "transcription"}}'
        post = request("POST", "/v1/realtime/client_secrets", body, Authorization="Bearer key")
        headers = {"api-key": (await exchange(port, post))[1]["value"]}
        async with client_of(port, "/v1/realtime", additional_headers=headers) as client:
            assert client.seen[0]["session"]["type"] == "transcription"
        url = f"ws://127.0.0.1:{port}/v1/realtime?intent=realtime"
        with pytest.raises(InvalidStatus) as refusal:
            await connect(url, additional_headers=headers, proxy=None)
        assert refusal.value.response.status_code == 400
        assert json.loads(refusal.value.response.body)["error"]["param"] == "intent"


async def test_who_says_half_a_request_and_leaves_leaves_nothing_behind() -> None:
    async with served([GET_TIME], api_key="key") as (_, port):
        for begun in (b"", b"G", b"POST /v1", request("POST", "/v1/models", b"{}")[:-1]):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(begun)
            writer.close()
            await writer.wait_closed()
        assert (await exchange(port, request("GET", "/v1/models", Authorization="Bearer key")))[0] == 200
