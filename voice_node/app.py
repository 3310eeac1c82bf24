"""One room's life: built from its settings, run until a signal or the end of its recordings, ended within a deadline.

The only place that names concrete adapters. Signals: TERM and INT stop, HUP reads the room file again.
"""

import asyncio
import hashlib
import itertools
import logging
import math
import os
import secrets as randomness
import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from voice_node.capture.microphone import Microphone
from voice_node.capture.recording import Recording
from voice_node.gate.gate import Gate
from voice_node.gate.webrtc import WebrtcDetector
from voice_node.model.errors import ConfigError, NodeError
from voice_node.model.moment import Moment
from voice_node.mqtt.bridge import Bridge
from voice_node.mqtt.delivery import Delivery
from voice_node.mqtt.discovery import document
from voice_node.mqtt.encode import encode
from voice_node.mqtt.topics import Topics
from voice_node.pipeline import End, Pipeline
from voice_node.pipes import Pipes
from voice_node.playback.speaker import NullSpeaker, Speaker
from voice_node.router.costs import Costs
from voice_node.router.direct import expected_filters
from voice_node.router.introduction import MEMORY, Introduction
from voice_node.router.pin import MEMORY as PIN_MEMORY
from voice_node.router.pin import Matches, PinLock, matcher
from voice_node.router.router import Router
from voice_node.router.tools import schema_problems
from voice_node.router.tuning import MEMORY as SETTINGS_MEMORY
from voice_node.router.tuning import Tuning
from voice_node.runtime.audit import AuditLog
from voice_node.runtime.health import Health
from voice_node.runtime.lock import RoomLock
from voice_node.runtime.logs import set_up
from voice_node.runtime.orders import Orders
from voice_node.runtime.state_file import StateFile, state_directory
from voice_node.runtime.systemd import ServiceManager
from voice_node.session.connection import Connection
from voice_node.session.formats import InputEncoder
from voice_node.session.protocol import Protocol
from voice_node.session.providers import Endpoint, capabilities, endpoint
from voice_node.session.retry import Refusal, Retry
from voice_node.settings.load import LoadedRoom, load_room
from voice_node.settings.reloading import at_next_session
from voice_node.settings.schema import RoomSettings
from voice_node.settings.secrets import Secrets, check_secrets, read_mcp_tokens, read_secrets
from voice_node.stages import Player, PrivateEar, Reloaded, Source, Stages
from voice_node.tool_servers import ToolServers, mcp_words
from voice_node.version import VERSION

log = logging.getLogger(__name__)

STOP_DEADLINE_S = 5.0
SWITCH_S = 0.001
"""Python's 5 ms are what the sound card's and the broker's threads would wait for the event loop at worst."""
WAV = "wav:"


@dataclass(frozen=True, slots=True)
class Recordings:
    """Recordings in the microphone's place."""

    paths: tuple[Path, ...]
    is_fast: bool = False
    """As fast as the session takes them."""
    silence_after_ms: int = 2000
    """After each, so that the gate closes."""


def run_room(path: Path, recordings: Recordings | None = None) -> bool:
    """Run the room of this file until it is told to stop (then True) or its recordings are heard; raises NodeError."""
    secrets = read_secrets(os.environ)
    sys.setswitchinterval(SWITCH_S)
    return asyncio.run(_live(usable_room(path, secrets), secrets, recordings))


def usable_room(path: Path, secrets: Secrets) -> LoadedRoom:
    """The room of this file, with everything that it needs; raises ConfigError."""
    room = load_room(path, [schema_problems])
    problems = check_secrets(room.settings, secrets)
    if problems:
        raise ConfigError("\n".join(f"{path}: {problem}" for problem in problems))
    return room


def words_of(secrets: Secrets) -> list[str]:
    """What the log must leave out."""
    return [secret.get_secret_value() for secret in (secrets.openai_api_key, secrets.mqtt_password) if secret]


async def _live(room: LoadedRoom, secrets: Secrets, recordings: Recordings | None) -> bool:
    """One node after the other: each reload begins a new one."""
    orders, manager, lock = Orders(), ServiceManager(), RoomLock()
    orders.listen()
    end, states = End.RELOAD, dict[Path, StateFile]()
    async with ToolServers(os.environ) as servers:
        while end is End.RELOAD:
            words = [*words_of(secrets), *mcp_words(os.environ, room.settings)]
            set_up(room.settings.log.level, room.settings.room, words)
            for warning in room.warnings:
                log.warning("%s", warning)
            directory = state_directory(room.settings.room)
            lock.take(directory, room.settings.room)
            state = states.setdefault(directory, StateFile(directory))  # outlives a disk that cannot be written
            node = Node(await servers.equip(room), secrets, manager, recordings, servers, state)
            end = await node.run(orders)
            room = node.next_room
    manager.notify("STOPPING=1")
    return orders.stop.is_set()


def steady_moment() -> Moment:
    """Now, by the process's clocks."""
    return Moment(time.monotonic(), datetime.now(UTC))


class Node:
    """One room from its start to its end."""

    def __init__(
        self,
        room: LoadedRoom,
        secrets: Secrets,
        manager: ServiceManager,
        recordings: Recordings | None = None,
        servers: ToolServers | None = None,
        state: StateFile | None = None,
    ) -> None:
        self._room = room
        self._secrets = secrets
        self._manager = manager
        self._recordings = recordings
        self._servers = servers or ToolServers({})
        self._state = state or StateFile(state_directory(room.settings.room))
        self._stack = AsyncExitStack()
        self._has_started = asyncio.Event()
        self.next_room = room
        """What a reload read."""

    async def run(self, orders: Orders) -> End:
        """Live until the room is over or ordered to end; raises the NodeError that ends the node."""
        async with self._stack:
            pipes = Pipes()
            bridge, pipeline = await self._build(pipes)
            life = asyncio.create_task(pipeline.run(), name="pipeline")
            stop = asyncio.create_task(orders.stop.wait(), name="stop")
            reloads = asyncio.create_task(self._heed(orders, pipeline), name="reloads")
            may_renew = self._recordings is None  # they would be heard from their beginning again
            renewal = asyncio.create_task(self._servers.renew(pipeline, may_renew=may_renew), name="tool servers")
            await asyncio.wait((life, stop), return_when=asyncio.FIRST_COMPLETED)
            for task in (stop, reloads, renewal):
                task.cancel()
            await asyncio.gather(stop, reloads, renewal, return_exceptions=True)
            if not life.done():
                await self._stop(life, pipeline, bridge)
            if life.cancelled():
                return End.DONE
            try:
                return life.result()
            except* NodeError as group:
                raise group.exceptions[0] from None

    async def _heed(self, orders: Orders, pipeline: Pipeline) -> None:
        """Reload when it is ordered, but not before everything runs."""
        await self._has_started.wait()
        while True:
            await orders.reload.wait()
            pipeline.reload()
            orders.reload.clear()

    def _started(self) -> None:
        self._has_started.set()
        self._manager.notify("READY=1")

    async def _stop(self, life: "asyncio.Task[End]", pipeline: Pipeline, bridge: Bridge) -> None:
        log.info("stopping")
        self._manager.notify("STOPPING=1")
        await pipeline.stop()
        await asyncio.wait((life,), timeout=STOP_DEADLINE_S)
        if not life.done():
            log.warning("not everything ended within %.0f s: the rest is cancelled", STOP_DEADLINE_S)
            life.cancel()
            await asyncio.wait((life,), timeout=1)
            await bridge.stop()

    async def _build(self, pipes: Pipes) -> tuple[Bridge, Pipeline]:
        directory = state_directory(self._room.settings.room)
        state, audit = self._state, AuditLog(directory)
        self._stack.callback(audit.stop)
        await asyncio.to_thread(state.load)
        tuning = Tuning(self._room.settings, state.mapping(SETTINGS_MEMORY))
        settings = tuning.settings
        is_muted = state.flag("is_muted") or state.was_unreadable  # rather deaf than an ear that nobody knows of
        next_turn_id = turn_ids()
        filters = expected_filters(settings.tools)
        topics = Topics(settings.mqtt.base, settings.room, settings.mqtt.discovery_prefix, filters)
        password = self._secrets.mqtt_password
        bridge = Bridge(
            settings.mqtt,
            None if password is None else password.get_secret_value(),
            topics,
            client_id(settings),
            directory,
            pipes.order,
        )
        player = self._player(pipes)
        player.set_volume(settings.playback.volume)
        pipes.player = player
        pipes.volume = settings.playback.volume
        private_ear = self._private_ear()
        encoder = InputEncoder(settings.session.input_format)
        is_paced = capabilities(settings.session).wants_real_time_audio
        source, gate = self._source(pipes), Gate(settings.gate, next_turn_id)
        session = Connection(
            Protocol(settings.session, settings.tools, self._authorizations()),
            await self._endpoint(),
            steady_moment,
            pipes.tell,
            pipes.play,
            paced_bytes_per_s=encoder.bytes_per_second if is_paced else math.inf,
        )
        health = Health(
            {
                "lost_frames": lambda: getattr(source, "lost_frames", None),  # of a microphone
                "noise_floor_db": lambda: round(gate.floor_db, 1),
                "session_reconnects": lambda: session.reconnects,
                "broker": bridge.counts,
                "waiting": lambda: {"inputs": len(pipes.inputs), "inbox": len(pipes.inbox)},
                "speaker_problem": lambda: player.problem,
            }
        )
        stages = Stages(
            source=source,
            detector=WebrtcDetector(settings.gate.aggressiveness),
            gate=gate,
            session=session,
            player=player,
            broker=Delivery(bridge),
            router=Router(
                tuning,
                next_turn_id,
                self._facts(),
                costs=Costs(settings.budget, steady_moment().day, state.mapping("usage")),
                is_muted=is_muted,
                pin=PinLock(self._code(), state.mapping(PIN_MEMORY)),
                hears_privately=private_ear is not None,
                introduction=Introduction(
                    document(settings, topics, VERSION),
                    state.mapping(MEMORY),
                    spread_s=1 + randomness.randbelow(3000) / 1000,
                    is_wanted=settings.mqtt.discovery,
                    keeps_words=settings.mqtt.retain_last,
                ),
            ),
            encode=lambda report, now: encode(report, topics, now),
            clock=steady_moment,
            session_rate_hz=encoder.rate_hz,
            encode_sound=encoder.encode,
            remember=lambda key, value: state.save({key: value}),
            audit=audit.write,
            reload=self._reload,
            started=self._started,
            health=health.facts,
            feed_watchdog=lambda: self._manager.notify("WATCHDOG=1"),
            feed_every_s=(self._manager.watchdog_s or 20.0) / 3,
            logs_words=settings.log.transcripts,
            is_half_duplex=settings.capture.echo != "off" and settings.playback.device != "none",
            waits_for_turns=self._recordings is not None,
            private_ear=private_ear,
            call_server=self._servers.attach(pipes),
        )
        return bridge, Pipeline(stages, pipes, is_muted=is_muted)

    def _code(self) -> Matches | None:
        pin = self._secrets.pin
        return None if pin is None else matcher(pin.get_secret_value())

    def _private_ear(self) -> PrivateEar | None:
        settings = self._room.settings
        pin = self._secrets.pin
        if pin is None or all(tool.policy != "pin" for tool in settings.tools):
            return None
        from voice_node.local.digits import DigitListener, can_hear_digits  # here: only who asks for a code needs it

        if can_hear_digits(settings.language):
            ear = DigitListener(len(pin.get_secret_value()))
            self._stack.push_async_callback(ear.close)
            return ear
        log.warning("the code for `confirm: pin` is recognised by the service, not on this device")
        return None

    def _source(self, pipes: Pipes) -> Source:
        settings, frame_ms = self._room.settings.capture, self._room.settings.gate.frame_ms
        recordings = self._recordings
        if recordings is None and isinstance(settings.device, str) and settings.device.startswith(WAV):
            recordings = Recordings((Path(settings.device.removeprefix(WAV)),))
        if recordings is None:
            return Microphone(settings, frame_ms, pipes.tell)
        return Recording(
            pipes.broker_came,
            recordings.paths,
            frame_ms=frame_ms,
            channel=settings.channel,
            gain_db=settings.gain_db,
            is_realtime=not recordings.is_fast,
            silence_after_ms=recordings.silence_after_ms,
        )

    def _player(self, pipes: Pipes) -> Player:
        is_fast = self._recordings is not None and self._recordings.is_fast
        if is_fast or self._room.settings.playback.device == "none":
            return NullSpeaker(pipes.tell, is_realtime=not is_fast)
        return Speaker(self._room.settings.playback, pipes.tell)

    async def _endpoint(self) -> Callable[[], Awaitable[Endpoint | Retry | Refusal]]:
        """Where sessions are opened; starts the embedded server where that is the provider."""
        settings = self._room.settings
        key = None if self._secrets.openai_api_key is None else self._secrets.openai_api_key.get_secret_value()
        if settings.session.provider == "local":
            from voice_node.local.server import LocalServer  # here: a cloud room must not pay for it

            key = randomness.token_urlsafe(24)
            server = LocalServer(settings.tools, settings.language, key)
            port = await server.start()
            self._stack.push_async_callback(server.close)
            place = endpoint(settings.session, key, f"ws://127.0.0.1:{port}/v1/realtime")
        else:
            place = endpoint(settings.session, key)
        if settings.session.auth != "api_key":
            from voice_node.session.client_secret import ClientSecrets  # here: only who mints pays for httpx

            return ClientSecrets(place, settings.session, settings.tools, key).endpoint

        async def always() -> Endpoint:
            return place

        return always

    def _facts(self) -> dict[str, object]:
        settings = self._room.settings
        return {
            "version": VERSION,
            "protocol": settings.mqtt.protocol,
            "name": settings.display_name,
            "provider": settings.session.provider,
            "model": settings.session.model,
            "type": settings.session.type,
            "tools": [tool.name for tool in settings.tools],
            "configuration": hashlib.sha256(settings.model_dump_json().encode()).hexdigest()[:12],
            "capabilities": {
                "speaker": settings.playback.device != "none",
                "echo": settings.capture.echo,
                "activation": settings.activation.mode,
            },
        }

    def _authorizations(self) -> dict[str, str]:
        tokens = read_mcp_tokens(os.environ, self._room.settings)
        return {label: token.get_secret_value() for label, token in tokens.items()}

    def _reload(self) -> Reloaded:
        try:
            self.next_room = usable_room(self._room.path, self._secrets)
        except ConfigError as error:
            return Reloaded(str(error))
        return Reloaded(None, tuple(at_next_session(self._room.settings.session, self.next_room.settings.session)))


def turn_ids() -> Callable[[], str]:
    """Ids of turns: unique over restarts, in order within a run."""
    run_id, numbers = randomness.token_hex(4), itertools.count(1)
    return lambda: f"{run_id}-{next(numbers)}"


def client_id(settings: RoomSettings, machine: Sequence[Path] = (Path("/etc/machine-id"),)) -> str:
    """The MQTT client id: the same after a restart, another on another machine."""
    identity = next((path.read_text().strip() for path in machine if path.exists()), "") or f"{uuid.getnode():x}"
    return f"{settings.mqtt.base}-{settings.room}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"
