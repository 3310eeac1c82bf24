"""One HTTP request and its answer in JSON; no socket is known here.

The rules: the request's head has at most 16 KiB and its body `LONGEST_BODY` bytes. What cannot be read is answered too.
After the answer nothing more is read: one request a connection.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

import h11

from voice_node.local import wire
from voice_node.local.access import Headers
from voice_node.local.refusal import Refused

LONGEST_BODY = 256 * 1024
_LONGEST_HEAD = 16 * 1024

Json = Mapping[str, Any]
Answer = Callable[[str, str, Headers, bytes], tuple[int, Json]]
"""Method, target, headers, body -> status, body. Raises Refused."""


class Exchange:
    """Feed it with `receive`, and write what it returns until it `is_over`."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_LONGEST_HEAD)
        self._request: h11.Request | None = None
        self._body = bytearray()
        self.is_over = False

    def receive(self, data: bytes) -> bytes:
        """Bytes from the client -> bytes for the client, b"" while there are none."""
        if self.is_over:
            return b""
        try:
            self._http.receive_data(data)
            return self._advance()
        except h11.RemoteProtocolError as error:
            refused = Refused("invalid_request", "This is no HTTP/1.1 request.", status=error.error_status_hint)
            return self._refuse(refused)
        except Refused as refused:
            return self._refuse(refused)

    def _advance(self) -> bytes:
        while True:
            match self._http.next_event():
                case h11.Request() as request:
                    self._request = request
                case h11.Data(data=data):
                    self._body += data
                    if len(self._body) > LONGEST_BODY:
                        raise Refused("request_too_large", f"A body may have {LONGEST_BODY} bytes.", status=413)
                case h11.EndOfMessage():
                    return self._finish(*self._ask())
                case _:
                    if self._http.they_are_waiting_for_100_continue:
                        return self._http.send(h11.InformationalResponse(status_code=100, headers=[])) or b""
                    return b""

    def _ask(self) -> tuple[int, Json]:
        assert self._request is not None
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self._request.headers]
        method, target = self._request.method.decode("ascii"), self._request.target.decode("latin-1")
        return self._answer(method, target, headers, bytes(self._body))

    def _refuse(self, refused: Refused) -> bytes:
        return self._finish(refused.status, wire.http_error(refused))

    def _finish(self, status: int, body: Json) -> bytes:
        self.is_over = True
        content = json.dumps(body).encode()
        headers = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(content))),
            ("Cache-Control", "no-store"),
            ("Connection", "close"),
        ]
        head = self._http.send(h11.Response(status_code=status, headers=headers)) or b""
        is_bodiless = self._request is not None and self._request.method == b"HEAD"
        return head if is_bodiless else head + content
