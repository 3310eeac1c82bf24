"""G5: how long a broker, a service or a frozen peer keeps a room away. The node's own times; nothing is shortened.

Ten rooms at once are a round: each is new, because a room that lost its connection a moment ago waits longer.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

from tests.fakes.broker import Broker
from tests.fakes.proxy import FaultProxy
from tests.fakes.until import until
from tests.mqtt.node import Told
from tests.mqtt.node import node as bridge_node
from tests.session.node import Node as SessionRoom
from tests.session.node import node as session_node
from tests.system.goal import Result
from tests.system.soak_server import SoakServer
from voice_node.model.command import BrokerChanged
from voice_node.model.turn import LinkChanged

ROOMS = 10
AWAY_S = 1.0
PING_S = 5.0
PATIENCE_S = 90.0


async def recover(rounds: int) -> list[Result]:
    """Every part that needs no sound card."""
    return [
        await _measure("broker back after 1 s", _broker_back, rounds, 5.0),
        await _measure("service back after 1 s", _service_back, rounds, 5.0),
        await _measure("a frozen broker is noticed", _frozen_broker, rounds, 30.0, is_worst=True),
        await _measure("a frozen service is noticed", _frozen_service, rounds, 12.0, is_worst=True),
    ]


async def away(outage_s: float) -> list[Result]:
    """The broker and the service come back after a long while, at the same time."""
    began = time.monotonic()
    pair = await asyncio.gather(_broker_back(outage_s), _service_back(outage_s))
    results = []
    for what, times_s in zip(("broker", "service"), pair, strict=True):
        result = Result("G5", f"{what} back after {outage_s:.0f} s")
        fill(result, times_s, 35.0, is_worst=True)
        result.seconds = time.monotonic() - began
        results.append(result)
    return results


async def _measure(
    what: str, measure: Callable[[], Awaitable[list[float]]], rounds: int, most_s: float, *, is_worst: bool = False
) -> Result:
    result, began = Result("G5", what), time.monotonic()
    times_s = [one for _ in range(rounds) for one in await measure()]
    fill(result, times_s, most_s, is_worst=is_worst)
    result.seconds = time.monotonic() - began
    return result


def fill(result: Result, times_s: Sequence[float], most_s: float, *, is_worst: bool) -> None:
    """The figures of so many times, and whether they hold."""
    ordered = sorted(times_s)
    p95 = ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]
    result.figures = {
        "repeats": len(ordered),
        "p50": f"{ordered[len(ordered) // 2]:.2f} s",
        "p95": f"{p95:.2f} s",
        "worst": f"{ordered[-1]:.2f} s",
        "goal": f"{'' if is_worst else 'p95 '}<= {most_s:.0f} s",
    }
    result.demand(f"it takes more than {most_s} s", (ordered[-1] if is_worst else p95) <= most_s)


async def _bridges(stack: AsyncExitStack, port: int) -> list[Told]:
    """Rooms at the broker."""
    rooms = [
        await stack.enter_async_context(bridge_node(port, client_id=f"voice_node-{number}")) for number in range(ROOMS)
    ]
    return [told for _, told in rooms]


def _is_at_broker(told: Told) -> bool:
    changes = [command for command in told.all if isinstance(command, BrokerChanged)]
    return bool(changes) and changes[-1].is_connected


async def _sessions(stack: AsyncExitStack, port: int) -> list[SessionRoom]:
    url = f"ws://127.0.0.1:{port}/v1/realtime"
    rooms = [await stack.enter_async_context(session_node(url, ping_s=PING_S)) for _ in range(ROOMS)]
    for room in rooms:
        await until(lambda room=room: _is_in_session(room), 30)  # type: ignore[misc]  # mypy knows no default in a lambda
    return rooms


def _is_in_session(room: SessionRoom) -> bool:
    changes = room.all(LinkChanged)
    return bool(changes) and changes[-1].is_up


async def _times(conditions: Sequence[Callable[[], bool]], since: float) -> list[float]:
    """When each began to hold."""
    times: dict[int, float] = {}
    async with asyncio.timeout(PATIENCE_S):
        while len(times) < len(conditions):
            now = time.monotonic()
            times |= {n: now - since for n, holds in enumerate(conditions) if n not in times and holds()}
            await asyncio.sleep(0.01)
    return list(times.values())


async def _broker_back(outage_s: float = AWAY_S) -> list[float]:
    async with AsyncExitStack() as stack:
        broker = stack.enter_context(Broker())
        rooms = await _bridges(stack, broker.port)
        broker.kill()
        await asyncio.sleep(outage_s)
        await asyncio.to_thread(broker.restart)
        return await _times([lambda told=told: _is_at_broker(told) for told in rooms], time.monotonic())  # type: ignore[misc]  # as above


async def _service_back(outage_s: float = AWAY_S) -> list[float]:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(SoakServer())
        proxy = await stack.enter_async_context(FaultProxy(server.port))
        rooms = await _sessions(stack, proxy.port)
        proxy.refuse()
        proxy.reset()
        await until(lambda: not any(map(_is_in_session, rooms)), 10)
        await asyncio.sleep(outage_s)
        proxy.heal()
        return await _times([lambda room=room: _is_in_session(room) for room in rooms], time.monotonic())  # type: ignore[misc]  # as above


async def _frozen_broker() -> list[float]:
    async with AsyncExitStack() as stack:
        broker = stack.enter_context(Broker())
        rooms = await _bridges(stack, broker.port)
        broker.freeze()
        began = time.monotonic()
        try:
            return await _times([lambda told=told: not _is_at_broker(told) for told in rooms], began)  # type: ignore[misc]  # as above
        finally:
            broker.thaw()


async def _frozen_service() -> list[float]:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(SoakServer())
        proxy = await stack.enter_async_context(FaultProxy(server.port))
        rooms = await _sessions(stack, proxy.port)
        proxy.stall()
        began = time.monotonic()
        try:
            return await _times([lambda room=room: not _is_in_session(room) for room in rooms], began)  # type: ignore[misc]  # as above
        finally:
            proxy.heal()
