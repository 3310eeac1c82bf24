"""Every topic of the contract as another client at a real broker sees it."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.fakes.broker import Broker
from tests.fakes.mqtt_spy import MqttSpy
from tests.mqtt.node import BRANCH, message, node
from voice_node.model.command import (
    BadInput,
    Command,
    HomeAssistantStatus,
    ReplyTo,
    Say,
    SetMute,
    SetSetting,
    Stop,
    ToolResult,
)
from voice_node.model.report import (
    CallReport,
    EventType,
    GateOpen,
    Happening,
    Health,
    Info,
    NodeState,
    Report,
    Response,
    SettingState,
    State,
    Usages,
)
from voice_node.model.turn import Transcript
from voice_node.mqtt.bridge import Published

NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)

REPORTS: list[tuple[Report, str, bytes, int, bool]] = [
    (State(NodeState.IDLE, NOW), "state", b'{"state":"idle","since":"2026-11-20T10:00:00.000Z"}', 1, True),
    (Info({"version": "1"}), "info", b'{"version":"1"}', 1, True),
    (Usages({"usd": 0.5}), "usage", b'{"usd":0.5}', 1, True),
    (Health({"lost": 0}), "health", b'{"lost":0}', 0, True),
    (GateOpen(is_open=True), "speech", b"ON", 0, False),
    (
        Transcript("t1", "i1", "user", "Grüß Gott", True, NOW, NOW + timedelta(seconds=1)),
        "transcript",
        '{"turn_id":"t1","item_id":"i1","room":"kitchen","role":"user","text":"Grüß Gott","final":true,'
        '"started_at":"2026-11-20T10:00:00.000Z","ended_at":"2026-11-20T10:00:01.000Z","duration_ms":1000}'.encode(),
        1,
        False,
    ),
    (
        Transcript("t1", "i1", "user", "G", False, NOW, NOW),
        "transcript/partial",
        b'{"turn_id":"t1","item_id":"i1","room":"kitchen","role":"user","text":"G","final":false,'
        b'"started_at":"2026-11-20T10:00:00.000Z","ended_at":"2026-11-20T10:00:00.000Z","duration_ms":0}',
        0,
        False,
    ),
    (
        Happening(EventType.WAKE, {"score": 0.5}, "t1"),
        "event",
        b'{"score":0.5,"event_type":"wake","room":"kitchen","turn_id":"t1"}',
        1,
        False,
    ),
    (Response("stop"), "response/stop", b'{"status":"ok","data":{}}', 1, False),
    (SettingState("mute", "OFF"), "mute/state", b"OFF", 1, True),
    (SettingState("volume", 70), "volume/state", b"70", 1, True),
]


@pytest.mark.parametrize("protocol", [5, 3])
async def test_reports_arrive_as_the_contract_says(broker: Broker, protocol: int) -> None:
    async with MqttSpy(broker.port) as spy, node(broker.port, protocol=protocol) as (bridge, _):
        for report, below, payload, qos, is_retained in REPORTS:
            bridge.offer(message(report))
            seen = await spy.wait_for_topic(BRANCH + below)
            assert (seen.payload, seen.qos, seen.retain) == (payload, qos, is_retained)
            assert (seen.expiry_s, seen.response_topic, seen.correlation) == (None, None, None)
        online = spy.messages[0]
        assert (online.topic, online.payload, online.qos, online.retain) == (
            BRANCH + "availability",
            b"online",
            1,
            True,
        )


@pytest.mark.parametrize("protocol", [5, 3])
async def test_a_tool_call_and_its_answer(broker: Broker, protocol: int) -> None:
    async with MqttSpy(broker.port) as spy, node(broker.port, protocol=protocol) as (bridge, told):
        now = datetime.now(UTC)
        report = CallReport("c1", "t1", "set_light", {"area": "kitchen"}, now, now + timedelta(seconds=5))
        assert await bridge.publish(message(report)) is Published.DELIVERED
        seen = await spy.wait_for_topic(BRANCH + "tool/set_light/call")
        assert (seen.qos, seen.retain, seen.json["call_id"]) == (1, False, "c1")
        if protocol == 5:
            assert (seen.expiry_s, seen.response_topic, seen.correlation) == (
                5,
                BRANCH + "tool/set_light/result",
                b"c1",
            )
        else:
            assert (seen.expiry_s, seen.response_topic, seen.correlation) == (None, None, None)
        await spy.publish(BRANCH + "tool/set_light/result", '{"call_id":"c1","output":"ok"}')
        assert await told.next(ToolResult) == ToolResult("set_light", "c1", "ok")


@pytest.mark.parametrize("protocol", [5, 3])
async def test_commands_come_in(broker: Broker, protocol: int) -> None:
    reply = BRANCH + "response/phone"
    async with MqttSpy(broker.port) as spy, node(broker.port, protocol=protocol) as (bridge, told):
        heard: list[tuple[str, str, Command]] = [
            (BRANCH + "mute/set", "ON", SetMute(is_muted=True)),
            (BRANCH + "volume/set", "30", SetSetting("volume", 30)),
            (BRANCH + "budget_usd/set", "2.5", SetSetting("budget_usd", 2.5)),
            (BRANCH + "request/say", "Hello", Say("Hello")),
            ("homeassistant/status", "online", HomeAssistantStatus(is_online=True)),
        ]
        for topic, payload, command in heard:
            await spy.publish(topic, payload)
            assert await told.next(type(command)) == command
        await spy.publish(BRANCH + "request/stop", response_topic=reply, correlation=b"7")
        stop = await told.next(Stop)
        assert stop.reply_to == (ReplyTo(reply, b"7") if protocol == 5 else ReplyTo())
        # And the answer finds its way back.
        if protocol == 5:
            for answer in (Response("stop", reply_to=stop.reply_to),):
                await bridge.publish(message(answer))
            assert (await spy.wait_for_topic(BRANCH + "response/stop")).json["status"] == "ok"


@pytest.mark.parametrize("protocol", [5, 3])
async def test_too_large_and_retained_commands_change_nothing(broker: Broker, protocol: int) -> None:
    async with MqttSpy(broker.port) as spy:
        await spy.publish(BRANCH + "mute/set", "OFF", retain=True)
        async with node(broker.port, protocol=protocol) as (_, told):
            await spy.publish(BRANCH + "request/say", b"x" * 65_537)
            bad = await told.next(BadInput)
            assert (bad.place, bad.command) == ("request/say", "say")
            await spy.publish(BRANCH + "request/say", b"x" * 65_536)
            await told.next(Say)
            assert not [command for command in told.all if isinstance(command, SetMute)]
