"""A pipeline with stages of ours around it: what its tests share."""

import asyncio
import itertools
import json
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.fakes.stages import FRAME_MS, LOUD, RATE_HZ, SILENT, Broker, Detector, Player, Session, Source
from voice_node.capture.duplex import HalfDuplex
from voice_node.gate.attention import Attention
from voice_node.gate.gate import Gate
from voice_node.model.moment import Moment
from voice_node.model.turn import (
    Outcome,
    ResponseStatus,
    ToolCall,
    TurnFinished,
)
from voice_node.mqtt.encode import encode
from voice_node.mqtt.topics import Topics
from voice_node.pipeline import End, Pipeline
from voice_node.pipes import Pipes
from voice_node.router.costs import Costs
from voice_node.router.pin import PinLock, matcher
from voice_node.router.router import Router
from voice_node.router.tuning import Tuning
from voice_node.settings.schema import RoomSettings
from voice_node.stages import Reloaded, Stages

DEADLINE_S = 5
CODE = "4711"
START = datetime(2026, 1, 1, tzinfo=UTC)
TOPICS = Topics("voice_node", "kitchen")
ROOM = RoomSettings.model_validate(
    {
        "room": "kitchen",
        "gate": {
            "frame_ms": FRAME_MS,
            "onset_ms": 40,
            "pre_roll_ms": 40,
            "hang_over_ms": 100,
            "min_speech_ms": 60,
            "min_snr_db": 0,
        },
        "tools": [
            {"name": "light", "description": "Switches the light", "timeout_s": 5.0},
            {"name": "hasty", "description": "Has no patience", "timeout_s": 0.05},
            {"name": "plug", "description": "Switches a plug", "publish": {"topic": "plug/set", "payload": "ON"}},
            {"name": "unlock", "description": "Unlocks", "confirm": "pin"},
        ],
    }
)
UTTERANCE = (SILENT, SILENT, *[LOUD] * 6, *[SILENT] * 5)
"""Opens the gate, keeps the segment and closes the gate again."""


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - a condition over several stages has no event of its own
            await asyncio.sleep(0.001)


class House:
    """A pipeline and everything around it."""

    def __init__(self, *, is_muted: bool = False, **changes: Any) -> None:
        self.history: list[str] = []
        self.source, self.session = Source(self.history), Session(self.history)
        self.player, self.broker = Player(self.history), Broker(self.history)
        self.detector = Detector()
        self.remembered: list[tuple[str, object]] = []
        self.audited: list[Mapping[str, Any]] = []
        self.reload_error: str | None = None
        self.feeds = 0
        self.may_examine = asyncio.Event()
        self.examinations = 0
        self.is_started = False
        self.pipes = Pipes()
        self.pipes.player = self.player
        numbers = itertools.count(1)

        def next_turn_id() -> str:
            return f"t{next(numbers)}"

        gate = changes.get("gate") or Gate(ROOM.gate, next_turn_id)
        costs = Costs(ROOM.budget, START.date(), None)
        self.stages = replace(
            Stages(
                source=self.source,
                attention=Attention(ROOM.activation, FRAME_MS, gate, self.detector),
                gate=gate,
                session=self.session,
                player=self.player,
                broker=self.broker,
                router=Router(Tuning(ROOM, {}), next_turn_id, {"version": "1"}, costs=costs, is_muted=is_muted),
                encode=lambda report, now: encode(report, TOPICS, now),
                clock=self.clock,
                session_rate_hz=RATE_HZ,
                encode_sound=bytes,
                remember=self.remember,
                audit=self.audit,
                reload=lambda: Reloaded(self.reload_error, ("session.model",)),
                started=self.started,
                health=lambda: {"uptime_s": 1},
                feed_watchdog=self.feed,
                feed_every_s=0.005,
                logs_words=False,
                echo=HalfDuplex(lambda _: self.player.is_speaking, lambda: 0.0),
                waits_for_turns=False,
                examine=self.examine,
            ),
            **changes,
        )
        self.pipeline = Pipeline(self.stages, self.pipes, is_muted=is_muted)
        self.life: asyncio.Task[End] | None = None

    def clock(self) -> Moment:
        at = asyncio.get_running_loop().time()
        return Moment(at, START + timedelta(seconds=at))

    def remember(self, key: str, value: object) -> None:
        self.remembered.append((key, value))
        if key != "usage":  # after each turn, whenever the disk is done
            self.history.append(f"remembered {key} {value}")

    async def audit(self, entry: Mapping[str, Any]) -> None:
        self.audited.append(entry)

    async def examine(self) -> list[Any]:
        await self.may_examine.wait()
        self.examinations += 1
        return [{"subject": "disk", "status": "ok", "text": "", "advice": ""}]

    def started(self) -> None:
        self.is_started = True

    def feed(self) -> None:
        self.feeds += 1

    def is_fed_beyond(self, feeds: int) -> bool:
        """Gives another frame at each look."""
        self.source.give(SILENT)
        return self.feeds > feeds

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator["House"]:
        """Runs the pipeline; whatever the test left running is ended in good order, and nothing may stay."""
        self.life = asyncio.create_task(self.pipeline.run(), name="pipeline")
        try:
            await until(lambda: self.is_started or (self.life is not None and self.life.done()))
            yield self
            if not self.life.done():
                await self.pipeline.stop()
                await self.end()
        finally:
            self.life.cancel()
            await asyncio.wait([self.life], timeout=DEADLINE_S)
        assert asyncio.all_tasks() == {asyncio.current_task()}, "something was left running"

    async def end(self) -> End:
        assert self.life is not None
        await asyncio.wait([self.life], timeout=DEADLINE_S)
        assert self.life.done(), "the pipeline does not end"
        return self.life.result()

    async def error(self) -> BaseException:
        """What the pipeline raises."""
        assert self.life is not None
        await asyncio.wait([self.life], timeout=DEADLINE_S)
        assert self.life.done(), "the pipeline does not end"
        error = self.life.exception()
        assert error is not None
        return error

    def payloads(self, below: str) -> list[str]:
        return [message.payload.decode() for message in self.broker.offered if message.topic == TOPICS.branch + below]

    def events(self, event_type: str) -> list[dict[str, Any]]:
        events = [json.loads(payload) for payload in self.payloads("event")]
        return [event for event in events if event["event_type"] == event_type]

    def codes(self) -> list[str]:
        return [event["code"] for event in self.events("error")]

    def states(self) -> list[str]:
        return [json.loads(payload)["state"] for payload in self.payloads("state")]

    def heard(self, kind: type[Any]) -> list[Any]:
        return [value for value in self.session.inputs if isinstance(value, kind)]

    def tell(self, outcome: Outcome) -> None:
        self.pipes.tell(outcome)


class SlowDisk:
    """Writes nothing before `is_ready`."""

    def __init__(self) -> None:
        self.is_ready = threading.Event()
        self.kept: list[tuple[str, Any]] = []

    def remember(self, key: str, value: Any) -> None:
        self.is_ready.wait(DEADLINE_S)
        self.kept.append((key, value))


class Ear:
    """Whatever is said to it alone is the code."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    def start(self) -> None:
        pass

    async def hear(self, pcm: bytes, rate_hz: int) -> str:
        assert rate_hz == RATE_HZ
        self.heard.append(pcm)
        return CODE

    async def close(self) -> None:
        pass


def asking_for_the_code(settings: RoomSettings) -> Router:
    """The router of a room that hears `CODE` by itself."""
    turns = itertools.count(100)
    return Router(
        Tuning(settings, {}),
        lambda: f"t{next(turns)}",
        {},
        costs=Costs(ROOM.budget, START.date(), None),
        is_muted=False,
        pin=PinLock(matcher(CODE), {}),
        hears_privately=True,
    )


def finished(turn_id: str) -> TurnFinished:
    return TurnFinished(turn_id, ResponseStatus.COMPLETED)


def call(call_id: str = "c1", name: str = "light") -> ToolCall:
    return ToolCall("t1", call_id, name, "{}")
