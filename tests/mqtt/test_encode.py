import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any, get_args

import pytest

from voice_node.model.command import ReplyTo
from voice_node.model.report import (
    CallReport,
    Claim,
    DeviceOrder,
    Discovery,
    EventType,
    GateOpen,
    Happening,
    Health,
    Info,
    LastWords,
    NodeState,
    Report,
    Response,
    SettingState,
    State,
    Usages,
)
from voice_node.model.turn import Transcript
from voice_node.mqtt.encode import Unencodable, delayed, encode
from voice_node.mqtt.message import LARGEST_ASIDE, LARGEST_PAYLOAD, Message
from voice_node.mqtt.topics import Topics

TOPICS = Topics("voice_node", "kitchen")
NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
LATER = NOW + timedelta(milliseconds=2500)
FINAL = Transcript("t1", "i1", "user", "light on", is_final=True, started_at=NOW, ended_at=LATER)
CALL = CallReport("c1", "t1", "set_light", {"area": "kitchen"}, NOW, LATER)


def only(report: Report, now: datetime = NOW) -> Message:
    messages = encode(report, TOPICS, now)
    assert isinstance(messages, tuple), messages
    (message,) = messages
    return message


def flaw(report: Report) -> Unencodable:
    answer = encode(report, TOPICS, NOW)
    assert isinstance(answer, Unencodable)
    return answer


EVERY: list[tuple[Report, str, Any, dict[str, Any]]] = [
    (
        State(NodeState.IDLE, NOW),
        "state",
        {"state": "idle", "since": "2026-11-20T10:00:00.000Z"},
        {"qos": 1, "is_retained": True, "is_latest": True},
    ),
    (
        State(NodeState.THINKING, NOW, "t1"),
        "state",
        {"state": "thinking", "since": "2026-11-20T10:00:00.000Z", "turn_id": "t1", "room": "kitchen"},
        {"qos": 1, "is_retained": True, "is_latest": True},
    ),
    (Info({"version": "1"}), "info", {"version": "1"}, {"qos": 1, "is_retained": True, "is_latest": True}),
    (Usages({"usd": 0.25}), "usage", {"usd": 0.25}, {"qos": 1, "is_retained": True, "is_latest": True}),
    (Health({"uptime_s": 3}), "health", {"uptime_s": 3}, {"qos": 0, "is_retained": True, "is_latest": True}),
    (GateOpen(is_open=True), "speech", "ON", {"qos": 0}),
    (GateOpen(is_open=False), "speech", "OFF", {"qos": 0}),
    (
        FINAL,
        "transcript",
        {
            "turn_id": "t1",
            "item_id": "i1",
            "room": "kitchen",
            "role": "user",
            "text": "light on",
            "final": True,
            "started_at": "2026-11-20T10:00:00.000Z",
            "ended_at": "2026-11-20T10:00:02.500Z",
            "duration_ms": 2500,
        },
        {"qos": 1, "is_kept": True},
    ),
    (
        Transcript("t1", "i1", "assistant", "lig", False, NOW, NOW, "en", 0.5, "local"),
        "transcript/partial",
        {
            "turn_id": "t1",
            "item_id": "i1",
            "room": "kitchen",
            "role": "assistant",
            "text": "lig",
            "final": False,
            "started_at": "2026-11-20T10:00:00.000Z",
            "ended_at": "2026-11-20T10:00:00.000Z",
            "duration_ms": 0,
            "language": "en",
            "confidence": 0.5,
            "provider": "local",
        },
        {"qos": 0},
    ),
    (
        Happening(EventType.ERROR, {"code": "x", "at": NOW, "room": "elsewhere"}),
        "event",
        {"event_type": "error", "room": "kitchen", "code": "x", "at": "2026-11-20T10:00:00.000Z"},
        {"qos": 1},
    ),
    (
        Happening(EventType.TURN_FINISHED, {"timings_ms": MappingProxyType({"done": 9})}, "t1"),
        "event",
        {"event_type": "turn_finished", "room": "kitchen", "turn_id": "t1", "timings_ms": {"done": 9}},
        {"qos": 1, "is_kept": True},
    ),
    (
        CALL,
        "tool/set_light/call",
        {
            "call_id": "c1",
            "turn_id": "t1",
            "room": "kitchen",
            "name": "set_light",
            "arguments": {"area": "kitchen"},
            "issued_at": "2026-11-20T10:00:00.000Z",
            "expires_at": "2026-11-20T10:00:02.500Z",
        },
        {
            "qos": 1,
            "expiry_s": 2.5,
            "response_topic": "voice_node/kitchen/tool/set_light/result",
            "correlation": b"c1",
        },
    ),
    (Response("stop"), "response/stop", {"status": "ok", "data": {}}, {"qos": 1}),
    (
        Response("say", "no text", reply_to=ReplyTo(transaction="7")),
        "response/say",
        {"status": "error", "data": {}, "error": "no text", "transaction": "7"},
        {"qos": 1},
    ),
    (SettingState("mute", "ON"), "mute/state", "ON", {"qos": 1, "is_retained": True, "is_latest": True}),
    (SettingState("volume", 70), "volume/state", 70, {"qos": 1, "is_retained": True, "is_latest": True}),
    (SettingState("budget_usd", 1.5), "budget_usd/state", 1.5, {"qos": 1, "is_retained": True, "is_latest": True}),
    (SettingState("wake_word", "hi"), "wake_word/state", "hi", {"qos": 1, "is_retained": True, "is_latest": True}),
]


@pytest.mark.parametrize(("report", "topic", "content", "flags"), EVERY)
def test_a_report_is_what_the_contract_says(report: Report, topic: str, content: Any, flags: dict[str, Any]) -> None:
    message = only(report)
    read = message.payload.decode() if isinstance(content, str) else json.loads(message.payload)
    assert read == content
    assert message == Message("voice_node/kitchen/" + topic, message.payload, **flags)


def test_every_report_is_covered() -> None:
    elsewhere = {Claim, DeviceOrder, Discovery, LastWords}
    assert {type(report) for report, *_ in EVERY} | elsewhere == set(get_args(Report))


def test_a_claim_goes_to_the_topic_of_all_rooms_and_expires() -> None:
    assert only(Claim("ab-1")) == Message("voice_node/claim", b'{"room":"kitchen","claim_id":"ab-1"}', 0, expiry_s=1)
    assert json.loads(only(Claim("ab-2", "bedroom")).payload)["gives_way_to"] == "bedroom"


def test_an_order_to_a_device_goes_to_its_topic_as_it_is_and_expires() -> None:
    order = DeviceOrder("c1", "blind", "zigbee2mqtt/blind/set", b'{"position": 5}', NOW + timedelta(seconds=4.5))
    assert only(order) == Message("zigbee2mqtt/blind/set", b'{"position": 5}', 1, expiry_s=4.5)


def test_the_device_is_kept_by_the_broker_until_it_is_taken_back() -> None:
    document = only(Discovery({"components": {}}))
    assert document == Message(
        "homeassistant/device/voice_node_kitchen/config", b'{"components":{}}', 1, is_retained=True, is_latest=True
    )
    assert only(Discovery(None)) == Message(document.topic, b"", 1, is_retained=True, is_latest=True)


def test_last_words_stay_at_the_broker_only_where_that_is_wanted() -> None:
    passing, kept = only(LastWords("user", FINAL)), only(LastWords("user", FINAL, is_retained=True))
    assert passing.payload == kept.payload == only(FINAL).payload
    assert passing == Message("voice_node/kitchen/transcript/user", passing.payload, 1)
    assert kept == Message("voice_node/kitchen/transcript/user", kept.payload, 1, is_retained=True, is_latest=True)
    assert only(LastWords("assistant", None)) == Message(
        "voice_node/kitchen/transcript/assistant", b"", 1, is_retained=True, is_latest=True
    )


def test_a_response_goes_to_the_requester_too() -> None:
    report = Response("stop", reply_to=ReplyTo("voice_node/kitchen/response/x", b"\x00id"))
    messages = encode(report, TOPICS, NOW)
    assert isinstance(messages, tuple)
    assert [(m.topic, m.correlation) for m in messages] == [
        ("voice_node/kitchen/response/stop", None),
        ("voice_node/kitchen/response/x", b"\x00id"),
    ]
    same = only(Response("stop", reply_to=ReplyTo("voice_node/kitchen/response/stop", b"id")))
    assert same.correlation == b"id"


@pytest.mark.parametrize(("left_s", "expiry_s"), [(2.5, 2.5), (0.2, 0.2), (-4, -4)])
def test_a_call_expires_when_its_time_is_over(left_s: float, expiry_s: float) -> None:
    assert only(CALL, now=LATER - timedelta(seconds=left_s)).expiry_s == expiry_s


def test_times_are_utc_whatever_the_zone() -> None:
    there = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert json.loads(only(State(NodeState.IDLE, there)).payload)["since"] == "2026-11-20T10:00:00.000Z"


def test_a_message_that_waited_says_how_long() -> None:
    late = delayed(only(FINAL), 1234)
    assert json.loads(late.payload) == {**json.loads(only(FINAL).payload), "delayed_ms": 1234}
    assert late.is_kept


CYCLE: dict[str, Any] = {}
CYCLE["again"] = CYCLE
DEEP: list[Any] = []
for _ in range(100_000):
    DEEP = [DEEP]
SECRET = "sesame"
TUPLE_KEY: Any = {(SECRET,): 1}


@pytest.mark.parametrize(
    "report",
    [
        Usages({"usd": float("nan")}),
        Usages({"usd": float("inf")}),
        Info({"name": SECRET + "\ud800"}),
        Info({SECRET: object()}),
        Info(TUPLE_KEY),
        Info({"deep": DEEP}),
        Info(CYCLE),
        Info({"huge": 10**5000}),
        Info({"text": SECRET * LARGEST_PAYLOAD}),
        Happening(EventType.ERROR, {"text": SECRET * LARGEST_PAYLOAD}),
        State(NodeState.IDLE, datetime(2026, 1, 1)),  # noqa: DTZ001  # the flaw
        CallReport("c", "t", SECRET + "/+", {}, NOW, LATER),
        CallReport(SECRET * 99, "t", "tool", {}, NOW, LATER),
        CallReport(SECRET + "\udfff", "t", "tool", {}, NOW, LATER),
        Response(SECRET + "#"),
        Response("stop", reply_to=ReplyTo(SECRET + "/#")),
        SettingState("mute", SECRET),
        SettingState("nosuch", SECRET),
        SettingState("volume", float("nan")),
        SettingState("wake_word", SECRET + "\ud800"),
    ],
)
def test_what_cannot_be_written_is_a_value_without_the_content(report: Report) -> None:
    answer = flaw(report)
    assert answer.place == type(report).__name__
    assert answer.why
    assert SECRET not in answer.why


ODD_TEXT = SECRET + "\ud800"


@pytest.mark.parametrize(
    ("report", "topic", "holds"),
    [
        (replace(FINAL, text=SECRET * 20_000), "transcript", {"text": SECRET * 20_000, "item_id": "i1"}),
        (replace(FINAL, text=ODD_TEXT), "transcript", {"text": ODD_TEXT, "room": "kitchen"}),
        (replace(FINAL, turn_id="\udfff"), "transcript", {"turn_id": "\udfff"}),
        (
            Happening(EventType.TURN_FINISHED, {"usage": SECRET * 20_000}, "t1"),
            "event",
            {"event_type": "turn_finished", "usage": SECRET * 20_000, "turn_id": "t1"},
        ),
        (Happening(EventType.TURN_FINISHED, {"usage": float("inf")}, "t1"), "event", {"usage": float("inf")}),
    ],
)
def test_what_may_wait_and_cannot_be_sent_is_there_to_be_set_aside(
    report: Report, topic: str, holds: dict[str, Any]
) -> None:
    answer = flaw(report)
    aside = answer.aside
    assert aside is not None
    assert aside.topic == TOPICS.branch + topic
    assert aside.flaw == answer.why
    assert SECRET not in answer.why
    content = json.loads(aside.payload)
    assert content | holds == content


def test_a_size_is_told_with_its_topic() -> None:
    why = flaw(replace(FINAL, text="x" * 70_000)).why
    assert "voice_node/kitchen/transcript" in why
    assert "70182 bytes" in why
    assert "voice_node/kitchen/event has 700" in flaw(Happening(EventType.ERROR, {"text": "x" * 70_000})).why


@pytest.mark.parametrize(
    "report",
    [replace(FINAL, text="\U0001f600" * 10**6), Happening(EventType.TURN_FINISHED, {"usage": "x" * 10**7}, "t1")],
)
def test_what_is_set_aside_is_cut(report: Report) -> None:
    aside = flaw(report).aside
    assert aside is not None
    assert len(aside.payload) == LARGEST_ASIDE


@pytest.mark.parametrize("value", [DEEP, CYCLE, {("a",): 1}])
def test_where_nothing_can_be_written_at_least_its_topic_is(value: Any) -> None:
    aside = flaw(Happening(EventType.TURN_FINISHED, {"usage": value}, "t1")).aside
    assert aside is not None
    assert (aside.topic, aside.payload) == (TOPICS.event, b"")


@pytest.mark.parametrize(
    "report",
    [
        replace(FINAL, text=ODD_TEXT, is_final=False),
        Happening(EventType.TOOL_CALL, {"arguments": {"text": ODD_TEXT}}, "t1"),
        CallReport("c", "t", "tool", {"text": ODD_TEXT}, NOW, LATER),
        Info({"text": ODD_TEXT}),
    ],
)
def test_what_may_not_wait_is_not_set_aside(report: Report) -> None:
    assert flaw(report).aside is None


def test_a_kept_message_leaves_room_for_its_delay() -> None:
    empty = len(only(Transcript("t", "i", "user", "", True, NOW, NOW)).payload)
    longest = Transcript("t", "i", "user", "x" * (LARGEST_PAYLOAD - 32 - empty), True, NOW, NOW)
    assert len(delayed(only(longest), 10**12).payload) <= LARGEST_PAYLOAD
    assert flaw(Transcript("t", "i", "user", longest.text + "x", True, NOW, NOW)).why
