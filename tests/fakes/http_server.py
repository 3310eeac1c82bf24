"""A scripted HTTP server over a true socket: one answer a request, and what was asked."""

import asyncio
import json
import ssl
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Asked:
    """One request that came."""

    method: str
    path: str
    headers: dict[str, str]
    """By lower-case names."""
    body: Any
    """Read as JSON; None where there is none."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; bytes go out as they are."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class Silence:
    """No answer at all."""


class Hangup:
    """The connection is closed in place of an answer."""


class HttpServer:
    """Listens on `server.port`; more requests than answers are an error at the end."""

    def __init__(self, *answers: Answer | Silence | Hangup, tls: ssl.SSLContext | None = None) -> None:
        self.port = 0
        self.asked: list[Asked] = []
        self._answers = list(answers)
        self._tls = tls
        self._unexpected = 0
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.close()
        await self._server.wait_closed()
        assert not self._unexpected, f"{self._unexpected} requests came without an answer to give"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        method, path, _ = head[0].split()
        self.asked.append(Asked(method, path, headers, json.loads(body) if body else None))
        if not self._answers:
            self._unexpected += 1
            self._answers.append(Hangup())
        match self._answers.pop(0):
            case Answer(content, status, more):
                data = content if isinstance(content, bytes) else json.dumps(content).encode()
                lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(data)}", "Connection: close"]
                lines += [f"{name}: {value}" for name, value in more.items()]
                writer.write("\r\n".join([*lines, "", ""]).encode() + data)
                await writer.drain()
                writer.close()
            case Hangup():
                writer.close()
            case Silence():
                pass
