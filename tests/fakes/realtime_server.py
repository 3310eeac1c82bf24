"""A scripted Realtime server over a true WebSocket. Strict: what the script does not expect fails the test by itself.

A script is the steps of one connection; connections beyond the last script are an error, scripts or steps that were not
used up are one too. `async with RealtimeServer([greet(), ...], [...]) as server:` raises all of it at the end.
Appends of audio are collected in `server.audio` and are not steps.
"""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Self, assert_never

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from tests.fakes.schema import assert_published

Json = dict[str, Any]
_STEP_S = 30.0


@dataclass(frozen=True, slots=True)
class Expect:
    """The next client event is of this type and passes the check."""

    type: str
    check: Callable[[Json], object] = bool
    """Returns or raises; returning False fails."""


@dataclass(frozen=True, slots=True)
class Emit:
    """Send these events, or these raw messages."""

    events: tuple[Json | str | bytes, ...]


@dataclass(frozen=True, slots=True)
class Close:
    """End the connection with this code."""

    code: int = 1000
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Drop:
    """Break the TCP connection."""


@dataclass(frozen=True, slots=True)
class Freeze:
    """Read nothing and answer nothing, pings included, until the client is gone."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait until the test sets the event; the client may send audio meanwhile."""

    until: asyncio.Event


@dataclass(frozen=True, slots=True)
class Stay:
    """Stay silent until the client leaves; it may send nothing but audio."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer the handshake with this HTTP status; the only step of its script."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Until:
    """Wait until the audio that was appended so far is so; the client may send nothing but audio meanwhile."""

    heard: Callable[[bytes], bool]


@dataclass(frozen=True, slots=True)
class Answer:
    """Send what this makes of the client event that came last."""

    make: Callable[[Json], Sequence[Json]]


Step = Answer | Until | Expect | Emit | Close | Drop | Freeze | Pause | Stay | Refuse
Script = Sequence[Step]


def emit(*events: Json | str | bytes) -> Emit:
    """Send these events."""
    return Emit(events)


def greet(session: Json | None = None, **created: Any) -> tuple[Step, ...]:
    """The handshake of a well-behaved server; `session` is in force after it, `created` is more of what is before."""
    first = {"type": "session.created", "session": {"id": "sess_1", "type": "realtime"} | created}
    return (
        emit(first),
        Expect("session.update"),
        emit({"type": "session.updated", "session": session or {"type": "realtime"}}),
    )


class RealtimeServer:
    """Listens on `server.url`; one script a connection."""

    def __init__(
        self,
        *scripts: Script,
        is_endless: bool = False,
        dialect: Literal["ga", "beta"] = "ga",
        models: Sequence[Json | int] = (404,),
    ) -> None:
        """`is_endless`: the last script serves all further connections too. Client events are held to the `dialect`.

        `models` answer who asks for the list of models, in order, the last one for good: a number is a status.
        """
        self._models = list(models)
        self.models_asked: list[Request] = []
        self._dialect: Literal["ga", "beta"] = dialect
        self.url = ""
        self.audio = bytearray()
        """What was appended, on all connections."""
        self.events: list[Json] = []
        """Every client event but appends, on all connections."""
        self.requests: list[Request] = []
        """Every handshake."""
        self._scripts = scripts
        self._is_endless = is_endless
        self._served = 0
        self._errors: list[Exception] = []
        self._server: Server | None = None
        self._numbers: dict[ServerConnection, int] = {}
        self._is_over = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._serve,
            "127.0.0.1",
            0,
            process_request=self._answer,
            max_size=None,
            compression=None,
            close_timeout=1,
            ping_interval=None,
        )
        self.url = f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1/realtime"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._is_over.set()
        self._server.close()
        await self._server.wait_closed()
        if not self._is_endless and self._served < len(self._scripts) and error is None:
            self._errors.append(AssertionError(f"{len(self._scripts) - self._served} scripts were not served"))
        if self._errors:
            raise ExceptionGroup("the Realtime server's script was not followed", self._errors)

    def types(self) -> list[str]:
        """The types of the client events but appends, in order."""
        return [event["type"] for event in self.events]

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        if request.path.partition("?")[0].endswith("/models"):
            return self._list_models(request)
        self._numbers[connection] = len(self.requests)
        self.requests.append(request)
        script = self._script(self._numbers[connection])
        if script and isinstance(script[0], Refuse):
            self._served += 1
            headers = Headers({"Connection": "close", "Content-Length": "0"} | script[0].headers)
            return Response(script[0].status, "refused", headers)
        return None

    def _list_models(self, request: Request) -> Response:
        self.models_asked.append(request)
        answer = self._models.pop(0) if len(self._models) > 1 else self._models[0]
        body = b"" if isinstance(answer, int) else json.dumps(answer).encode()
        headers = Headers({"Connection": "close", "Content-Length": str(len(body))})
        return Response(answer if isinstance(answer, int) else 200, "answered", headers, body)

    def _script(self, number: int) -> Script | None:
        if number < len(self._scripts):
            return self._scripts[number]
        return self._scripts[-1] if self._is_endless else None

    async def _serve(self, connection: ServerConnection) -> None:
        number = self._numbers[connection]
        script = self._script(number)
        if script is None:
            self._errors.append(AssertionError(f"connection {number + 1} came without a script"))
            return
        self._served += 1
        inbox = self._inbox(connection)
        try:
            for at, step in enumerate(script):
                try:
                    async with asyncio.timeout(None if isinstance(step, Pause | Stay | Freeze) else _STEP_S):
                        await self._perform(step, connection, inbox)
                except (AssertionError, TimeoutError, ConnectionClosed, StopAsyncIteration) as error:
                    place = f"connection {number + 1}, step {at + 1}: {step}"
                    self._errors.append(AssertionError(f"{place}: {type(error).__name__} {error}"))
                    return
            if not any(isinstance(step, Close | Drop | Freeze | Stay) for step in script):
                await self._perform(Stay(), connection, inbox)
        except AssertionError as error:
            self._errors.append(error)

    async def _perform(self, step: Step, connection: ServerConnection, inbox: AsyncIterator[Json]) -> None:
        match step:
            case Expect(event_type, check):
                event = await anext(inbox)
                assert event["type"] == event_type, f"{event['type']} came"
                assert check(event) is not False, f"{event} is not as expected"
            case Emit(events):
                for message in events:
                    await connection.send(json.dumps(message) if isinstance(message, dict) else message)
            case Answer(make):
                for answer in make(self.events[-1]):
                    await connection.send(json.dumps(answer))
            case Close(code, reason):
                await connection.close(code, reason)
            case Drop():
                connection.transport.abort()
            case Freeze():
                connection.transport.pause_reading()
                await self._is_over.wait()
                connection.transport.abort()
            case Pause(until):
                await until.wait()
            case Until(heard):
                while not heard(bytes(self.audio)):
                    odd = self._take(await connection.recv())
                    assert odd is None, f"{odd} came"
            case Stay():
                async for event in inbox:
                    raise AssertionError(f"nothing was expected, {event['type']} came")
            case Refuse():
                raise AssertionError("Refuse is the only step of its script")
            case _:
                assert_never(step)

    async def _inbox(self, connection: ServerConnection) -> AsyncIterator[Json]:
        with contextlib.suppress(ConnectionClosed):
            async for message in connection:
                event = self._take(message)
                if event is not None:
                    yield event

    def _take(self, message: str | bytes) -> Json | None:
        """The event in a message, None where it is more audio."""
        event: Json = json.loads(message)
        try:
            assert_published("client", event, self._dialect)
        except AssertionError as error:
            self._errors.append(error)
        if event["type"] == "input_audio_buffer.append":
            self.audio += base64.b64decode(event["audio"], validate=True)
            return None
        self.events.append(event)
        return event
