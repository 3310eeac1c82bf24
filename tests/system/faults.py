"""Rooms under faults: `script/faults --seeds 1 2 3 --faults 1000`

Real nodes speak, each through its proxies, to a real broker and to a server that writes down what it sends. A seed's
dice break the links (reset, cut, stall, refuse), and kill -9 the broker and nodes. In the end the sets are compared.

With a number of calls the rooms are asked in writing too, for eight calls each time, until there were so many; the
faults are spread over them.

The waits between two connections are shortened to a second at most, so that a minute holds more than two faults a
room; nothing else about the nodes is changed.
"""

import argparse
import asyncio
import itertools
import logging
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.benchmarks.room import write_sentences
from tests.fakes.broker import Broker
from tests.fakes.proxy import FaultProxy
from tests.fakes.until import until
from tests.system.soak_server import SoakServer
from tests.system.stormy_house import TOOLS, Home, Room

log = logging.getLogger(__name__)

ROOMS = ("attic", "bath", "cellar", "den")
FAULTS = {"reset": 30, "cut": 32, "stall": 14, "refuse": 10, "cut session": 6, "kill node": 5, "kill broker": 3}
"""Of a hundred."""
MEAN_GAP_S = 0.15
"""Between two faults, over all rooms: each has more than half a second in between."""
ASK_S = 0.5
"""How long a room is left alone that has not ended its turn."""
MANY_FAULTS = 500
"""So many surely hit an acknowledgement, and a call on its way."""
DONE, NOT_SENT = '"done"', '{"error": "home unreachable"}'
"""What the service hears of a call."""
SLACK_S = 0.1
"""A loaded machine may look at its clock so late."""


@dataclass
class Outcome:
    """What one seed came to."""

    seed: int
    faults: Counter[str] = field(default_factory=Counter)
    connections: int = 0
    owed: int = 0
    sent: int = 0
    delivered: int = 0
    delayed: int = 0
    repeated: int = 0
    calls: int = 0
    executed: int = 0
    told: Counter[str] = field(default_factory=Counter)
    """What the service was told of the calls."""
    died: int = 0
    """Transcripts that nobody has: the node was killed, or lost the session, as they came."""
    seconds: float = 0.0
    failures: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        faults = ", ".join(f"{name} {number}" for name, number in sorted(self.faults.items()))
        lines = [
            f"seed {self.seed}: {self.faults.total()} faults in {self.seconds:.0f} s ({faults}); "
            f"the nodes came to the broker {self.connections} times",
            f"  transcripts: {self.sent} sent by the service, {self.owed} owed, {self.delivered} on MQTT "
            f"({self.delayed} of them late, {self.repeated} of them more than once), {self.died} died on the way",
            f"  tool calls: {self.calls} asked for, {self.executed} executed; told: "
            + ", ".join(f"{output} {number}" for output, number in self.told.most_common()),
            *(f"  FAILED: {failure}" for failure in self.failures),
        ]
        return "\n".join(lines)


class Storm:
    """One seed."""

    def __init__(self, seed: int, faults: int, calls: int) -> None:
        self.outcome = Outcome(seed)
        self._faults = faults
        self._calls = calls
        self._dice = random.Random(seed)  # the seed's faults are the same each time; what they hit is not
        self._healing: dict[str, asyncio.Task[None]] = {}
        self._sent: set[str] = set()
        self._owed: list[str] = []
        self._asked: set[str] = set()
        self._unanswered: list[str] = []

    async def run(self, folder: Path) -> Outcome:
        """Let it loose on the rooms, and compare."""
        began = time.monotonic()
        sound = await asyncio.to_thread(write_sentences, folder / "talk.wav", 1200 if self._calls else 400)
        async with AsyncExitStack() as stack:
            broker = stack.enter_context(Broker())
            server = await stack.enter_async_context(SoakServer(tools=TOOLS if self._calls else TOOLS[:1]))
            home = Home(broker.port)
            stack.callback(home.close)
            rooms = []
            for name in ROOMS:
                proxy = await stack.enter_async_context(FaultProxy(broker.port))
                to_server = await stack.enter_async_context(FaultProxy(server.port))
                rooms.append(Room(folder, name, sound, proxy, to_server))
            try:
                for room in rooms:
                    room.start()
                await until(lambda: len({m[0] for m in home.messages}) == len(rooms), 60)
                if self._calls:
                    await self._blow_and_ask(broker, rooms, server, home)
                else:
                    await self._blow(broker, rooms, server, home)
                await self._calm(server, home)
                for room in rooms:
                    if not room.is_running:
                        self.outcome.failures.append(f"{room.name} has ended by itself")
                    await room.end(signal.SIGTERM)
                self.outcome.connections = sum(room.proxy.connections for room in rooms)
                self._compare(server, home)
                self.outcome.failures += [f"{r.name}: a traceback in its log" for r in rooms if "Traceback" in r.log]
            finally:
                for room in rooms:
                    if room.is_running:
                        await room.end(signal.SIGKILL)
                if self.outcome.failures:
                    for room in rooms:
                        log.warning("%s:\n%s", room.name, room.log[-5000:])
        self.outcome.seconds = time.monotonic() - began
        return self.outcome

    async def _blow_and_ask(self, broker: Broker, rooms: list[Room], server: SoakServer, home: Home) -> None:
        """Until there were both enough faults and enough calls."""
        home.is_asking = True
        blowing = asyncio.create_task(self._blow(broker, rooms, server, home))
        finished: dict[str, int] = {}
        while not blowing.done() or _calls(server) < self._calls:
            seen = Counter(room for room, _ in list(home.messages))
            for room in ROOMS:
                if finished.get(room) == seen[room]:
                    home.ask(room)
            finished = dict(seen)
            await asyncio.sleep(ASK_S)
        home.is_asking = False
        await blowing

    async def _blow(self, broker: Broker, rooms: list[Room], server: SoakServer, home: Home) -> None:
        for number in range(self._faults):
            await until(lambda due=number * self._calls // self._faults: _calls(server) >= due, 120)  # type: ignore[misc]  # mypy knows no default in a lambda
            (fault,) = self._dice.choices(list(FAULTS), list(FAULTS.values()))
            room = await self._victim(rooms, is_held_too=fault == "kill node")
            length_s = self._dice.uniform(0.1, 5.0)
            size = self._dice.randrange(1, 3000)
            gap_s = self._dice.uniform(0, 2 * MEAN_GAP_S)
            self.outcome.faults[fault] += 1
            match fault:
                case "reset":
                    room.proxy.reset()
                case "cut":
                    room.proxy.cut_after(size)
                case "stall":
                    room.proxy.stall()
                    self._heal(room, length_s)
                case "refuse":
                    room.proxy.refuse()
                    room.proxy.reset()
                    self._heal(room, length_s / 2)
                case "cut session":
                    room.to_server.reset()
                case "kill node":
                    await room.end(signal.SIGKILL)
                    room.start()
                case "kill broker":
                    await self._kill(broker, rooms, home)
                    await asyncio.sleep(length_s / 4)
                    await asyncio.to_thread(broker.restart)
            await asyncio.sleep(gap_s)
        for task in list(self._healing.values()):
            await task
        for room in rooms:
            room.proxy.heal()

    async def _kill(self, broker: Broker, rooms: list[Room], home: Home) -> None:
        """What it told a node that it has, it must have handed on: a killed broker's own losses are not the nodes'."""
        for room in rooms:
            room.proxy.stall()
        await home.catch_up()
        broker.kill()
        for room in rooms:
            if room.name not in self._healing:
                room.proxy.heal()

    async def _victim(self, rooms: list[Room], *, is_held_too: bool) -> Room:
        """A room with a connection that can be broken; a stall is left alone, so that calls grow old in it."""
        order = self._dice.sample(rooms, len(rooms))

        def victims() -> list[Room]:
            return [r for r in order if r.proxy.is_in_use and (is_held_too or r.name not in self._healing)]

        await until(lambda: bool(victims()), 30)
        return victims()[0]

    def _heal(self, room: Room, after_s: float) -> None:
        async def heal() -> None:
            await asyncio.sleep(after_s)
            room.proxy.heal()
            del self._healing[room.name]

        self._healing[room.name] = asyncio.create_task(heal())

    async def _calm(self, server: SoakServer, home: Home) -> None:
        """Wait until everything that was owed when the storm ended is there, or is given up."""
        self._sent = {item for talk in server.talks for _, item in talk.transcripts}
        self._owed = [item for talk in server.talks for item in talk.owed()]
        self._asked = {call for talk in server.talks for call in talk.calls}

        def unanswered() -> list[str]:
            return [call for talk in server.talks for call in talk.unanswered() if call in self._asked]

        def is_over() -> bool:
            return {c["item_id"] for c in home.transcripts()}.issuperset(self._owed) and not unanswered()

        with suppress(TimeoutError):
            await until(is_over, 60)
        self._unanswered = unanswered()

    def _compare(self, server: SoakServer, home: Home) -> None:
        outcome = self.outcome
        sent = {item for talk in server.talks for _, item in talk.transcripts}
        seen = Counter(content["item_id"] for content in home.transcripts())
        outcome.owed, outcome.sent = len(self._owed), len(self._sent)
        outcome.delivered = len(self._sent & set(seen))
        outcome.repeated = sum(number > 1 for number in seen.values())
        outcome.delayed = len({c["item_id"] for c in home.transcripts() if "delayed_ms" in c})
        outcome.died = outcome.sent - outcome.delivered
        self._demand("transcripts are not on MQTT", [item for item in self._owed if item not in seen])
        self._demand("transcripts were never sent by the service", [item for item in seen if item not in sent])
        for room in ROOMS:
            order = list(dict.fromkeys(int(c["item_id"].split("_")[1]) for c in home.transcripts(room)))
            self._demand(f"{room}: out of order", [b for a, b in itertools.pairwise(order) if b < a])
        turns = {c["item_id"]: c["turn_id"] for c in home.transcripts()}
        replies = {c["item_id"] for c in home.transcripts() if c["role"] == "assistant"}
        ended = {turns[item] for item in self._owed if item in replies}
        self._demand("turns were not told to be over", sorted(ended - home.finished()))
        executed = Counter(call for call, _, _ in home.executed)
        asked = {call for talk in server.talks for call in talk.calls}
        outcome.calls, outcome.executed = len(self._asked), len(self._asked & set(executed))
        told = {call: output for talk in server.talks for call, output in talk.outputs.items()}
        outcome.told = Counter(told.get(call, "nothing, for the session was lost") for call in self._asked)
        self._demand(
            "calls did not run, and were told as done", [c for c in told if told[c] == DONE and c not in executed]
        )
        self._demand("calls ran, and were told as not sent", [c for c in told if told[c] == NOT_SENT and c in executed])
        self._demand("calls ran more than once", [call for call, number in executed.items() if number > 1])
        self._demand("calls ran that nobody asked for", [call for call in executed if call not in asked])
        late = [f"{call} ({late_s:.2f} s)" for call, _, late_s in home.executed if late_s > SLACK_S]
        self._demand("calls ran after their deadline", late)
        outputs = [(call, number) for talk in server.talks for call, number in talk.calls.items()]
        self._demand("calls have more than one output", [call for call, number in outputs if number > 1])
        self._demand("calls have no output", self._unanswered)
        self._demand("outputs are for no call", [call for talk in server.talks for call in talk.strangers])
        self._demand("client events are not as published", server.net.torn)
        if not outcome.delayed or not executed or not self._owed:
            outcome.failures.append("the storm did not bite: nothing came late, or nothing at all")
        if self._faults >= MANY_FAULTS and (not outcome.repeated or outcome.executed == outcome.calls):
            outcome.failures.append("the storm did not bite: nothing was sent again, or every call arrived")

    def _demand(self, what: str, culprits: list[Any]) -> None:
        if culprits:
            self.outcome.failures.append(f"{len(culprits)} {what}: {culprits[:5]}")


async def storm(seed: int, faults: int, folder: Path, calls: int = 0) -> Outcome:
    """One seed; its failures are in what it returns."""
    return await Storm(seed, faults, calls).run(folder)


def main() -> int:
    """Run the seeds one after the other."""
    parser = argparse.ArgumentParser(prog="python -m tests.system.faults", description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--faults", type=int, default=1000, help="over all seeds")
    parser.add_argument("--calls", type=int, default=0, help="at least so many tool calls for each seed")
    wishes = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    logging.getLogger("websockets").setLevel(logging.CRITICAL)  # who asks it for the list of models is refused
    outcomes = []
    for place, seed in enumerate(wishes.seeds):
        share = wishes.faults // len(wishes.seeds) + (place < wishes.faults % len(wishes.seeds))
        with tempfile.TemporaryDirectory(prefix="faults-") as folder:
            outcomes.append(asyncio.run(storm(seed, share, Path(folder), wishes.calls)))
        print(outcomes[-1], flush=True)  # noqa: T201 - what the command is for
    total = sum((outcome.faults for outcome in outcomes), Counter[str]()).total()
    bad = sum(len(outcome.failures) for outcome in outcomes)
    verdict = f"{bad} failures" if bad else "all is well"
    print(f"{total} faults over {len(outcomes)} seeds: {verdict}")  # noqa: T201
    return int(bad > 0)


def _calls(server: SoakServer) -> int:
    """Asked for so far."""
    return sum(len(talk.calls) for talk in server.talks)


if __name__ == "__main__":
    sys.exit(main())
