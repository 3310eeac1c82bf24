"""What a broker tells of all its rooms. Whatever comes is somebody's claim: what is none of ours is left out."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from voice_node.mqtt.message import Incoming
from voice_node.mqtt.topics import is_level

PLACES = ("availability", "state", "info", "usage", "health", "event")
"""What is heard of each room."""
MOST_ROOMS = 10_000
LONGEST_TEXT = 120


@dataclass(slots=True)
class FleetRoom:
    """One room, as far as it was told."""

    room: str
    is_online: bool | None = None
    state: str | None = None
    turn_id: str | None = None
    """Of the turn under way."""
    since: datetime | None = None
    """When the state began."""
    last_status: str | None = None
    """How the last turn ended; None: none has since somebody looks."""
    timings_ms: Mapping[str, int] = field(default_factory=dict)
    """Of the last turn."""
    usd_today: float | None = None
    budget_usd: float | None = None
    usage_date: str | None = None
    """The room's own day."""
    version: str | None = None
    provider: str | None = None
    problems: Mapping[str, int] = field(default_factory=dict)
    """How often each came since the node's start."""
    last_error: str | None = None
    broken: tuple[str, ...] = ()
    """What does not work now."""
    seen_at: datetime | None = None
    """When it said something while somebody looked."""

    @property
    def latency_ms(self) -> int | None:
        """Of the last turn: to the first sound, or where it had none, to its end."""
        return self.timings_ms.get("first_sound", self.timings_ms.get("done"))

    @property
    def is_in_trouble(self) -> bool:
        """Somebody should look."""
        return self.is_online is False or self.state in ("offline", "over_budget") or bool(self.broken)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "room": self.room,
            "online": self.is_online,
            "state": self.state,
            "since": _written(self.since),
            "turn_id": self.turn_id,
            "last_turn": None
            if self.last_status is None
            else {"status": self.last_status, "timings_ms": dict(self.timings_ms)},
            "usd_today": self.usd_today,
            "budget_usd": self.budget_usd,
            "date": self.usage_date,
            "problems": dict(self.problems),
            "last_error": self.last_error,
            "broken": list(self.broken),
            "version": self.version,
            "provider": self.provider,
            "seen_at": _written(self.seen_at),
        }


class Fleet:
    """All rooms below one base."""

    def __init__(self, base: str) -> None:
        self._base = base
        self.rooms: dict[str, FleetRoom] = {}
        """By id; those beyond `MOST_ROOMS` are left out."""

    @property
    def filters(self) -> list[str]:
        """The topics to hear."""
        return [f"{self._base}/+/{place}" for place in PLACES]

    def hear(self, message: Incoming, now: datetime) -> FleetRoom | None:
        """The room of which this tells something; None where it tells nothing."""
        levels = message.topic.split("/")
        if len(levels) != 3 or levels[0] != self._base or not is_level(levels[1]):
            return None
        if levels[1] not in self.rooms and (not message.payload or len(self.rooms) >= MOST_ROOMS):
            return None
        room = self.rooms.setdefault(levels[1], FleetRoom(levels[1]))
        if not message.payload:  # `voice-node forget` takes back what was kept
            if levels[2] == "availability":
                del self.rooms[room.room]
            return None
        _take(room, levels[2], message.payload)
        if not message.is_retained:
            room.seen_at = now
        return room


def _take(room: FleetRoom, place: str, payload: bytes) -> None:
    if place == "availability":
        room.is_online = payload == b"online"
        return
    try:
        content = json.loads(payload)
    except (ValueError, RecursionError):
        return
    if not isinstance(content, dict):
        return
    match place:
        case "state":
            room.state, room.turn_id = _text(content.get("state")), _text(content.get("turn_id"))
            room.since = _moment(content.get("since"))
        case "info":
            room.version, room.provider = _text(content.get("version")), _text(content.get("provider"))
        case "usage":
            room.usd_today, room.budget_usd = _number(content.get("usd")), _number(content.get("budget_usd"))
            room.usage_date = _text(content.get("date"))
        case "health":
            room.problems = _counts(content.get("problems"))
            room.last_error = _text(content.get("last_error"))
            now = ("microphone_problem", "speaker_problem", "state_problem")
            room.broken = tuple(text for name in now if (text := _text(content.get(name))))
        case "event" if content.get("event_type") == "turn_finished":
            room.last_status, room.timings_ms = _text(content.get("status")), _counts(content.get("timings_ms"))
        case _:
            pass


def _text(value: Any) -> str | None:
    """A short text that does nothing to a terminal."""
    if not isinstance(value, str):
        return None
    return "".join(sign if sign.isprintable() else "?" for sign in value[:LONGEST_TEXT])


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and abs(value) < 1e9 else None


def _counts(value: Any) -> dict[str, int]:
    if not isinstance(value, dict):
        return {}
    numbers = {_text(name) or "?": _number(number) for name, number in list(value.items())[:64]}
    return {name: round(number) for name, number in numbers.items() if number is not None}


def _moment(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo is not None else None
    except (TypeError, ValueError, OverflowError):
        return None


def _written(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
