"""What anybody may publish on the topics that the node hears: from the broker through the router to the messages."""

import json
from random import Random
from typing import Any, get_args

from tests.fuzz.mutation import ODD, Mutator
from tests.fuzz.switchboard import TOPICS, Switchboard
from voice_node.model.command import Command
from voice_node.model.turn import ToolCall
from voice_node.mqtt.decode import decode
from voice_node.mqtt.message import Incoming

BRANCH = "voice_node/kitchen/"
LIFE = 1000
"""Messages that one router gets."""


def _good(call_id: str) -> list[tuple[str, Any]]:
    requests: dict[str, Any] = {
        "listen": {"timeout_ms": 5000, "transaction": "1"},
        "stop": {},
        "say": {"text": "Dinner is ready.", "listen_after": True, "volume": 50},
        "ask": {"text": "What time is it?", "instructions": "Be kind."},
        "approve": {"call_id": call_id},
        "deny": {"call_id": call_id},
        "reset": {},
        "reload": {},
        "diagnose": {"transaction": "2"},
    }
    settings: dict[str, Any] = {"volume": 40, "gate_snr_db": 6.5, "hang_over_ms": 500, "follow_up_ms": 0}
    settings |= {"budget_usd": 1.5, "wake_word": "okay_nabu", "mute": "ON"}
    return [
        *((f"{BRANCH}request/{name}", fields) for name, fields in requests.items()),
        *((f"{BRANCH}{name}/set", value) for name, value in settings.items()),
        (BRANCH + "tool/light/result", {"call_id": call_id, "output": {"ok": True, "list": [1, None, "x"]}}),
        (BRANCH + "tool/light/result", {"call_id": call_id, "error": "no such lamp"}),
        (BRANCH + "tool/blind/result", {"call_id": call_id, "output": None}),
        ("homeassistant/status", "online"),
        ("zigbee2mqtt/left", {"position": 5, "state": "OPEN"}),
    ]


class Commands:
    """See `campaign.Target`."""

    def __init__(self, dice: Random) -> None:
        self._dice = dice
        self._mutator = Mutator(dice)
        self.board = Switchboard()
        self._number = 0

    def make(self) -> Incoming:
        """A mutated payload on a topic of commands, now and then on an odd one, with odd properties."""
        dice = self._dice
        self._number += 1
        if self._number % LIFE == 0:
            self.board = Switchboard()
        if self._number % 8 == 0:
            self._call()
        call_id = dice.choice(self.board.calls or ["c0"])
        topic, content = dice.choice(_good(call_id))
        if isinstance(content, str) and dice.random() < 0.5:
            payload = self._mutator.bytes(content.encode())
        else:
            payload = self._mutator.json(content)
        if dice.random() < 0.05:
            topic = self._odd_topic(topic)
        response_topic = (
            None if dice.random() < 0.7 else self._odd_topic(BRANCH + dice.choice(("response/x", "phone", "state")))
        )
        correlation = None if dice.random() < 0.7 else dice.randbytes(dice.choice((0, 16, 256, 300)))
        return Incoming(topic, payload, dice.random() < 0.02, response_topic, correlation)

    def feed(self, case: Incoming) -> None:
        """One message of the broker."""
        command = decode(case, TOPICS)
        assert command is None or isinstance(command, get_args(Command))
        if command is not None:
            self.board.command(command)
        if self._number % 5 == 0:
            self.board.wait(0.2)

    def close(self) -> None:
        """Nothing is held."""

    def _call(self) -> None:
        name = self._dice.choice(("light", "door", "clock", "blind"))
        arguments = {"blind": {"name": "left", "position": 5}, "clock": {}}.get(name, {"on": True})
        self.board.outcome(ToolCall(f"t{self._number}", f"c{self._number}", name, json.dumps(arguments)))

    def _odd_topic(self, topic: str) -> str:
        dice = self._dice
        levels = topic.split("/")
        odd = dice.choice([entry for entry in ODD if isinstance(entry, str)])
        levels[dice.randrange(len(levels))] = odd if dice.random() < 0.5 else dice.choice(levels)
        return "/".join(levels)
