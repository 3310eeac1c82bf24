"""The Realtime session's WebSocket: opens it when it is wanted, carries out the protocol's steps, opens it again.

The pauses between attempts grow until a session was configured and stayed so for 2 s: a handshake alone proves nothing.
A server that is gone without a word is noticed by its missing pong within 10 s, one that does not read by a write that
waits for 10 s (the library's pings would wait behind it for ever).
"""

import asyncio
import logging
import math
import random
import ssl
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from voice_node.model.errors import SessionRefused
from voice_node.model.moment import Moment
from voice_node.model.speech import SpeechOver
from voice_node.model.turn import Outcome, ReplyAudio, ReplyAudioEnded
from voice_node.runtime.network_error import why
from voice_node.session import wire_beta, wire_common, wire_ga
from voice_node.session.events import AppendAudio, ClientEvent, Malformed
from voice_node.session.protocol import PEACEFUL, Input, Protocol, redact
from voice_node.session.providers import Endpoint
from voice_node.session.retry import Refusal, Retry, after_close, after_status, delay_s
from voice_node.session.step import Returned, Step

log = logging.getLogger(__name__)
wire_log = logging.getLogger(f"{__name__}.websocket")
wire_log.setLevel(logging.INFO)  # the library's DEBUG lines hold the key and what is said

MAX_MESSAGE_BYTES = 16 * 2**20
"""A `conversation.item.retrieved` with audio exceeds the library's 1 MiB."""
MAX_OUTGOING_CHARS = 8 * 2**20
"""A service that does not read while this much waits (two minutes of sound) is given up."""
ROOMY_CHARS = 2**18
"""The feeder waits while more than this is on its way."""
UNREAD = "the service does not read what is sent to it"
PING_S = 5.0
OPEN_S = 10.0
SEND_S = 10.0
CLOSE_S = 1.0
HEALTHY_S = 2.0
REFUSED_S = 3600.0
"""Between attempts at a service that refuses, where the room lives on without it: somebody may pay the bill."""
MOST_FAILURES_AFTER_READY = 3
"""So that the pause is 2 s at most."""
TICK_S = 0.25
PACE = 0.9
"""A little faster than real time: what was held must be caught up with."""
ENCODERS = {"ga": wire_ga.encode, "beta": wire_beta.encode}


class Connection:
    """One room's connection to its provider, through all its losses."""

    def __init__(
        self,
        protocol: Protocol,
        endpoint: Callable[[], Awaitable[Endpoint | Retry | Refusal]],
        clock: Callable[[], Moment],
        tell: Callable[[Outcome], None],
        play: Callable[[ReplyAudio | ReplyAudioEnded], None],
        *,
        ping_s: float = PING_S,
        open_s: float = OPEN_S,
        send_s: float = SEND_S,
        paced_bytes_per_s: float = math.inf,
        take_back: Callable[[Returned], None] = lambda _: None,
        lives_on: bool = False,
    ) -> None:
        """`endpoint` is asked before each connection, and may say that there can be none.

        `take_back` gets the turns that a protocol with a patience returns; `lives_on`: a refusal is tried again.

        Seconds between pings and until a pong is missed, for the opening handshake, for one write. Sound leaves no
        faster than `paced_bytes_per_s`.
        """
        self._protocol = protocol
        self._endpoint = endpoint
        self._clock = clock
        self._tell = tell
        self._play = play
        self._ping_s = ping_s
        self._open_s = open_s
        self._send_s = send_s
        self._paced_bytes_per_s = paced_bytes_per_s
        self._take_back = take_back
        self._lives_on = lives_on
        self._next_sound_at = 0.0
        self._outgoing: deque[tuple[str, float]] = deque()
        """Messages, and how many seconds each has to keep its distance from the next."""
        self._outgoing_chars = 0
        self._to_send = asyncio.Event()
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._changed = asyncio.Event()
        """Wakes who waits for the protocol to want a link, or to be quiet."""
        self._close_reason = ""
        self._pause_s = 0.0
        """What this connection's service wants to be left alone for, if it never gets ready."""
        self._close = asyncio.Event()
        self._refused = ""
        self._ready_at: float | None = None
        """When this connection's session was configured."""
        self.reconnects = 0
        """Connections after the first."""

    async def run(self, inputs: AsyncIterator[Input]) -> None:
        """Serve until nobody will be heard any more (`SpeechOver`, or the end of `inputs`) and the last turn is over.

        Raises SessionRefused (inside an exception group) where no other attempt can help.
        """
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(self.serve(), name="session.serve")
            feeder = group.create_task(self._feed(inputs), name="session.feed")
            while not self._protocol.is_over:
                self._changed.clear()
                await self._changed.wait()
            for task in (serving, feeder):
                task.cancel()

    async def serve(self) -> None:
        """Keep a session for what is `put`, until cancelled; raises as `run`."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_link(), name="session.link")
            group.create_task(self._keep_time(), name="session.time")

    def put(self, value: Input) -> None:
        """Take an input; it is never waited for."""
        self._perform(self._protocol.put(value, self._clock()))

    @property
    def is_quiet(self) -> bool:
        """No turn is under way."""
        return self._protocol.is_quiet

    async def _feed(self, inputs: AsyncIterator[Input]) -> None:
        async for value in inputs:
            self.put(value)
            await self._has_room.wait()
        self.put(SpeechOver())

    async def _keep_time(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self._perform(self._protocol.tick(self._clock()))

    async def _keep_link(self) -> None:
        """One connection after the other, with pauses between them. The first is opened at once, to try the key."""
        failures = 0
        while True:
            verdict = await self._connect_once()
            now = self._clock()
            is_healthy = self._ready_at is not None and now.at - self._ready_at > HEALTHY_S
            self._forget_outgoing()
            self._perform(self._protocol.disconnected(verdict.detail, now))
            if isinstance(verdict, Refusal):
                if not self._lives_on:
                    raise SessionRefused(verdict.detail)
                verdict = Retry(verdict.detail, REFUSED_S)
            is_peaceful = verdict.detail in PEACEFUL
            failures = 0 if is_peaceful or is_healthy else failures + 1
            if self._ready_at is not None:  # it worked: a cut is no reason to stay away for long
                failures = min(failures, MOST_FAILURES_AFTER_READY)
            if not is_peaceful:
                log.warning("session: %s", verdict.detail)
            pause_s = self._pause_s if self._ready_at is None else 0.0
            await asyncio.sleep(max(verdict.at_least_s, pause_s, delay_s(failures, random.random())))
            while is_peaceful and not self._protocol.wants_link(self._clock()):
                self._changed.clear()
                await self._changed.wait()
            self.reconnects += 1

    async def _connect_once(self) -> Retry | Refusal:
        """Open one connection and stay on it until it ends; says what its end means."""
        self._forget_outgoing()
        self._close.clear()
        self._close_reason = self._refused = ""
        self._pause_s = 0.0
        self._ready_at = None
        self._protocol.opening(self._clock())
        try:
            endpoint = await self._endpoint()
            if isinstance(endpoint, Retry | Refusal):
                return endpoint
            websocket = await connect(
                endpoint.url,
                additional_headers=endpoint.headers,
                compression=None,  # base64 audio shrinks by a quarter and costs twenty times the CPU
                max_size=MAX_MESSAGE_BYTES,
                ping_interval=self._ping_s,
                ping_timeout=self._ping_s,
                open_timeout=self._open_s,
                close_timeout=CLOSE_S,
                proxy=None if "://127.0.0.1" in endpoint.url else True,
                logger=wire_log,
            )
        except InvalidStatus as error:
            return after_status(error.response.status_code, error.response.headers.get("Retry-After"))
        except ssl.SSLCertVerificationError as error:
            return Retry(f"the service's certificate is not trusted ({error.verify_message}); is the clock right?", 60)
        except InvalidURI:
            return Refusal("session.url is no WebSocket address")
        except InvalidHandshake as error:
            return Retry(f"the service does not speak WebSocket ({type(error).__name__})")
        except TimeoutError:
            return Retry(f"the service cannot be reached: no answer within {self._open_s:.0f} s")
        except OSError as error:
            return Retry(f"the service cannot be reached: {why(error)}")
        try:
            self._perform(self._protocol.opened(self._clock()))
            return await self._converse(websocket)
        finally:
            await _leave(websocket)

    async def _converse(self, websocket: ClientConnection) -> Retry | Refusal:
        hear = asyncio.create_task(self._hear(websocket), name="session.hear")
        speak = asyncio.create_task(self._speak(websocket), name="session.speak")
        closed = asyncio.create_task(self._close.wait(), name="session.closed")
        tasks = (hear, speak, closed)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, ConnectionClosed):
                raise result
        if self._refused:
            return Refusal(self._refused)
        if self._close_reason:
            return Retry(self._close_reason)
        return after_close(websocket.close_code, redact(websocket.close_reason or ""))

    async def _hear(self, websocket: ClientConnection) -> None:
        async for message in websocket:
            event = wire_common.decode(message)
            if isinstance(event, Malformed):
                log.warning("session: an event could not be read: %s", event.detail)
            now = self._clock()
            self._perform(self._protocol.receive(event, now))
            if self._ready_at is None and self._protocol.is_ready:
                self._ready_at = now.at

    async def _speak(self, websocket: ClientConnection) -> None:
        while True:
            while self._outgoing:
                message, sound_s = self._outgoing.popleft()
                self._outgoing_chars -= len(message)
                if sound_s:
                    await self._keep_pace(sound_s)
                try:
                    async with asyncio.timeout(self._send_s):
                        await websocket.send(message)
                except TimeoutError:
                    self._give_up(UNREAD)
                    return
            self._has_room.set()
            self._to_send.clear()
            await self._to_send.wait()

    async def _keep_pace(self, sound_s: float) -> None:
        """For services that take sound no faster than it is spoken."""
        now = asyncio.get_running_loop().time()
        if self._next_sound_at > now:
            await asyncio.sleep(self._next_sound_at - now)
        self._next_sound_at = max(now, self._next_sound_at) + sound_s * PACE

    def _perform(self, step: Step) -> None:
        """Carry out a step; never waits."""
        for event in step.sends:
            self._send(event)
        for piece in step.audio:
            self._play(piece)
        for outcome in step.outcomes:
            self._tell(outcome)
        for turn in step.returned:
            self._take_back(turn)
        if step.refused:
            self._refused = step.refused
            self._close.set()
        if step.close:
            self._give_up(step.close)
        self._pause_s = max(self._pause_s, step.pause_s)
        self._changed.set()

    def _give_up(self, reason: str) -> None:
        self._close_reason = reason
        self._close.set()

    def _send(self, event: ClientEvent) -> None:
        message = ENCODERS[self._protocol.dialect](event)
        sound_s = len(event.pcm) / self._paced_bytes_per_s if isinstance(event, AppendAudio) else 0.0
        self._outgoing.append((message, sound_s))
        self._outgoing_chars += len(message)
        self._to_send.set()
        if self._outgoing_chars > ROOMY_CHARS:
            self._has_room.clear()
        if self._outgoing_chars > MAX_OUTGOING_CHARS:
            self._forget_outgoing()
            self._give_up(UNREAD)

    def _forget_outgoing(self) -> None:
        self._outgoing.clear()
        self._outgoing_chars = 0
        self._has_room.set()


async def _leave(websocket: ClientConnection) -> None:
    """Say goodbye; where even that cannot be written, break the connection."""
    try:
        async with asyncio.timeout(CLOSE_S):
            await websocket.close()
    except TimeoutError:
        wire_log.debug("the goodbye was not taken")
    finally:
        websocket.transport.abort()
