"""One HTTP exchange with the service, beside the session: a request, and its answer or what its absence means."""

import asyncio
import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

import httpx

from voice_node.runtime.network_error import why
from voice_node.session.retry import SLOW_S, Refusal, Retry, after_status

for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)  # their other lines name addresses and headers

LONGEST_ANSWER = 2**20
"""Bytes; what comes beyond is cut off."""
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for."""

    method: Literal["GET", "POST"]
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Hold the key: never logged."""
    content: bytes | None = None


async def exchange(request: Request, patience_s: float) -> bytes | Retry | Refusal:
    """The body of a good answer that came within `patience_s`; else for people what went wrong."""
    if not _is_address(request.url):
        return Refusal("session.auth.url or session.url is no address")
    try:
        async with asyncio.timeout(patience_s):
            return await _exchange(request)
    except (TimeoutError, httpx.TimeoutException):
        return Retry(f"no answer within {patience_s:g} s")
    except httpx.HTTPError as error:
        return _after_error(error)


def _is_address(url: str) -> bool:
    try:
        return bool(httpx.URL(url).host) and urlsplit(url).port != 0  # a port above 65535 is a ValueError
    except (ValueError, httpx.InvalidURL):
        return False


async def _exchange(request: Request) -> bytes | Retry | Refusal:
    url = httpx.URL(request.url)
    # the system's authorities, as the WebSocket has them; reading them takes long enough to be heard
    context = await asyncio.to_thread(ssl.create_default_context)
    async with (
        httpx.AsyncClient(verify=context, timeout=None, trust_env=url.host not in _LOOPBACK) as client,
        client.stream(request.method, url, content=request.content, headers=dict(request.headers)) as response,
    ):
        if not response.is_success:
            return after_status(response.status_code, response.headers.get("Retry-After"))
        answer = bytearray()
        async for piece in response.aiter_bytes():
            answer += piece
            if len(answer) > LONGEST_ANSWER:
                break
    return bytes(answer[: LONGEST_ANSWER + 1])


def _after_error(error: httpx.HTTPError) -> Retry:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Retry(f"the certificate is not trusted ({cause.verify_message}); is the clock right?", SLOW_S)
        if isinstance(cause, OSError) and cause.errno:
            return Retry(f"the service cannot be reached: {why(cause)}")
        cause = cause.__cause__ or cause.__context__
    return Retry(f"the service cannot be reached ({type(error).__name__})")
