import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_node.router.direct import LONGEST_REPORT, Order, confirmation, expected_filters, order
from voice_node.router.tools import BadArguments
from voice_node.settings.tools import Tool


def tool(topic: str = "zigbee2mqtt/{area}/set", payload: Any = None, expect: str | None = None, **more: Any) -> Tool:
    fields = {"name": "light", "description": "x", "publish": {"topic": topic, "payload": payload or {"a": "b"}}}
    return Tool.model_validate(fields | more | ({} if expect is None else {"expect": {"topic": expect}}))


def sent(arguments: dict[str, Any], payload: Any) -> Any:
    found = order(tool("a/b", payload), arguments)
    assert found is not None
    return json.loads(found.payload) if isinstance(payload, dict) else found.payload.decode()


def test_a_tool_without_publish_sends_nothing_itself() -> None:
    assert order(Tool(name="light", description="x"), {}) is None


def test_an_order_with_all_that_it_has() -> None:
    blind = tool("zigbee2mqtt/{area}_blind/set", {"position": "{position}"}, "zigbee2mqtt/{area}_blind")
    expected = Order("zigbee2mqtt/kitchen_blind/set", b'{"position": 40}', "zigbee2mqtt/kitchen_blind", 5)
    assert order(blind, {"area": "kitchen", "position": 40}) == expected


@pytest.mark.parametrize(
    ("payload", "arguments", "result"),
    [
        ({"state": "{state}"}, {"state": "on"}, {"state": "on"}),
        ({"n": "{n}", "f": "{f}", "b": "{b}"}, {"n": 5, "f": 1.5, "b": True}, {"n": 5, "f": 1.5, "b": True}),
        ({"list": ["{a}", 1, {"x": "{a}"}]}, {"a": [1, 2]}, {"list": [[1, 2], 1, {"x": [1, 2]}]}),
        ({"text": "to {n} %"}, {"n": 5}, {"text": "to 5 %"}),
        ({"state": "{state}", "level": "{level}"}, {"state": "on"}, {"state": "on"}),
        ({"two": "{a}{b}"}, {"a": "{b}", "b": "x"}, {"two": "{b}x"}),
        ({"quote": "say {a}"}, {"a": '"},{"'}, {"quote": 'say "},{"'}),
        ({"fixed": None, "n": 1}, {}, {"fixed": None, "n": 1}),
        ("{state}", {"state": "on"}, "on"),
        ("{n}", {"n": 5}, "5"),
        ("{b}", {"b": False}, "false"),
        ("ON", {}, "ON"),
    ],
)
def test_payloads(payload: Any, arguments: dict[str, Any], result: Any) -> None:
    assert sent(arguments, payload) == result


@pytest.mark.parametrize("payload", ["{a}{a}{a}{a}{a}", {"a": "{a}", "b": ["{a}{a}", "{a}", "{a}"]}])
def test_an_order_that_no_message_can_hold_is_an_argument_that_is_too_long(payload: Any) -> None:
    assert sent({"a": "x" * 10_000}, payload)
    with pytest.raises(BadArguments, match="too long"):
        sent({"a": "x" * 16_000}, payload)
    with pytest.raises(BadArguments, match="too long"):
        sent({"a": "\U0001f600" * 4_000}, payload)


def test_words_within_a_text_must_be_there() -> None:
    with pytest.raises(BadArguments, match="state: is needed"):
        order(tool("a/b", "set {state}"), {})
    with pytest.raises(BadArguments, match="area: is needed"):
        order(tool("a/{area}"), {})


@pytest.mark.parametrize("area", ["kitchen", "Kitchen lamp", "0x00158d0001", "küche", "a.b", "-5", 7, True])
def test_levels_that_may_be(area: Any) -> None:
    found = order(tool(), {"area": area})
    assert found is not None
    assert found.topic.count("/") == 2


@pytest.mark.parametrize(
    "area",
    ["", "a/b", "../set", "+", "#", "$SYS", "a+", "a#b", "a\0", "a\n", "x" * 65, " ", "..", "\ufffe", [1], {"a": 1}],
)
def test_levels_that_may_not_be(area: Any) -> None:
    with pytest.raises(BadArguments, match="area: must be"):
        order(tool(), {"area": area})


@given(st.text())
def test_no_value_reaches_another_level(area: str) -> None:
    try:
        found = order(tool(expect="zigbee2mqtt/{area}"), {"area": area})
    except BadArguments:
        return
    assert found is not None
    assert found.topic.split("/") == ["zigbee2mqtt", area, "set"]
    assert not set("/+#$\0") & set(area)


def test_what_is_subscribed_to() -> None:
    tools = [
        tool(expect="zigbee2mqtt/{area}_blind"),
        tool(expect="zigbee2mqtt/{area}"),
        tool(expect="tele/{a}/{b}/state"),
        tool(expect="fixed/topic"),
        tool(),
    ]
    assert expected_filters(tools) == ("zigbee2mqtt/+", "tele/+/+/state", "fixed/topic")


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        (b'{"position": 5}', {"result": "done", "state": {"position": 5}}),
        (b"ON", {"result": "done", "state": "ON"}),
        (b"", {"result": "done"}),
        (b"\xff", {"result": "done", "state": "\ufffd"}),
        (b"NaN", {"result": "done", "state": "NaN"}),
        (b"1e999", {"result": "done", "state": "1e999"}),
        (b'{"a":-1e999}', {"result": "done", "state": '{"a":-1e999}'}),
        (b'"\\ud800"', {"result": "done", "state": '"\\ud800"'}),
        (b"[" * 999 + b"]" * 999, {"result": "done", "state": "[" * 999 + "]" * 999}),
        (b"x" * (LONGEST_REPORT + 1), {"result": "done"}),
    ],
)
def test_what_the_model_is_told_of_the_device(payload: bytes, told: Any) -> None:
    assert confirmation(payload) == told
    json.dumps(told, allow_nan=False)
