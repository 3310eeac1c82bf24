"""G4: tool calls with 1 to 30 s of life, over a network that stalls, breaks, and is gone for up to two hours.

The router and the bridge are the node's own; the clock is the loop's, which jumps. The home executes whatever arrives
whenever it arrives, and answers when it likes. By a seed: none may be executed after its end, none twice, none again
after a restart, and the model gets one answer to each call, in time.
"""

import asyncio
import itertools
import json
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

from tests.fakes.virtual_time import VirtualLoop
from tests.system.goal import Result
from voice_node.model.command import Command
from voice_node.model.control import AnswerCall
from voice_node.model.moment import Moment
from voice_node.model.report import CallReport
from voice_node.model.turn import ResponseStatus as Status
from voice_node.model.turn import ToolCall, TurnFinished
from voice_node.mqtt import bridge as bridge_module
from voice_node.mqtt.bridge import Bridge
from voice_node.mqtt.connection import Accepted, Acknowledged, Ended, Event, Subscribed
from voice_node.mqtt.delivery import Delivery
from voice_node.mqtt.encode import encode
from voice_node.mqtt.message import Incoming, Message
from voice_node.mqtt.topics import Topics
from voice_node.router.action import Action
from voice_node.router.costs import Costs
from voice_node.router.router import Router
from voice_node.router.tuning import Tuning
from voice_node.settings.schema import BudgetSettings, MqttSettings, RoomSettings

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
TOPICS = Topics("voice_node", "kitchen")
LIVES_S = range(1, 31)
LONGEST_OUTAGE_S = 7200.0
ROOM = RoomSettings.model_validate(
    {
        "room": "kitchen",
        "tools": [
            {"name": f"lasts_{life}", "description": "x", "timeout_s": life, "max_per_minute": 600} for life in LIVES_S
        ],
    }
)


def _wall() -> datetime:
    return BEGAN + timedelta(seconds=asyncio.get_running_loop().time())


def _now() -> Moment:
    return Moment(asyncio.get_running_loop().time(), _wall())


class Network:
    """Between the node and the home."""

    def __init__(self, dice: Random, home: "Home") -> None:
        self.dice = dice
        self.home = home
        self.is_down = False
        self.is_stalled = False
        self._held: list[tuple[Link, Callable[[], None]]] = []
        self.links: set[Link] = set()

    def carry(self, link: "Link", arrive: Callable[[], None]) -> None:
        """It arrives a while later; in a stall at its end, unless its connection was given up before."""
        if self.is_stalled:
            self._held.append((link, arrive))
        elif not self.is_down:
            asyncio.get_running_loop().call_later(self.dice.uniform(0.001, 0.2), arrive)

    def heal(self) -> None:
        """All is well, and what was held back moves on."""
        self.is_down = self.is_stalled = False
        held, self._held = self._held, []
        for link, arrive in held:
            if link.is_open:
                arrive()

    def reset(self) -> None:
        """Every connection breaks."""
        for link in list(self.links):
            link.end("the connection was lost")


class Home:
    """Executes whatever arrives, and answers by its dice: soon, late, or never."""

    def __init__(self, dice: Random) -> None:
        self._dice = dice
        self.executed: list[tuple[str, float]] = []
        """Each call, and how many seconds after its end it was."""

    def take(self, link: "Link", message: Message) -> None:
        """A message on a topic of calls."""
        loop = asyncio.get_running_loop()
        content = json.loads(message.payload)
        late_s = (_wall() - datetime.fromisoformat(content["expires_at"])).total_seconds()
        self.executed.append((content["call_id"], late_s))
        life_s = int(content["name"].removeprefix("lasts_"))
        if self._dice.random() < 0.9:
            answer = json.dumps({"call_id": content["call_id"], "output": "done"}).encode()
            incoming = Incoming(TOPICS.result(content["name"]), answer)
            loop.call_later(self._dice.uniform(0, 1.3 * life_s), link.network.carry, link, lambda: link.hear(incoming))


class Link:
    """Stands in for the bridge's `Connection`: once connected, ended once."""

    network: Network

    def __init__(self, *arguments: Any) -> None:
        self.is_open = False
        self._is_over = False
        self._tell: Callable[[Event], None] = arguments[-1]
        self._tickets = itertools.count(1)

    def open(self) -> None:
        asyncio.get_running_loop().call_later(0.01, self._connect)

    def subscribe(self, filters: tuple[str, ...]) -> None:
        granted = Subscribed((True,) * len(filters))
        self.network.carry(self, lambda: self.hear(granted))

    def publish(self, message: Message) -> int | None:
        if not self.is_open:
            return None
        ticket = next(self._tickets)

        def arrive() -> None:
            if message.topic.endswith("/call"):
                self.network.home.take(self, message)
            self.network.carry(self, lambda: self.hear(Acknowledged(ticket, 0)))

        self.network.carry(self, arrive)
        return ticket

    def close(self) -> None:
        self.end("closed")

    def abandon(self, detail: str = "given up") -> None:
        self.end(detail)

    def hear(self, event: Event) -> None:
        """What comes on an open connection."""
        if self.is_open:
            self._tell(event)

    def end(self, detail: str) -> None:
        """Nothing more comes."""
        if not self._is_over:
            self._is_over, self.is_open = True, False
            self.network.links.discard(self)
            asyncio.get_running_loop().call_soon(self._tell, Ended(detail))

    def _connect(self) -> None:
        if self._is_over:
            return
        if self.network.is_down or self.network.is_stalled:
            self.end("cannot connect")
            return
        self.is_open = True
        self.network.links.add(self)
        self._tell(Accepted(20, None))


class Room:
    """The node's router and bridge from one start to the next."""

    def __init__(self, folder: Path) -> None:
        self._router = Router(
            Tuning(ROOM, {}),
            lambda: "typed",
            {},
            costs=Costs(BudgetSettings(), BEGAN.astimezone().date(), None),
            is_muted=False,
        )
        self._bridge = Bridge(MqttSettings(), None, TOPICS, "node", folder, self._command)
        self._delivery = Delivery(self._bridge)
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self.asked: dict[str, float] = {}
        """Each call, and when its time is over."""
        self.answers: list[tuple[str, bool, float]] = []
        """Each answer to the model: of which call, whether it is a result, and when."""

    async def start(self) -> None:
        await self._bridge.start()

    async def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._bridge.stop()

    def call(self, call_id: str, life_s: int) -> None:
        """The model calls a tool, in a turn of its own."""
        self.asked[call_id] = asyncio.get_running_loop().time() + life_s
        self._perform(self._router.outcome(ToolCall(f"turn-{call_id}", call_id, f"lasts_{life_s}", "{}"), _now()))

    def _command(self, command: Command) -> None:
        self._perform(self._router.command(command, _now()))

    def _perform(self, actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, CallReport):
                task = asyncio.create_task(self._deliver(action))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            elif isinstance(action, AnswerCall):
                is_result = action.output.find('"error"') < 0
                self.answers.append((action.call_id, is_result, asyncio.get_running_loop().time()))
                over = TurnFinished(f"turn-{action.call_id}", Status.COMPLETED)
                asyncio.get_running_loop().call_soon(self._over, over)
        self._arm()

    def _over(self, turn: TurnFinished) -> None:
        self._perform(self._router.outcome(turn, _now()))

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        due = self._router.next_deadline
        if due is not None:
            self._timer = asyncio.get_running_loop().call_at(due, lambda: self._perform(self._router.tick(_now())))

    async def _deliver(self, call: CallReport) -> None:
        """As the pipeline does it."""
        messages = encode(call, TOPICS, _wall())
        assert isinstance(messages, tuple)
        try:
            trouble = await self._delivery.deliver(messages[0])
        except TimeoutError:
            return
        if trouble is None:
            self._perform(self._router.delivered(call.call_id, _now()))
        else:
            self._perform(self._router.undelivered(call.call_id, trouble, _now()))


class Storm:
    """One seed."""

    def __init__(self, loop: VirtualLoop, dice: Random, folder: Path) -> None:
        self._loop = loop
        self._dice = dice
        self._folder = folder
        self._numbers = itertools.count(1)
        self.home = Home(dice)
        self.rooms: list[Room] = []
        self.faults: Counter[str] = Counter()
        self.away_s = 0.0
        Link.network = self._network = Network(dice, self.home)

    async def run(self, commands: int) -> None:
        """Until so many calls were made, and the last is over."""
        await self._restart()
        dice = self._dice
        made = 0
        while made < commands:
            for _ in range(dice.randrange(1, 60)):
                await asyncio.sleep(dice.expovariate(1 / 2))
                self._call()
                made += 1
            made += await self._break()
            if dice.random() < 0.02:
                await self._restart()
        await asyncio.sleep(60)
        await self._leave()

    def _call(self) -> None:
        self.rooms[-1].call(f"c{next(self._numbers)}", self._dice.choice(LIVES_S))

    async def _break(self) -> int:
        """A fault and its end; the calls that were made in it."""
        dice = self._dice
        kind = dice.choice(("stall", "stall", "down", "reset"))
        length_s = LONGEST_OUTAGE_S ** dice.uniform(-0.3, 1)
        self.faults[kind] += 1
        if kind == "reset":
            self._network.reset()
            return 0
        self.away_s = max(self.away_s, length_s)
        calls = sorted(dice.uniform(0, length_s) for _ in range(dice.randrange(8)))
        if kind == "stall":
            self._network.is_stalled = True
        else:
            self._network.is_down = True
            self._network.reset()
        began = self._loop.time()
        for at in calls:
            await asyncio.sleep(began + at - self._loop.time())
            self._call()
        await asyncio.sleep(began + length_s - self._loop.time())
        self._network.heal()
        return len(calls)

    async def _restart(self) -> None:
        await self._leave()
        self._loop.run_really(True)
        room = Room(self._folder / str(len(self.rooms)))
        await room.start()
        self._loop.run_really(False)
        self.rooms.append(room)

    async def _leave(self) -> None:
        if self.rooms:
            self._loop.run_really(True)
            await self.rooms[-1].stop()
            self._loop.run_really(False)


def storm_of_commands(commands: int, seed: int) -> Result:
    """So many calls."""
    result, began = Result("G4", "calls over a network that fails", seed), time.monotonic()
    loop = VirtualLoop()
    before = random.getstate()
    random.seed(seed)  # the bridge's waits between two connections
    with (
        tempfile.TemporaryDirectory(prefix="stale-") as folder,
        mock.patch.object(bridge_module, "Connection", Link),
        asyncio.Runner(loop_factory=lambda: loop) as runner,
    ):
        storm = Storm(loop, Random(seed), Path(folder))
        runner.run(storm.run(commands))
    random.setstate(before)
    _judge(result, storm)
    result.figures |= {"hours of the clock": f"{loop.time() / 3600:.0f}", "longest outage": f"{storm.away_s:.0f} s"}
    result.seconds = time.monotonic() - began
    return result


def _judge(result: Result, storm: Storm) -> None:
    asked = {call: end for room in storm.rooms for call, end in room.asked.items()}
    executed = Counter(call for call, _ in storm.home.executed)
    late = [(call, late_s) for call, late_s in storm.home.executed if late_s > 0]
    answers = [answer for room in storm.rooms for answer in room.answers]
    answered = Counter(call for call, _, _ in answers)
    results = [(call, at) for call, is_result, at in answers if is_result]
    result.figures = {
        "calls": len(asked),
        "faults": storm.faults.total(),
        "restarts": len(storm.rooms) - 1,
        "executed": len(executed),
        "refused or timed out": len(answers) - len(results),
        "executed late": len(late),
        "executed twice": sum(number > 1 for number in executed.values()),
    }
    result.demand(f"executed late: {late[:5]}", not late)
    result.demand("executed twice", max(executed.values(), default=0) <= 1)
    result.demand("a result was believed after its end", all(at <= asked[call] + 1e-6 for call, at in results))
    result.demand("the model was answered twice", max(answered.values(), default=0) <= 1)
    for room in storm.rooms:
        strangers = [call for call, _, _ in room.answers if call not in room.asked]
        result.demand(f"answers of an earlier run: {strangers[:5]}", not strangers)
    unanswered = [call for call in storm.rooms[-1].asked if call not in answered]
    result.demand(f"no answer to {unanswered[:5]}", not unanswered)
    result.demand("nothing was refused: the storm did not bite", len(results) < len(answers))
    result.demand("nothing was executed: the storm was too strong", len(executed) > len(asked) // 4)
