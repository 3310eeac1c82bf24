import json
from datetime import UTC, datetime
from typing import Any

import pytest

from voice_node.cli import fleet_rooms
from voice_node.cli.fleet_rooms import LONGEST_TEXT, Fleet, FleetRoom
from voice_node.mqtt.message import Incoming

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.fixture
def fleet() -> Fleet:
    return Fleet("voice_node")


def tell(fleet: Fleet, place: str, content: Any, *, is_kept: bool = False, room: str = "kitchen") -> FleetRoom | None:
    payload = content if isinstance(content, bytes) else json.dumps(content).encode()
    return fleet.hear(Incoming(f"voice_node/{room}/{place}", payload, is_retained=is_kept), NOW)


def test_a_room_is_what_it_told(fleet: Fleet) -> None:
    tell(fleet, "availability", b"online", is_kept=True)
    tell(fleet, "state", {"state": "thinking", "since": "2026-11-20T11:59:58.000Z", "turn_id": "ab-1"})
    tell(fleet, "info", {"version": "0.1.0", "provider": "local", "tools": []})
    tell(fleet, "usage", {"usd": 0.25, "budget_usd": 1.0, "date": "2026-11-20"})
    tell(fleet, "health", {"problems": {"timeout": 2}, "last_error": "timeout", "microphone_problem": "it is gone"})
    finished = {"event_type": "turn_finished", "status": "completed", "timings_ms": {"first_sound": 620, "done": 1800}}
    tell(fleet, "event", finished)
    assert fleet.rooms["kitchen"].as_json() == {
        "room": "kitchen",
        "online": True,
        "state": "thinking",
        "since": "2026-11-20T11:59:58.000Z",
        "turn_id": "ab-1",
        "last_turn": {"status": "completed", "timings_ms": {"first_sound": 620, "done": 1800}},
        "usd_today": 0.25,
        "budget_usd": 1.0,
        "date": "2026-11-20",
        "problems": {"timeout": 2},
        "last_error": "timeout",
        "broken": ["it is gone"],
        "version": "0.1.0",
        "provider": "local",
        "seen_at": "2026-11-20T12:00:00.000Z",
    }


def test_what_the_broker_kept_was_not_said_now(fleet: Fleet) -> None:
    tell(fleet, "state", {"state": "idle"}, is_kept=True)
    assert fleet.rooms["kitchen"].seen_at is None
    tell(fleet, "state", {"state": "idle"})
    assert fleet.rooms["kitchen"].seen_at == NOW


def test_the_latency_is_to_the_first_sound_or_to_the_end(fleet: Fleet) -> None:
    room = FleetRoom("kitchen")
    assert room.latency_ms is None
    room.timings_ms = {"done": 900}
    assert room.latency_ms == 900
    room.timings_ms = {"first_sound": 620, "done": 900}
    assert room.latency_ms == 620


def test_a_forgotten_room_is_gone(fleet: Fleet) -> None:
    tell(fleet, "availability", b"offline")
    tell(fleet, "availability", b"")
    tell(fleet, "state", b"")
    assert fleet.rooms == {}


@pytest.mark.parametrize(
    "payload",
    [
        b"\xff\xfe",
        b"[" * 100_000,
        b"[]",
        b'"text"',
        b'{"state": 5, "usd": "much", "problems": [], "since": "soon", "last_error": {}, "version": []}',
        b'{"usd": NaN, "budget_usd": 1e999, "problems": {"a": NaN, "b": true}, "timings_ms": {"done": "quick"}}',
    ],
)
@pytest.mark.parametrize("place", fleet_rooms.PLACES)
def test_what_is_no_fact_is_left_out(fleet: Fleet, place: str, payload: bytes) -> None:
    tell(fleet, place, payload)
    room = fleet.rooms["kitchen"]
    json.dumps(room.as_json(), allow_nan=False)
    assert (room.state, room.usd_today, room.version, room.since, dict(room.problems)) == (None, None, None, None, {})


def test_no_text_moves_the_terminal_or_fills_it(fleet: Fleet) -> None:
    tell(fleet, "health", {"last_error": "\x1b[2Jboo\n" + "x" * 1000})
    text = fleet.rooms["kitchen"].last_error
    assert text is not None
    assert text.startswith("?[2Jboo?x")
    assert len(text) == LONGEST_TEXT


@pytest.mark.parametrize(
    "topic", ["voice_node/kitchen", "voice_node/kitchen/tool/call", "other/kitchen/state", "voice_node/Küche/state"]
)
def test_other_topics_are_no_rooms(fleet: Fleet, topic: str) -> None:
    assert fleet.hear(Incoming(topic, b"{}"), NOW) is None
    assert fleet.rooms == {}


def test_rooms_have_an_end(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_rooms, "MOST_ROOMS", 3)
    for number in range(5):
        tell(fleet, "availability", b"online", room=f"room_{number}")
    assert list(fleet.rooms) == ["room_0", "room_1", "room_2"]
    tell(fleet, "state", {"state": "idle"}, room="room_1")
    assert fleet.rooms["room_1"].state == "idle"


@pytest.mark.parametrize("since", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "yesterday", 7])
def test_a_moment_that_no_clock_shows_is_none(fleet: Fleet, since: Any) -> None:
    room = tell(fleet, "state", {"state": "idle", "since": since})
    assert room is not None
    assert (room.as_json()["since"], room.state) == (None, "idle")


@pytest.mark.parametrize(
    ("facts", "is_in_trouble"),
    [
        ({}, False),
        ({"is_online": False}, True),
        ({"is_online": True, "state": "idle"}, False),
        ({"is_online": True, "state": "offline"}, True),
        ({"is_online": True, "state": "over_budget"}, True),
        ({"is_online": True, "state": "idle", "broken": ("the disk is full",)}, True),
        ({"is_online": True, "state": "idle", "last_error": "timeout"}, False),
    ],
)
def test_who_needs_somebody(facts: dict[str, Any], is_in_trouble: bool) -> None:
    assert FleetRoom("kitchen", **facts).is_in_trouble is is_in_trouble
