import json
from typing import Any

import pytest

from voice_node.local.access import Headers
from voice_node.local.http import LONGEST_BODY, Exchange
from voice_node.local.refusal import Refused

POST = b"POST /x HTTP/1.1\r\nHost: h\r\nApi-Key: k\r\nContent-Length: 2\r\n\r\n{}"


class Asked:
    """Remembers what came."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, Headers, bytes]] = []

    def __call__(self, method: str, target: str, headers: Headers, body: bytes) -> tuple[int, dict[str, Any]]:
        self.requests.append((method, target, headers, body))
        return 200, {"ok": True}


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def json_of(answer: bytes) -> Any:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert f"content-length: {len(body)}".encode() in head.lower()
    assert b"connection: close" in head.lower()
    return json.loads(body)


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_a_request_in_pieces_is_answered_once(step: int) -> None:
    asked = Asked()
    exchange = Exchange(asked)
    answers = [exchange.receive(POST[at : at + step]) for at in range(0, len(POST), step)]
    assert answers[:-1] == [b""] * (len(answers) - 1)
    assert (status_of(answers[-1]), json_of(answers[-1])) == (200, {"ok": True})
    ((method, target, headers, body),) = asked.requests
    assert (method, target, body) == ("POST", "/x", b"{}")
    assert ("api-key", "k") in headers
    assert exchange.is_over
    assert exchange.receive(POST) == b""
    assert len(asked.requests) == 1


def test_chunks_are_joined() -> None:
    asked = Asked()
    head = b"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    Exchange(asked).receive(head + b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n")
    assert asked.requests[0][3] == b"{}"


def test_who_asks_first_is_told_to_go_on() -> None:
    exchange = Exchange(Asked())
    head, _, body = POST.partition(b"\r\n\r\n")
    go_on = exchange.receive(head + b"\r\nExpect: 100-continue\r\n\r\n")
    assert status_of(go_on) == 100
    assert status_of(exchange.receive(body)) == 200


def test_a_refusal_is_an_error_of_openai_s_shape() -> None:
    def refuse(*_request: object) -> tuple[int, dict[str, Any]]:
        raise Refused("invalid_value", "Wrong.", "a.b", status=404)

    answer = Exchange(refuse).receive(POST)
    assert status_of(answer) == 404
    error = {"message": "Wrong.", "type": "invalid_request_error", "param": "a.b", "code": "invalid_value"}
    assert json_of(answer) == {"error": error}


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(300) + b"\r\n\r\n", 400),
        (b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n", 400),
        (b"POST /x HTTP/1.1\r\n\r\n", 400),
        (b"POST /x HTTP/1.1\r\nHost: h\r\nA: " + b"x" * 40_000, 431),
        (b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 9999999\r\n\r\n" + b"x" * (LONGEST_BODY + 1), 413),
    ],
    ids=range(5),
)
def test_what_cannot_be_read_is_answered(data: bytes, status: int) -> None:
    asked = Asked()
    exchange = Exchange(asked)
    answer = exchange.receive(data)
    assert status_of(answer) == status
    assert json_of(answer)["error"]["type"] == "invalid_request_error"
    assert exchange.is_over
    assert asked.requests == []


def test_a_head_alone_is_asked_for() -> None:
    answer = Exchange(Asked()).receive(b"HEAD /x HTTP/1.1\r\nHost: h\r\n\r\n")
    assert answer.endswith(b"\r\n\r\n")
