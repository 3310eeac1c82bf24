import json
from typing import Any

import pytest

from voice_node.cli.home import Home
from voice_node.mqtt.message import Incoming, Message
from voice_node.mqtt.topics import Topics

TOPICS = Topics("voice_node", "demo")


def call(name: str, arguments: dict[str, Any]) -> Incoming:
    return Incoming(TOPICS.call(name), json.dumps({"call_id": "c1", "name": name, "arguments": arguments}).encode())


@pytest.mark.parametrize(
    ("name", "arguments", "thing", "state"),
    [
        ("set_light", {"area": "hall", "state": "on"}, "hall light", "on"),
        ("set_heating", {"temperature": 21}, "heating", "21"),
        ("open_gate", {}, "open_gate", "done"),
        ("set_scene", {"name": "dinner", "dim": 0.5}, "scene", "dinner, 0.5"),
    ],
)
def test_a_call_is_obeyed_and_answered(name: str, arguments: dict[str, Any], thing: str, state: str) -> None:
    sent: list[Message] = []
    home = Home(TOPICS, sent.append)
    assert home.hear(call(name, arguments)) == f"{thing}: {state}"
    assert home.things == {thing: state}
    (answer,) = sent
    assert (answer.topic, answer.qos, answer.is_retained) == (TOPICS.result(name), 1, False)
    assert json.loads(answer.payload) == {"call_id": "c1", "output": {"result": "done", thing: state}}


def test_the_last_wish_counts() -> None:
    home = Home(TOPICS, lambda _: None)
    for state in ("on", "off"):
        home.hear(call("set_light", {"area": "hall", "state": state}))
    assert home.things == {"hall light": "off"}


@pytest.mark.parametrize("topic", ["state", "tool/set_light/result", "tool/call", "event"])
def test_other_messages_are_not_for_it(topic: str) -> None:
    assert Home(TOPICS, lambda _: None).hear(Incoming(TOPICS.branch + topic, b"not JSON")) is None


@pytest.mark.parametrize(
    "payload", [b"", b"not JSON", b"[]", b'{"call_id": "c"}', b'{"arguments": [], "call_id": "c"}']
)
def test_a_call_that_is_none_is_let_alone(payload: bytes) -> None:
    """Anybody may publish on a broker of others."""
    sent: list[Message] = []
    assert Home(TOPICS, sent.append).hear(Incoming(TOPICS.call("set_light"), payload)) is None
    assert sent == []
