"""Home automation that answers every call at once, in a process of its own.

usage: python -m tests.benchmarks.answering_home PORT    Prints `ready`, then a JSON line for each call with the time at
which it was heard (`heard_at`, the monotonic clock of Linux), and for each result with its `duration_ms`. Ends with its
standard input.
"""

import json
import socket
import sys
import time

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

BRANCH = "voice_node/bench/"


def _hear(client: Client, _data: object, message: MQTTMessage) -> None:
    heard_at = time.monotonic()
    content = json.loads(message.payload)
    if message.topic.endswith("/call"):
        answer = {"call_id": content["call_id"], "output": "done"}
        client.publish(BRANCH + "tool/set_light/result", json.dumps(answer), qos=1)
        print(json.dumps({"heard_at": heard_at}), flush=True)
    elif content["event_type"] == "tool_result":
        print(json.dumps({"duration_ms": content["duration_ms"]}), flush=True)


def _subscribe(
    client: Client, _data: object, _flags: ConnectFlags, _code: ReasonCode, _more: Properties | None
) -> None:
    client.subscribe([(BRANCH + "tool/+/call", 1), (BRANCH + "event", 1)])
    print("ready", flush=True)


def _hurry(_client: Client, _data: object, connection: object) -> None:
    assert isinstance(connection, socket.socket)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _main(port: int) -> None:
    client = Client(CallbackAPIVersion.VERSION2, "home", protocol=MQTTProtocolVersion.MQTTv5)
    client.on_connect = _subscribe
    client.on_message = _hear
    client.on_socket_open = _hurry
    client.connect("127.0.0.1", port)
    client.loop_start()
    sys.stdin.read()
    client.disconnect()
    client.loop_stop()


if __name__ == "__main__":
    _main(int(sys.argv[1]))
