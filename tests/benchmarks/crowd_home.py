"""The home of a crowd of rooms: hears everything that they say, and answers every call at once.

usage: python -m tests.benchmarks.crowd_home PORT ROOMS

Prints `ready`; when so many rooms have said all that they say at first, the monotonic clock; and for each line on its
standard input the number of messages that it has heard. Ends with it. It asks for quality of service 0, as Home
Assistant's triggers do unless they are told otherwise.
"""

import json
import sys
import time

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from tests.benchmarks.crowd import new_client

_FILTERS = (("voice_node/#", 0), ("homeassistant/#", 0))
_CALLS = "voice_node/+/tool/+/call"


class _Home:
    def __init__(self, port: int, rooms: int) -> None:
        self.heard = 0
        self._missing = rooms
        self._client = new_client("crowd-home")
        self._client.on_connect = self._subscribe
        self._client.on_subscribe = lambda *_: print("ready", flush=True)
        self._client.on_message = self._hear
        self._client.message_callback_add(_CALLS, self._answer)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _subscribe(
        self, client: Client, _data: object, _flags: ConnectFlags, _code: ReasonCode, _more: Properties | None
    ) -> None:
        client.subscribe(list(_FILTERS))

    def _hear(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self.heard += 1
        if message.topic.endswith("/info"):
            self._missing -= 1
            if self._missing == 0:
                print(time.monotonic(), flush=True)

    def _answer(self, client: Client, _data: object, message: MQTTMessage) -> None:
        self.heard += 1
        answer = {"call_id": json.loads(message.payload)["call_id"], "output": "done"}
        client.publish(message.topic.removesuffix("call") + "result", json.dumps(answer), qos=1)


def _main(port: int, rooms: int) -> None:
    home = _Home(port, rooms)
    for _ in sys.stdin:
        print(home.heard, flush=True)
    home.close()


if __name__ == "__main__":
    _main(int(sys.argv[1]), int(sys.argv[2]))
