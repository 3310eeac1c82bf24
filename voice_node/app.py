"""One room's life: built from its settings, run until a signal or the end of its recordings, ended within a deadline.

What it consists of is built in `building`. Signals: TERM and INT stop, HUP reads the room file again.
"""

import asyncio
import gc
import logging
import os
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from voice_node.building import Room, Surroundings, build_room
from voice_node.model.errors import ConfigError, NodeError
from voice_node.model.turn import ServiceTrouble
from voice_node.mqtt.bridge import Bridge
from voice_node.pipeline import End, Pipeline
from voice_node.pipes import Pipes
from voice_node.router.tools import schema_problems
from voice_node.runtime.lock import RoomLock
from voice_node.runtime.logs import set_up
from voice_node.runtime.orders import Orders
from voice_node.runtime.state_file import StateFile, state_directory
from voice_node.runtime.systemd import ServiceManager
from voice_node.session.model_watch import ModelWatch
from voice_node.settings.load import LoadedRoom, load_room
from voice_node.settings.reloading import at_next_session
from voice_node.settings.secrets import Secrets, check_secrets, read_secrets
from voice_node.sound_stages import Recordings
from voice_node.stages import Reloaded
from voice_node.tool_servers import ToolServers, mcp_words

log = logging.getLogger(__name__)

STOP_DEADLINE_S = 5.0
SWITCH_S = 0.001
"""Python's 5 ms are what the sound card's and the broker's threads would wait for the event loop at worst."""


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
    end, states, models = End.RELOAD, dict[Path, StateFile](), ModelWatch()
    async with ToolServers(os.environ) as servers:
        while end is End.RELOAD:
            words = [*words_of(secrets), *mcp_words(os.environ, room.settings)]
            set_up(room.settings.log.level, room.settings.room, words, tells_words=room.settings.log.transcripts)
            for warning in room.warnings:
                log.warning("%s", warning)
            directory = state_directory(room.settings.room)
            lock.take(directory, room.settings.room)
            state = states.setdefault(directory, StateFile(directory))  # outlives a disk that cannot be written
            node = Node(await servers.equip(room), secrets, manager, recordings, servers, state, models)
            end = await node.run(orders)
            room = node.next_room
            del node
            gc.collect()  # an old room is full of circles: left to Python, the next few are built beside it
    manager.notify("STOPPING=1")
    return orders.stop.is_set()


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
        models: ModelWatch | None = None,
    ) -> None:
        self._room = room
        self._secrets = secrets
        self._manager = manager
        self._recordings = recordings
        self._servers = servers or ToolServers({})
        self._state = state or StateFile(state_directory(room.settings.room))
        self._models = models or ModelWatch()
        self._stack = AsyncExitStack()
        self._has_started = asyncio.Event()
        self.next_room = room
        """What a reload read."""

    async def run(self, orders: Orders) -> End:
        """Live until the room is over or ordered to end; raises the NodeError that ends the node."""
        async with self._stack:
            pipes = self._make_pipes()
            room = await self._build(pipes)
            pipeline = Pipeline(room.stages, pipes, is_muted=room.is_muted)
            life = asyncio.create_task(pipeline.run(), name="pipeline")
            stop = asyncio.create_task(orders.stop.wait(), name="stop")
            reloads = asyncio.create_task(self._heed(orders, pipeline), name="reloads")
            may_renew = self._recordings is None  # they would be heard from their beginning again
            renewal = asyncio.create_task(self._servers.renew(pipeline, may_renew=may_renew), name="tool servers")
            models = asyncio.create_task(self._watch_models(pipes), name="models")
            await asyncio.wait((life, stop), return_when=asyncio.FIRST_COMPLETED)
            for task in (stop, reloads, renewal, models):
                task.cancel()
            await asyncio.gather(stop, reloads, renewal, models, return_exceptions=True)
            if not life.done():
                await self._stop(life, pipeline, room.bridge)
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

    async def _watch_models(self, pipes: Pipes) -> None:
        """Tell which of the room's models its service ends, or does not have."""
        if self._recordings is not None:
            return
        await self._has_started.wait()
        key = self._secrets.openai_api_key

        async def tell(text: str) -> None:
            await pipes.broker_came.wait()  # events are not kept for one
            pipes.tell(ServiceTrouble("model", text))

        await self._models.run(self._room.settings.session, None if key is None else key.get_secret_value(), tell)

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

    def _make_pipes(self) -> Pipes:
        return Pipes()

    async def _build(self, pipes: Pipes) -> Room:
        given = Surroundings(
            settings=self._room.settings,
            secrets=self._secrets,
            manager=self._manager,
            servers=self._servers,
            state=self._state,
            directory=state_directory(self._room.settings.room),
            room_file=self._room.path,
            recordings=self._recordings,
            reload=self._reload,
            started=self._started,
        )
        return await build_room(given, pipes, self._stack)

    def _reload(self) -> Reloaded:
        try:
            self.next_room = usable_room(self._room.path, self._secrets)
        except ConfigError as error:
            return Reloaded(str(error))
        return Reloaded(None, tuple(at_next_session(self._room.settings.session, self.next_room.settings.session)))
