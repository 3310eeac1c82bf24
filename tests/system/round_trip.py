"""G10: from a tool call that leaves the bridge to its answer over a real broker. Nagle's algorithm would cost 44 ms."""

import asyncio
import json
import time

from tests.fakes.broker import Broker
from tests.mqtt.node import BRANCH, call, node
from tests.system.goal import Result
from voice_node.model.command import ToolResult
from voice_node.mqtt.message import Incoming, Message
from voice_node.mqtt.observer import Observer
from voice_node.settings.schema import MqttSettings

MOST_P99_S = 0.005


async def round_trips(calls: int) -> Result:
    """One after the other."""
    result, began = Result("G10", "call to result over MQTT"), time.monotonic()
    times_s: list[float] = []

    def answer(message: Incoming) -> None:
        content = json.dumps({"call_id": json.loads(message.payload)["call_id"], "output": "done"}).encode()
        home.publish(Message(BRANCH + "tool/set_light/result", content, qos=1))

    with Broker() as broker:
        home = Observer(MqttSettings(port=broker.port), None, [BRANCH + "tool/+/call"], answer)
        await home.start()
        async with node(broker.port) as (bridge, told):
            await asyncio.sleep(0.5)  # the first states are out of the way
            for number in range(calls):
                at = time.monotonic()
                publishing = asyncio.create_task(bridge.publish(call(f"c{number}")))
                await told.next(ToolResult)
                times_s.append(time.monotonic() - at)
                await publishing
        await home.stop()
    times_s.sort()
    p99 = times_s[round(0.99 * (len(times_s) - 1))]
    result.figures = {"calls": calls, "p50": f"{times_s[calls // 2] * 1000:.2f} ms", "p99": f"{p99 * 1000:.2f} ms"}
    result.demand(f"p99 is {p99 * 1000:.1f} ms", p99 <= MOST_P99_S)
    result.seconds = time.monotonic() - began
    return result
