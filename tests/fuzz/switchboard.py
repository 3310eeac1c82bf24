"""The node behind its doors: a router whose reports become messages, each of which must be on the list."""

import itertools
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from voice_node.model import report as rep
from voice_node.model.command import Command
from voice_node.model.moment import Moment
from voice_node.model.turn import Outcome
from voice_node.mqtt.encode import Unencodable, encode
from voice_node.mqtt.message import Message
from voice_node.mqtt.topics import Topics
from voice_node.router.action import Action
from voice_node.router.costs import Costs
from voice_node.router.direct import expected_filters
from voice_node.router.router import Router
from voice_node.router.tuning import Tuning
from voice_node.settings.schema import BudgetSettings, RoomSettings

SETTINGS = "mute|volume|wake_word|gate_snr_db|hang_over_ms|follow_up_ms|budget_usd"
ALLOWED = re.compile(
    r"voice_node/kitchen/("
    rf"availability|state|info|usage|health|speech|event|transcript(/partial|/user|/assistant)?|({SETTINGS})/state"
    r"|tool/(light|clock|door|scene)/call|response/[^+#\x00]+)"
    r"|homeassistant/device/voice_node_kitchen/config"
    r"|zigbee2mqtt/[\w-][\w .-]{0,63}/set"
)
"""Written down here a second time, so that the node's own table is not the judge of itself."""
REPLIES = re.compile(
    rf"voice_node/kitchen/(?!(availability|state|info|usage|health|speech|event|transcript|tool|request|{SETTINGS})(/|$))[^+#\x00]+"
)
"""Where a requester may ask for the response."""
DATA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "on": {"type": "boolean"},
        "area": {"enum": ["kitchen", "bath"]},
        "level": {"type": "integer", "minimum": 0, "maximum": 100},
        "colour": {"type": "string", "pattern": "^#[0-9a-f]{6}$"},
        "steps": {"type": "array", "items": {"$ref": "#/$defs/step"}, "uniqueItems": True, "maxItems": 8},
    },
    "required": ["on"],
    "additionalProperties": False,
    "$defs": {"step": {"type": "object", "properties": {"at": {"type": "number"}, "more": {"$ref": "#/$defs/step"}}}},
}
BLIND = {"type": "object", "properties": {"name": {"type": "string"}, "position": {"type": "number"}}}
ROOM = RoomSettings.model_validate(
    {
        "room": "kitchen",
        "tools": [
            {"name": "light", "description": "x", "parameters": DATA, "max_per_minute": 600},
            {"name": "clock", "description": "x", "max_per_minute": 600},
            {"name": "door", "description": "x", "parameters": DATA, "confirm": "mqtt", "max_per_minute": 600},
            {"name": "scene", "description": "x", "parameters": {"type": "object"}, "max_per_minute": 600},
            {
                "name": "blind",
                "description": "x",
                "parameters": BLIND,
                "max_per_minute": 600,
                "publish": {"topic": "zigbee2mqtt/{name}/set", "payload": {"position": "{position}"}},
                "expect": {"topic": "zigbee2mqtt/{name}"},
            },
        ],
    }
)
TOPICS = Topics("voice_node", "kitchen", device_filters=expected_filters(ROOM.tools))
BEGAN = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Switchboard:
    """Takes commands and outcomes; an AssertionError tells of a message that must not be."""

    def __init__(self) -> None:
        self.at = 1000.0
        self.calls: list[str] = []
        """Those that went out last."""
        self.published = 0
        numbers = itertools.count(1)
        costs = Costs(BudgetSettings(), BEGAN.astimezone().date(), None)
        self._router = Router(
            Tuning(ROOM, {}), lambda: f"typed-{next(numbers)}", {"version": "1"}, costs=costs, is_muted=False
        )
        self._perform(self._router.started(self.now))

    @property
    def now(self) -> Moment:
        """Both clocks."""
        return Moment(self.at, BEGAN + timedelta(seconds=self.at - 1000))

    def command(self, command: Command) -> None:
        """From the broker."""
        self._perform(self._router.command(command, self.now))

    def outcome(self, outcome: Outcome) -> None:
        """From the session or a device."""
        self._perform(self._router.outcome(outcome, self.now))

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.at += seconds
        self._perform(self._router.tick(self.now))

    def _perform(self, actions: list[Action]) -> None:
        for action in actions:
            if not isinstance(action, rep.Report):
                continue
            messages = encode(action, TOPICS, self.now.wall)
            if isinstance(messages, Unencodable):
                # The pipeline tells of it by a report of its own, which must not be the next that nobody can send.
                assert not (isinstance(action, rep.Happening) and action.event_type == "error"), messages
                self._perform(self._router.problem("unencodable", f"{messages.place}: {messages.why}"))
                continue
            if isinstance(action, rep.CallReport | rep.DeviceOrder):
                self.calls = [*self.calls[-7:], action.call_id]
            for message in messages:
                self._judge(action, message)

    def _judge(self, action: Action, message: Message) -> None:
        self.published += 1
        is_asked_for = isinstance(action, rep.Response) and REPLIES.fullmatch(message.topic)
        assert is_asked_for or ALLOWED.fullmatch(message.topic), f"published to {message.topic!r}"
        assert len(message.payload) <= 65536, f"{len(message.payload)} bytes to {message.topic}"
        if message.payload[:1] == b"{":
            json.loads(message.payload.decode(), parse_constant=_refuse)
        if isinstance(action, rep.CallReport | rep.DeviceOrder):
            assert not message.is_retained, "a call is kept by the broker"
            assert not message.is_kept, "a call waits"


def _refuse(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")
