"""A bridge under test, and what it tells."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from voice_node.model.command import BrokerChanged, Command
from voice_node.model.report import CallReport, Report
from voice_node.model.turn import Transcript
from voice_node.mqtt.bridge import Bridge
from voice_node.mqtt.encode import encode
from voice_node.mqtt.message import Message
from voice_node.mqtt.topics import Topics
from voice_node.settings.schema import MqttSettings

TOPICS = Topics("voice_node", "kitchen")
BRANCH = TOPICS.branch

_C = TypeVar("_C")


class Told:
    """Collects the commands; `await told.next(kind)` gives the next one of a kind, in order."""

    def __init__(self) -> None:
        self.all: list[Command] = []
        self._unread: list[Command] = []
        self._news = asyncio.Event()

    def __call__(self, command: Command) -> None:
        self.all.append(command)
        self._unread.append(command)
        self._news.set()

    async def next(self, kind: type[_C], where: Callable[[_C], bool] = lambda _: True) -> _C:
        async with asyncio.timeout(20):
            while True:
                for command in self._unread:
                    if isinstance(command, kind) and where(command):
                        self._unread.remove(command)
                        return command
                self._news.clear()
                await self._news.wait()

    async def online(self) -> BrokerChanged:
        return await self.next(BrokerChanged, lambda change: change.is_connected)

    async def offline(self) -> BrokerChanged:
        return await self.next(BrokerChanged, lambda change: not change.is_connected)


@asynccontextmanager
async def node(
    port: int,
    password: str | None = None,
    *,
    is_online: bool = True,
    client_id: str = "voice_node-kitchen-1",
    directory: Path | None = None,
    **settings: Any,
) -> AsyncIterator[tuple[Bridge, Told]]:
    """A started bridge, online unless told otherwise, and stopped at the end; its outbox ends with it by default."""
    told = Told()
    with tempfile.TemporaryDirectory(prefix="outbox-") as passing:
        place = Path(passing) if directory is None else directory
        bridge = Bridge(MqttSettings(port=port, **settings), password, TOPICS, client_id, place, told)
        await bridge.start()
        try:
            if is_online:
                await told.online()
            yield bridge, told
        finally:
            await bridge.stop()


def message(report: Report) -> Message:
    """The one message of `report`."""
    messages = encode(report, TOPICS, datetime.now(UTC))
    assert isinstance(messages, tuple)
    return messages[0]


def call(call_id: str = "c1", name: str = "set_light") -> Message:
    now = datetime.now(UTC)
    return message(CallReport(call_id, "t1", name, {"area": "kitchen"}, now, now + timedelta(seconds=5)))


def transcript(item_id: str) -> Message:
    now = datetime.now(UTC)
    return message(Transcript("t1", item_id, "user", "hello", True, now, now))
