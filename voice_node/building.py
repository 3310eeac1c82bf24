"""All stages of one room, built from its settings. Here, in `sound_stages` and in `service` adapters are named."""

import asyncio
import functools
import hashlib
import itertools
import logging
import os
import secrets as randomness
import time
import uuid
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from voice_node.audio.gain import AutomaticGain
from voice_node.gate.arbitration import Arbitration
from voice_node.model.command import Listen, MuteSwitched
from voice_node.model.moment import Moment
from voice_node.model.report import NodeState, Report
from voice_node.model.turn import ServiceTrouble
from voice_node.mqtt.bridge import Bridge
from voice_node.mqtt.delivery import Delivery
from voice_node.mqtt.discovery import document
from voice_node.mqtt.encode import encode
from voice_node.mqtt.topics import Topics
from voice_node.pipes import Pipes
from voice_node.router.costs import Costs
from voice_node.router.direct import expected_filters
from voice_node.router.introduction import MEMORY, Introduction
from voice_node.router.pin import MEMORY as PIN_MEMORY
from voice_node.router.pin import Matches, PinLock, matcher
from voice_node.router.router import Router
from voice_node.router.tuning import MEMORY as SETTINGS_MEMORY
from voice_node.router.tuning import Tuning
from voice_node.runtime.audit import AuditLog
from voice_node.runtime.examination import examine
from voice_node.runtime.health import Health
from voice_node.runtime.indicator import Indicator
from voice_node.runtime.state_file import StateFile
from voice_node.runtime.systemd import ServiceManager
from voice_node.runtime.turn_log import log_report
from voice_node.service import build_session
from voice_node.session.formats import InputEncoder
from voice_node.settings.fallback import has_fallback
from voice_node.settings.schema import RoomSettings
from voice_node.settings.secrets import Secrets, read_mcp_tokens
from voice_node.sound_stages import Recordings, build_sound
from voice_node.stages import Reloaded, Stages
from voice_node.tool_servers import ToolServers
from voice_node.version import VERSION

if TYPE_CHECKING:
    from voice_node.runtime.pins import Pins


log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a room is given from outside."""

    settings: RoomSettings
    secrets: Secrets
    manager: ServiceManager
    servers: ToolServers
    state: StateFile
    directory: Path
    """Of the room's state."""
    room_file: Path
    recordings: Recordings | None
    reload: Callable[[], Reloaded]
    started: Callable[[], None]


def steady_moment() -> Moment:
    """Now, by the process's clocks."""
    return Moment(time.monotonic(), datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class Room:
    """What a pipeline is made of."""

    stages: Stages
    bridge: Bridge
    is_muted: bool


async def build_room(given: Surroundings, pipes: Pipes, stack: AsyncExitStack) -> Room:
    """Only the embedded server runs already; what must be closed at the end of the room is on the stack."""
    state, audit = given.state, AuditLog(given.directory)
    stack.callback(audit.stop)
    await asyncio.to_thread(state.load)
    if state.problem is not None:
        pipes.tell(ServiceTrouble("state", state.problem))
    tuning = Tuning(given.settings, state.mapping(SETTINGS_MEMORY))
    settings = tuning.settings
    pins = _pins(settings, pipes, stack)
    is_switched = pins is not None and pins.is_mute_switched
    # Rather deaf than an ear that nobody knows of.
    is_muted = state.flag("is_muted") or state.was_unreadable or is_switched
    next_turn_id = turn_ids()
    filters = expected_filters(settings.tools)
    arbitration = _arbitration(settings)
    topics = Topics(
        settings.mqtt.base,
        settings.room,
        settings.mqtt.discovery_prefix,
        filters,
        is_arbitrated=arbitration is not None,
    )
    bridge = Bridge(settings.mqtt, _password(given.secrets), topics, client_id(settings), given.directory, pipes.order)
    sound = build_sound(settings, given.secrets, given.recordings, pipes, next_turn_id, stack)
    sound.player.set_volume(settings.playback.volume)
    pipes.player = sound.player
    pipes.volume = settings.playback.volume
    encoder = InputEncoder(settings.session.input_format)
    gain = AutomaticGain(encoder.rate_hz) if settings.capture.auto_gain else None
    session = await build_session(
        settings, given.secrets, _authorizations(settings), pipes, steady_moment, next_turn_id, stack
    )
    hears_when_spent = has_fallback(settings)
    health = Health(
        {
            # of a microphone, not of a recording
            **{
                name: functools.partial(getattr, sound.source, name, None)
                for name in ("lost_frames", "overruns", "clipped_s")
            },
            "microphone_problem": lambda: getattr(sound.source, "problem", None),
            "noise_floor_db": lambda: round(sound.gate.floor_db, 1),
            "session_reconnects": lambda: session.reconnects,
            "broker": bridge.counts,
            "waiting": lambda: {"inputs": len(pipes.inputs), "inbox": len(pipes.inbox)},
            "state_problem": lambda: state.problem,
            "speaker_problem": lambda: sound.player.problem,
            "underruns": lambda: getattr(sound.player, "underruns", None),
        }
    )
    stages = Stages(
        source=sound.source,
        attention=sound.attention,
        gate=sound.gate,
        session=session,
        player=sound.player,
        broker=Delivery(bridge),
        router=Router(
            tuning,
            next_turn_id,
            _facts(given.settings),
            costs=Costs(settings.budget, steady_moment().day, state.mapping("usage")),
            is_muted=is_muted,
            is_mute_switched=is_switched,
            pin=PinLock(_code(given.secrets), state.mapping(PIN_MEMORY)),
            hears_privately=sound.private_ear is not None,
            hears_when_spent=hears_when_spent,
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
        encode_sound=encoder.encode if gain is None else lambda pcm: encoder.encode(gain.process(pcm)),
        remember=lambda key, value: state.save({key: value}),
        audit=audit.write,
        reload=given.reload,
        started=given.started,
        health=health.facts,
        feed_watchdog=lambda: given.manager.notify("WATCHDOG=1"),
        feed_every_s=(given.manager.watchdog_s or 20.0) / 3,
        logs_words=settings.log.transcripts,
        echo=sound.echo,
        hears_when_spent=hears_when_spent,
        waits_for_turns=given.recordings is not None,
        private_ear=sound.private_ear,
        load_wake_words=sound.load_wake_words,
        arbitration=arbitration,
        show=_show(settings, pins),
        examine=functools.partial(examine, given.room_file),
        call_server=given.servers.attach(pipes),
        observers=await observers_of(settings, stack),
    )
    return Room(stages, bridge, is_muted)


def _arbitration(settings: RoomSettings) -> Arbitration | None:
    activation = settings.activation
    if activation.arbitration == "off":
        return None
    return Arbitration(settings.room, turn_ids(), is_repeated=activation.mode == "voice")


def _pins(settings: RoomSettings, pipes: Pipes, stack: AsyncExitStack) -> "Pins | None":
    numbers = (settings.activation.button_gpio, settings.mute.gpio, settings.indicator.led_gpio)
    if numbers == (None, None, None):
        return None
    from voice_node.runtime.pins import Pins  # here: the extra `gpio`

    pins = Pins(
        *numbers,
        pressed=lambda: pipes.order(Listen()),
        switched=lambda is_muted: pipes.order(MuteSwitched(is_muted)),
    )
    stack.callback(pins.close)
    return pins


def _show(settings: RoomSettings, pins: "Pins | None") -> Callable[[NodeState], Coroutine[None, None, None]] | None:
    command = settings.indicator.command
    indicator = None if command is None else Indicator(command)
    if indicator is None and settings.indicator.led_gpio is None:
        return None

    async def show(state: NodeState) -> None:
        if pins is not None:
            pins.show(state)
        if indicator is not None:
            await indicator.show(state)

    return show


async def observers_of(settings: RoomSettings, stack: AsyncExitStack) -> tuple[Callable[[Report], None], ...]:
    """The journal; and Prometheus, where the room wants it: an address that cannot be had costs the figures alone."""
    host, port = settings.metrics.host, settings.metrics.port
    if port is None:
        return (log_report,)
    from voice_node.runtime.metrics import Metrics, MetricsServer  # here: the extra `metrics`

    metrics = Metrics(settings.room)
    server = MetricsServer(metrics.registry, host, port)
    try:
        await asyncio.to_thread(server.start)
    except OSError as error:
        log.error("metrics: %s:%d cannot be had: %s", host, port, error.strerror)  # noqa: TRY400 - an address in use is no bug
        return (log_report,)
    stack.push_async_callback(asyncio.to_thread, server.stop)
    return (log_report, metrics.observe)


def _password(secrets: Secrets) -> str | None:
    return None if secrets.mqtt_password is None else secrets.mqtt_password.get_secret_value()


def _code(secrets: Secrets) -> Matches | None:
    return None if secrets.pin is None else matcher(secrets.pin.get_secret_value())


def _facts(settings: RoomSettings) -> dict[str, object]:
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


def _authorizations(settings: RoomSettings) -> dict[str, str]:
    tokens = read_mcp_tokens(os.environ, settings)
    return {label: token.get_secret_value() for label, token in tokens.items()}


def turn_ids() -> Callable[[], str]:
    """Ids of turns: unique over restarts, in order within a run."""
    run_id, numbers = randomness.token_hex(4), itertools.count(1)
    return lambda: f"{run_id}-{next(numbers)}"


def client_id(settings: RoomSettings, machine: Sequence[Path] = (Path("/etc/machine-id"),)) -> str:
    """The MQTT client id: the same after a restart, another on another machine."""
    identity = next((path.read_text().strip() for path in machine if path.exists()), "") or f"{uuid.getnode():x}"
    return f"{settings.mqtt.base}-{settings.room}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"
