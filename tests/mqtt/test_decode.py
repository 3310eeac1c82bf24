import json
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voice_node.model.command import (
    Ask,
    BadInput,
    Command,
    Decide,
    DeviceReport,
    Diagnose,
    HomeAssistantStatus,
    Listen,
    Reload,
    ReplyTo,
    Reset,
    Say,
    SetMute,
    SetSetting,
    Stop,
    ToolResult,
)
from voice_node.mqtt.decode import decode
from voice_node.mqtt.message import LARGEST_PAYLOAD, Incoming
from voice_node.mqtt.topics import Topics

TOPICS = Topics("voice_node", "kitchen")
BRANCH = "voice_node/kitchen/"


def read(below: str, payload: str | bytes = b"", **properties: Any) -> Command | None:
    raw = payload.encode() if isinstance(payload, str) else payload
    return decode(Incoming(BRANCH + below, raw, **properties), TOPICS)


@pytest.mark.parametrize(
    ("below", "payload", "command"),
    [
        (
            "tool/set_light/result",
            '{"call_id":"c","output":{"ok":[1,null]}}',
            ToolResult("set_light", "c", {"ok": [1, None]}),
        ),
        ("tool/set_light/result", '{"call_id":"c","output":null,"more":1}', ToolResult("set_light", "c")),
        ("tool/set_light/result", '{"call_id":"c","error":"no"}', ToolResult("set_light", "c", error="no")),
        ("request/listen", "", Listen()),
        ("request/listen", '{"timeout_ms":5000}', Listen(5000)),
        ("request/stop", " ", Stop()),
        ("request/stop", '{"transaction":"9"}', Stop(ReplyTo(transaction="9"))),
        ("request/say", "Dinner is ready.", Say("Dinner is ready.")),
        ("request/say", "12", Say("12")),
        (
            "request/say",
            '{"text":"Hi","listen_after":true,"volume":0}',
            Say("Hi", listen_after=True, volume=0),
        ),
        ("request/ask", " What time is it?", Ask("What time is it?")),
        ("request/ask", '{"text":"Hi","instructions":"Be kind"}', Ask("Hi", "Be kind")),
        ("request/approve", '{"call_id":"c"}', Decide("c", is_approved=True)),
        ("request/deny", '{"call_id":"c"}', Decide("c", is_approved=False)),
        ("request/reset", "", Reset()),
        ("request/reload", "{}", Reload()),
        ("request/diagnose", "", Diagnose()),
        ("mute/set", "ON", SetMute(is_muted=True)),
        ("mute/set", "OFF", SetMute(is_muted=False)),
        ("volume/set", "0", SetSetting("volume", 0)),
        ("volume/set", "100", SetSetting("volume", 100)),
        ("wake_word/set", " okay_nabu\n", SetSetting("wake_word", "okay_nabu")),
        ("gate_snr_db/set", "6.5", SetSetting("gate_snr_db", 6.5)),
        ("gate_snr_db/set", "40", SetSetting("gate_snr_db", 40)),
        ("hang_over_ms/set", "100", SetSetting("hang_over_ms", 100)),
        ("follow_up_ms/set", "60000", SetSetting("follow_up_ms", 60000)),
        ("budget_usd/set", "0.01", SetSetting("budget_usd", 0.01)),
        ("budget_usd/set", "1000", SetSetting("budget_usd", 1000)),
    ],
)
def test_a_command_is_read(below: str, payload: str, command: Command) -> None:
    assert read(below, payload) == command


def test_home_assistants_birth_and_will() -> None:
    for payload, is_online in ((b"online", True), (b"offline", False)):
        assert decode(Incoming("homeassistant/status", payload), TOPICS) == HomeAssistantStatus(is_online)


SECRET = "sesame"


@pytest.mark.parametrize(
    ("below", "payload", "detail"),
    [
        ("request/sing", SECRET, "there is no such request"),
        ("request/listen", '{"timeout_ms":true}', "`timeout_ms` must be an integer"),
        ("request/listen", '{"timeout_ms":0}', "`timeout_ms` must be an integer"),
        ("request/listen", '{"timeout_ms":1e9}', "`timeout_ms` must be an integer"),
        ("request/stop", '{"sesame":1}', "an unknown field; allowed: transaction"),
        ("request/stop", SECRET, "not valid JSON"),
        ("request/stop", "[]", "must be a JSON object"),
        ("request/stop", '{"transaction":5}', "`transaction` must be a text"),
        ("request/say", " ", "there is no text"),
        ("request/ask", "", "there is no text"),
        ("request/ask", '{"text":" "}', "there is no text"),
        ("request/say", '{"text":"sesame"', "not valid JSON"),
        ("request/say", '{"text":"sesame","text":"b"}', "a key is given twice"),
        ("request/say", '{"text":"sesame","listen_after":1}', "`listen_after` must be true or false"),
        ("request/say", '{"text":"sesame","volume":101}', "`volume` must be"),
        ("request/say", '{"text":"sesame\\ud800"}', "half a character"),
        ("request/say", b"\xff\xfe", "not UTF-8"),
        ("request/ask", "{" + SECRET, "not valid JSON"),
        ("request/ask", "{}", "`text` must be"),
        ("request/approve", '{"call_id":7}', "`call_id` must be"),
        ("request/deny", "", "`call_id` must be"),
        ("tool/set_light/result", '{"call_id":"c"}', "either `output` or `error`"),
        ("tool/set_light/result", '{"call_id":"c","output":1,"error":"sesame"}', "either `output` or `error`"),
        ("tool/set_light/result", '{"output":1}', "`call_id` must be"),
        ("tool/Light!/result", '{"call_id":"c","output":1}', "the tool's name"),
        ("tool/set_light/result", '{"call_id":"c","output":NaN}', "NaN is not a JSON number"),
        ("tool/set_light/result", '{"call_id":"c","output":1e999}', "a number is too large"),
        ("tool/set_light/result", '{"call_id":"c","output":' + "9" * 5000 + "}", "not valid JSON"),
        ("tool/set_light/result", "[" * 60000, "nested too deeply"),
        ("tool/set_light/result", '{"call_id":"c","output":' + "[" * 70 + "]" * 70 + "}", "nested too deeply"),
        ("mute/set", "on", "must be ON or OFF"),
        ("volume/set", "101", "must be an integer from 0 to 100"),
        ("volume/set", "7.5", "must be an integer from 0 to 100"),
        ("volume/set", "true", "must be an integer from 0 to 100"),
        ("volume/set", "", "not valid JSON"),
        ("gate_snr_db/set", "40.1", "must be a number from 0 to 40"),
        ("hang_over_ms/set", "99", "must be an integer from 100 to 5000"),
        ("follow_up_ms/set", "-1", "must be an integer from 0 to 60000"),
        ("budget_usd/set", "0", "must be a number above 0 to 1000"),
        ("budget_usd/set", "NaN", "NaN is not a JSON number"),
        ("wake_word/set", "", "printable"),
        ("wake_word/set", "a\tb", "printable"),
    ],
)
def test_what_cannot_be_read_is_answered_without_repeating_it(below: str, payload: str | bytes, detail: str) -> None:
    bad = read(below, payload)
    assert isinstance(bad, BadInput)
    assert detail in bad.detail
    assert SECRET not in bad.detail
    assert bad.place == below
    assert bad.command == (below.removeprefix("request/") if below.startswith("request/") else None)


def test_the_limit_is_64_kib() -> None:
    assert isinstance(read("request/say", "x" * LARGEST_PAYLOAD), Say)
    bad = read("request/say", "x" * (LARGEST_PAYLOAD + 1))
    assert isinstance(bad, BadInput)
    assert "65536" in bad.detail


def test_an_old_command_does_not_act() -> None:
    assert read("mute/set", "OFF", is_retained=True) is None
    assert read("request/say", "\xff", is_retained=True) is None


def test_other_topics_are_not_ours() -> None:
    assert read("state", "{}") is None
    assert decode(Incoming("voice_node/bath/request/stop", b""), TOPICS) is None


def test_a_reply_goes_where_it_may() -> None:
    inside = BRANCH + "response/phone"
    assert read("request/stop", response_topic=inside, correlation=b"x" * 256) == Stop(ReplyTo(inside, b"x" * 256))
    assert read("request/stop", response_topic=inside, correlation=b"x" * 257) == Stop()
    for outside in ("lock/front/set", BRANCH + "state", BRANCH + "response/#"):
        assert read("request/stop", response_topic=outside, correlation=b"x") == Stop()


def test_a_flaw_is_answered_to_its_requester() -> None:
    bad = read("request/stop", '{"transaction":"9","x":1}', response_topic=BRANCH + "response/phone")
    assert isinstance(bad, BadInput)
    assert bad.reply_to == ReplyTo(BRANCH + "response/phone", None, "9")


def test_a_long_or_odd_topic_is_cut_to_a_place() -> None:
    bad = read("request/" + "\ud800" + "x" * 500)
    assert isinstance(bad, BadInput)
    assert len(bad.place) == 128
    assert bad.command is None
    bad.place.encode()


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
_FIELDS = st.dictionaries(
    st.sampled_from(["call_id", "output", "error", "text", "volume", "listen_after", "timeout_ms", "transaction"]),
    _JSON,
)
_BELOW = st.sampled_from([topic.removeprefix(BRANCH).replace("+", "say") for topic in TOPICS.subscriptions])
_PAYLOAD = st.binary(max_size=200) | st.text().map(lambda text: text.encode(errors="replace"))
_PAYLOAD |= (_FIELDS | _JSON).map(lambda value: json.dumps(value).encode())


@settings(max_examples=300, deadline=None)
@given(
    below=_BELOW | st.text(max_size=40) | st.text(max_size=20).map(lambda name: f"request/{name}"),
    payload=_PAYLOAD,
    response_topic=st.none() | st.text(max_size=40) | st.text(max_size=20).map(lambda rest: BRANCH + rest),
    correlation=st.none() | st.binary(max_size=300),
)
def test_whatever_comes_is_a_command_or_nothing(
    below: str, payload: bytes, response_topic: str | None, correlation: bytes | None
) -> None:
    command = read(below, payload, response_topic=response_topic, correlation=correlation)
    assert command is None or isinstance(command, get_args(Command))


def test_a_device_that_a_tool_expects_is_heard_unless_its_message_is_old_or_too_large() -> None:
    topics = Topics("voice_node", "kitchen", device_filters=("zigbee2mqtt/+",))
    report = Incoming("zigbee2mqtt/blind", b'{"position": 5}')
    assert decode(report, topics) == DeviceReport("zigbee2mqtt/blind", b'{"position": 5}')
    assert decode(Incoming("zigbee2mqtt/blind", b"\xff"), topics) == DeviceReport("zigbee2mqtt/blind", b"\xff")
    assert decode(Incoming("zigbee2mqtt/blind", b"5", is_retained=True), topics) is None
    assert decode(Incoming("zigbee2mqtt/blind", b"x" * (LARGEST_PAYLOAD + 1)), topics) is None
    assert decode(report, TOPICS) is None
