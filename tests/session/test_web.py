"""One exchange over true sockets. What comes of broken certificates and slow servers is in `test_client_secret` too."""

import asyncio

import pytest

from tests.fakes.http_server import Answer, Hangup, HttpServer, Silence
from tests.fakes.until import until
from voice_node.session.retry import Refusal, Retry
from voice_node.session.web import LONGEST_ANSWER, Request, exchange

KEY = "sk-canary-0123456789abcdef"


async def answer_to(answer: Answer | Silence | Hangup, patience_s: float = 5) -> bytes | Retry | Refusal:
    async with HttpServer(answer) as server:
        return await exchange(Request("GET", f"http://127.0.0.1:{server.port}/v1/models"), patience_s)


@pytest.mark.parametrize(("method", "content"), [("GET", None), ("POST", b'{"a":1}')])
async def test_what_is_asked_and_answered(method: str, content: bytes | None) -> None:
    async with HttpServer(Answer({"b": 2})) as server:
        url = f"http://127.0.0.1:{server.port}/v1/x?y=1"
        request = Request("GET" if method == "GET" else "POST", url, {"Authorization": KEY}, content)
        assert await exchange(request, 5) == b'{"b": 2}'
        (asked,) = server.asked
        assert (asked.method, asked.path, asked.headers["authorization"]) == (method, "/v1/x?y=1", KEY)
        assert asked.body == (None if content is None else {"a": 1})
    assert KEY not in repr(request)


@pytest.mark.parametrize("url", ["", "http://", "nas", "http://nas:0/", "http://nas:99999/", "http://[::1/"])
async def test_what_is_no_address(url: str) -> None:
    assert isinstance(await exchange(Request("GET", url), 5), Refusal)


async def test_what_is_no_answer() -> None:
    assert isinstance(await answer_to(Answer(status=401)), Refusal)
    assert await answer_to(Answer(status=429, headers={"Retry-After": "7"})) == Retry(
        "the service is at its rate limit (HTTP 429)", 7.0
    )
    assert await answer_to(Silence(), 0.2) == Retry("no answer within 0.2 s")
    hangup = await answer_to(Hangup())
    assert isinstance(hangup, Retry)
    assert hangup.detail.startswith("the service cannot be reached")


async def test_an_answer_without_end_is_cut_off() -> None:
    answer = await answer_to(Answer(b"x" * 3 * 2**20))
    assert isinstance(answer, bytes)
    assert len(answer) == LONGEST_ANSWER + 1


async def test_who_asks_can_be_cancelled() -> None:
    async with HttpServer(Silence()) as server:
        asking = asyncio.create_task(exchange(Request("GET", f"http://127.0.0.1:{server.port}/"), 60))
        await until(lambda: len(server.asked) == 1)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
