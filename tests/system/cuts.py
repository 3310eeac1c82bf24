"""A room that loses its service while somebody speaks, again and again: `python -m tests.system.cuts --cuts 100`

A real node hears a recording; its service is the soak server behind a proxy that breaks the connection in the middle of
each sentence. Every sentence is a command of the local engine's grammar, and must reach MQTT once, whoever took it.
"""

import argparse
import asyncio
import json
import math
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fakes.answering_home import AnsweringHome
from tests.fakes.broker import Broker
from tests.fakes.proxy import FaultProxy
from tests.fakes.until import until
from tests.system.house import BASE, HEATING, LIGHT, Program, recording, write_room
from tests.system.soak_server import SoakServer

HANG_OVER_S = 0.5
PAUSE_S = 3.5
"""Between two sentences: the service is found again meanwhile."""
SERVICE_SAYS = {"area": "bedroom", "state": "off"}
"""What nobody says in the recording: by this the service's own calls are known."""
SAID = (("set_light", {"area": "kitchen", "state": "on"}), ("set_heating", {"temperature": 21}))


@dataclass
class Outcome:
    """What the cuts came to."""

    cuts: int = 0
    """Connections that were broken while somebody spoke."""
    by_service: int = 0
    by_local: int = 0
    latencies_s: list[float] = field(default_factory=list)
    """From the end of speech (the gate's close less its hang-over) to the call's arrival at another client."""
    failures: list[str] = field(default_factory=list)

    def share(self, share: float) -> float:
        """The latency that so many calls do not exceed."""
        ordered = sorted(self.latencies_s) or [math.inf]
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def __str__(self) -> str:
        head = f"{self.cuts} cuts: {self.by_local} commands by the local engine, {self.by_service} by the service"
        times = f"{self.share(0.5):.2f} s (p50), {self.share(0.95):.2f} s (p95), {self.share(1):.2f} s (most)"
        return "\n".join([head, f"after the end of speech: {times}", *(f"FAILED: {text}" for text in self.failures)])


class Home(AnsweringHome):
    """Notes when things came."""

    def __init__(self, port: int) -> None:
        self.seen: list[tuple[float, str, Any]] = []
        """When, the topic below the room's branch, the content."""
        super().__init__(port, BASE + "#")

    def on(self, *places: str) -> list[tuple[float, Any]]:
        """What came there, and when."""
        with self.lock:
            return [(at, content) for at, place, content in self.seen if place in places]

    def calls(self) -> list[tuple[float, Any]]:
        return self.on("tool/set_light/call", "tool/set_heating/call")

    def events(self, event_type: str) -> list[Any]:
        return [content for _, content in self.on("event") if content["event_type"] == event_type]

    def note(self, topic: str, payload: bytes) -> None:
        self.seen.append((time.monotonic(), topic.removeprefix(BASE), _parsed(payload)))


async def cut(folder: Path, cuts: int, seed: int = 1, pause_s: float = PAUSE_S) -> Outcome:
    """Say so many sentences with pauses between them, and break the service's connection in each."""
    dice = random.Random(seed)
    parts: list[int | float] = [4.0]
    for number in range(cuts):
        parts += [1 if number % 2 == 0 else 3, pause_s]
    sound = await asyncio.to_thread(recording, folder / "talk.wav", *parts, 60.0)
    outcome = Outcome()
    with Broker() as broker:
        home = Home(broker.port)
        try:
            async with SoakServer(SERVICE_SAYS) as server, FaultProxy(server.port) as proxy:
                room = write_room(
                    folder,
                    broker.port,
                    capture={"device": f"wav:{sound}", "echo": "off"},
                    gate={"hang_over_ms": round(1000 * HANG_OVER_S)},
                    session={
                        "provider": "custom",
                        "url": f"ws://127.0.0.1:{proxy.port}/v1/realtime",
                        "output_modalities": ["text"],
                        "connect": "always",
                    },
                    fallback={"provider": "local"},
                    budget={"usd_per_day": None},
                    tools=[tool | {"max_per_minute": 600} for tool in (LIGHT, HEATING)],
                )
                with Program(folder, "run", room) as node:
                    for number in range(cuts):
                        await until(lambda: len(_begun(home)) > number, 120)  # noqa: B023 - waited for here
                        await asyncio.sleep(dice.uniform(0.05, 1.2))  # the middle of a sentence
                        outcome.cuts += proxy.is_in_use
                        proxy.reset()
                    await until(lambda: len(home.events("segment")) >= cuts, 60)
                    await asyncio.sleep(5)  # what comes late, or twice, comes now
                    if not node.is_running or "Traceback" in node.log:
                        outcome.failures.append(f"the node's log: {node.log[-3000:]}")
                await until(lambda: not proxy.is_in_use)
                _compare(home, cuts, outcome)
                if server.net.torn:
                    outcome.failures.append(f"client events are not as published: {server.net.torn[:3]}")
        finally:
            home.close()
    return outcome


def _compare(home: Home, cuts: int, outcome: Outcome) -> None:
    calls = home.calls()
    segments = [(at, event) for at, event in home.on("event") if event["event_type"] == "segment"]
    ends = {segment["turn_id"]: at - HANG_OVER_S for at, segment in segments}
    if len(ends) != cuts:
        outcome.failures.append(f"{len(ends)} segments were heard of {cuts} sentences")
        return
    made = Counter(call["turn_id"] for _, call in calls)
    for number, turn_id in enumerate(ends):
        if made[turn_id] != 1:
            outcome.failures.append(f"sentence {number + 1}: {made[turn_id]} calls instead of one")
    outcome.failures += [f"a call for no sentence: {turn_id}" for turn_id in made if turn_id not in ends]
    order = list(ends)
    for at, call in calls:
        if call["arguments"] == SERVICE_SAYS:
            outcome.by_service += 1
        else:
            outcome.by_local += 1
            if (call["name"], call["arguments"]) != SAID[order.index(call["turn_id"]) % 2]:
                outcome.failures.append(f"another command was heard: {call['name']} {call['arguments']}")
        outcome.latencies_s.append(at - ends[call["turn_id"]])
    heard = Counter(t["turn_id"] for _, t in home.on("transcript") if t["role"] == "user")
    outcome.failures += [f"{heard[turn_id]} transcripts of one segment" for turn_id in ends if heard[turn_id] != 1]
    strange = {t.get("provider") for _, t in home.on("transcript")} - {"local", "custom"}
    if strange:
        outcome.failures.append(f"transcripts of nobody: {strange}")
    lost = [event["detail"] for event in home.events("error") if event["code"] != "service_away"]
    outcome.failures += [f"an error: {detail}" for detail in lost]


def _begun(home: Home) -> set[str]:
    """The turns of the segments that began."""
    return {state["turn_id"] for _, state in home.on("state") if state["state"] == "listening"}


def _parsed(payload: bytes) -> Any:
    try:
        return json.loads(payload)
    except ValueError:  # `online`, `ON`
        return payload.decode()


def main() -> int:
    """Print what the cuts came to."""
    parser = argparse.ArgumentParser(prog="python -m tests.system.cuts", description=__doc__)
    parser.add_argument("--cuts", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    wishes = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cuts-") as folder:
        outcome = asyncio.run(cut(Path(folder), wishes.cuts, wishes.seed))
    print(outcome)  # noqa: T201 - what the command is for
    return int(bool(outcome.failures))


if __name__ == "__main__":
    sys.exit(main())
