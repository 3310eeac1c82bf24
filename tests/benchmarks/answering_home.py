"""Home automation that answers every call at once, in a process of its own.

usage: python -m tests.benchmarks.answering_home PORT    Prints `ready`, then a JSON line for each call with the time at
which it was heard (`heard_at`, the monotonic clock of Linux), and for each result with its `duration_ms`. Ends with its
standard input.
"""

import asyncio
import json
import sys
import time

from voice_node.mqtt.message import Incoming, Message
from voice_node.mqtt.observer import Observer
from voice_node.settings.schema import MqttSettings

BRANCH = "voice_node/bench/"


async def _main(port: int) -> None:
    def hear(message: Incoming) -> None:
        heard_at = time.monotonic()
        content = json.loads(message.payload)
        if message.topic.endswith("/call"):
            answer = {"call_id": content["call_id"], "output": "done"}
            observer.publish(Message(BRANCH + "tool/set_light/result", json.dumps(answer).encode(), qos=1))
            print(json.dumps({"heard_at": heard_at}), flush=True)
        elif content["event_type"] == "tool_result":
            print(json.dumps({"duration_ms": content["duration_ms"]}), flush=True)

    observer = Observer(MqttSettings(port=port), None, [BRANCH + "tool/+/call", BRANCH + "event"], hear)
    await observer.start()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await observer.stop()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1])))
