import json
import socket
import threading
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voice_node.model.report import CallReport, EventType, Happening
from voice_node.router.tools import (
    MAX_ARGUMENT_CHARS,
    MAX_DEPTH,
    MAX_VALUES,
    BadArguments,
    ToolBox,
    read_object,
    schema_problem,
    schema_problems,
)
from voice_node.settings.schema import RoomSettings
from voice_node.settings.tools import Tool

LIGHT = {
    "type": "object",
    "properties": {
        "room": {"type": "string", "enum": ["kitchen", "hall"]},
        "brightness": {"type": "integer", "minimum": 0, "maximum": 100},
        "scenes": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
    },
    "required": ["room"],
    "additionalProperties": False,
}


def tool(parameters: dict[str, Any], name: str = "light") -> Tool:
    return Tool(name=name, description="Switches the light", parameters=parameters)


def any_object(**schema: Any) -> dict[str, Any]:
    return {"type": "object", **schema}


def nested(depth: int) -> str:
    """An object that holds `depth` lists in each other."""
    return '{"a":' + "[" * depth + "]" * depth + "}"


UNREADABLE = {
    "not JSON": ("light on", "not valid JSON"),
    "blank": (" ", "not valid JSON"),
    "byte order mark": ("\ufeff{}", "not valid JSON"),
    "two objects": ("{}{}", "not valid JSON"),
    "cut": ('{"room": "kit', "not valid JSON"),
    "single quotes": ("{'room': 'kitchen'}", "not valid JSON"),
    "raw control character": ('{"room": "a\nb"}', "not valid JSON"),
    "NaN": ('{"a": NaN}', "NaN is not a JSON number"),
    "Infinity": ('{"a": Infinity}', "Infinity is not a JSON number"),
    "-Infinity": ('{"a": [-Infinity]}', "-Infinity is not a JSON number"),
    "overflowing float": ('{"a": 1e999}', "too large"),
    "overflowing negative float": ('{"a": {"b": -1e999}}', "too large"),
    "integer beyond 2**53": ('{"a": 9007199254740993}', "too large"),
    "integer below -2**53": ('{"a": -9007199254740993}', "too large"),
    "integer of 5,000 digits": ('{"a": ' + "9" * 5000 + "}", "not valid JSON"),
    "key given twice": ('{"a": 1, "a": 2}', "given twice"),
    "key given twice below": ('{"a": [{"b": 1, "b": 1}]}', "given twice"),
    "key given twice in other letters": ('{"a": 1, "\\u0061": 2}', "given twice"),
    "100,000 levels": (nested(50_000), "longer than"),
    "as many levels as fit": (nested(MAX_ARGUMENT_CHARS // 2 - 4), "nested too deeply"),
    "one level too many": (nested(MAX_DEPTH), "nested too deeply"),
    "objects too deep": ('{"a":' * 40 + "1" + "}" * 40, "nested too deeply"),
    "too many values": ('{"a":[' + "1," * MAX_VALUES + "1]}", "more than"),
    "lone surrogate": ('{"a": "\\ud800"}', "lone surrogate"),
    "lone surrogate in a key": ('{"\\udfff": 1}', "lone surrogate"),
    "lone surrogate, unescaped": ('{"a": "\ud800"}', "lone surrogate"),
    "list": ("[]", "not a JSON object"),
    "text": ('"room"', "not a JSON object"),
    "number": ("5", "not a JSON object"),
    "null": ("null", "not a JSON object"),
    "too long": ('{"a": "' + "x" * MAX_ARGUMENT_CHARS + '"}', "longer than"),
}


@pytest.mark.parametrize(("text", "why"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_cannot_be_read_is_refused_in_words(text: str, why: str) -> None:
    with pytest.raises(BadArguments, match=why) as caught:
        ToolBox([tool(any_object())]).read("light", text)
    assert len(str(caught.value)) < 200
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", {}),
        ("{}", {}),
        (' {"a": 1} \n', {"a": 1}),
        ('{"a": [true, false, null, -0.5, 1e10]}', {"a": [True, False, None, -0.5, 1e10]}),
        ('{"a": 9007199254740992}', {"a": 2**53}),
        ('{"a": "\\ud83d\\ude00"}', {"a": "\U0001f600"}),
        (nested(MAX_DEPTH - 2), json.loads(nested(MAX_DEPTH - 2))),
    ],
)
def test_what_can_be_read(text: str, values: dict[str, Any]) -> None:
    assert read_object(text) == values


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{}", "the arguments: 'room' is a required property"),
        ("", "the arguments: 'room' is a required property"),
        ('{"room": "attic"}', "room: 'attic' is not one of"),
        ('{"room": 5}', "room: 5 is not of type 'string'"),
        ('{"room": "hall", "brightness": "50"}', "brightness: '50' is not of type 'integer'"),
        ('{"room": "hall", "brightness": true}', "brightness: True is not of type 'integer'"),
        ('{"room": "hall", "brightness": 1.5}', "brightness: 1.5 is not of type 'integer'"),
        ('{"room": "hall", "brightness": 101}', "brightness: 101 is greater than the maximum of 100"),
        ('{"room": "hall", "colour": "red"}', "the arguments: Additional properties are not allowed"),
        ('{"room": "hall", "scenes": ["a", 1]}', r"scenes\[1\]: 1 is not of type 'string'"),
    ],
)
def test_what_does_not_fit_the_schema_is_refused_with_its_place(text: str, why: str) -> None:
    with pytest.raises(BadArguments, match=why):
        ToolBox([tool(LIGHT)]).read("light", text)


def test_what_fits_the_schema_is_read() -> None:
    values = ToolBox([tool(LIGHT)]).read("light", '{"room": "hall", "brightness": 50.0}')
    assert values == {"room": "hall", "brightness": 50}


def test_a_message_for_the_model_is_short_however_long_the_value() -> None:
    text = json.dumps({"room": "x" * 10_000})
    with pytest.raises(BadArguments) as caught:
        ToolBox([tool(LIGHT)]).read("light", text)
    assert len(str(caught.value)) < 400


def test_tools_by_name() -> None:
    box = ToolBox([tool(LIGHT), tool(any_object(), "clock")])
    assert [one.name for one in box] == ["light", "clock"]
    assert box.get("nothing") is None
    with pytest.raises(KeyError):
        box.read("nothing", "{}")


def test_no_schema_reaches_the_network() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        callers: list[object] = []

        def listen() -> None:
            try:
                callers.append(server.accept())
            except TimeoutError:
                return

        thread = threading.Thread(target=listen)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/schema.json"
        for schema in (
            any_object(properties={"a": {"$ref": url}}),
            any_object(**{"$schema": url}),
            any_object(**{"$id": url, "properties": {"a": {"$ref": "other.json"}}}),
            any_object(properties={"a": {"$dynamicRef": url}}),
        ):
            remote = tool(schema)
            schema_problem(remote)
            box = ToolBox([remote])
            with suppress(BadArguments):
                box.read("light", '{"a": 1}')
        thread.join()
        assert callers == []


USELESS = {
    "a reference to the network": any_object(properties={"a": {"$ref": "https://example.org/schema.json"}}),
    "a reference to nothing": any_object(properties={"a": {"$ref": "#/$defs/nothing"}}),
    "a reference to itself": any_object(**{"$ref": "#"}),
    "an unknown type": any_object(properties={"a": {"type": "strng"}}),
    "a bad pattern": any_object(properties={"a": {"pattern": "("}}),
    "a division by zero": any_object(properties={"a": {"multipleOf": 0}}),
    "a bound of text": any_object(properties={"a": {"maximum": "x"}}),
    "a property of text": any_object(properties={"a": "string"}),
    "properties in a list": any_object(properties=["a"]),
    "required as a number": any_object(required=5),
}


@pytest.mark.parametrize("schema", USELESS.values(), ids=USELESS.keys())
def test_a_schema_that_cannot_be_used_refuses_the_call_and_stops_nothing(schema: dict[str, Any]) -> None:
    box = ToolBox([tool(schema), tool(LIGHT, "good")])
    with pytest.raises(BadArguments, match="schema"):
        box.read("light", '{"a": 1}')
    assert box.read("good", '{"room": "hall"}') == {"room": "hall"}


@pytest.mark.parametrize("schema", USELESS.values(), ids=USELESS.keys())
def test_a_schema_that_cannot_be_used_is_found_before_it_is(schema: dict[str, Any]) -> None:
    assert schema_problem(tool(schema)) is not None


@pytest.mark.parametrize(
    "schema",
    [
        LIGHT,
        any_object(),
        any_object(**{"$defs": {"room": {"type": "string"}}, "properties": {"a": {"$ref": "#/$defs/room"}}}),
        any_object(properties={"$ref": {"type": "string"}}),
        any_object(**{"$defs": {"tree": any_object(properties={"leaf": {"$ref": "#/$defs/tree"}})}}),
    ],
)
def test_a_good_schema_has_no_problem(schema: dict[str, Any]) -> None:
    assert schema_problem(tool(schema)) is None


def test_the_problems_of_a_room_name_the_tool() -> None:
    tools = [tool(LIGHT, "good"), *(tool(schema, f"bad_{number}") for number, schema in enumerate(USELESS.values()))]
    problems = list(schema_problems(RoomSettings(room="kitchen", tools=tools)))
    assert [problem.path for problem in problems] == [
        ("tools", index + 1, "parameters") for index in range(len(USELESS))
    ]
    assert all(problem.text and "\n" not in problem.text for problem in problems)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)
PIECES = st.lists(
    st.sampled_from(
        ["{", "}", "[", "]", ",", ":", '"a"', '"\\ud800"', "1e999", "NaN", "-", "9" * 400, "true", " ", '"']
    )
)
ARGUMENTS = st.one_of(
    st.text(),
    PIECES.map("".join),
    JSON.map(json.dumps),
    st.dictionaries(st.text(max_size=4), JSON, max_size=4).map(json.dumps),
)


@given(ARGUMENTS, st.sampled_from([LIGHT, *USELESS.values(), any_object()]))
@settings(max_examples=300, deadline=None)
def test_whatever_the_model_writes_is_refused_or_safe(text: str, schema: dict[str, Any]) -> None:
    try:
        values = ToolBox([tool(schema)]).read("light", text)
    except BadArguments as error:
        json.dumps({"error": str(error)}).encode()
        return
    assert isinstance(values, dict)
    json.dumps(values, allow_nan=False, ensure_ascii=False).encode()


# Patterns

TIME = any_object(properties={"at": {"type": "string", "pattern": "^[0-9]{2}:[0-9]{2}$"}})


def test_a_pattern_is_checked() -> None:
    box = ToolBox([tool(TIME)])
    assert box.read("light", '{"at": "07:30"}') == {"at": "07:30"}
    with pytest.raises(BadArguments, match=r"at: 'half past' does not match '\^"):
        box.read("light", '{"at": "half past"}')
    assert ToolBox([tool(any_object(properties={"at": {"pattern": "^a$"}}))]).read("light", '{"at": 5}') == {"at": 5}


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "schema",
    [
        {"pattern": "^(a+)+$"},
        {"not": {"pattern": "^(a+)+$"}},
        {"$schema": "http://json-schema.org/draft-07/schema#", "pattern": "^(a+)+$"},
        {"patternProperties": {"^(a+)+$": {}}, "additionalProperties": False},
        {"propertyNames": {"pattern": "^(a+)+$"}},
    ],
)
def test_a_pattern_that_could_take_for_ever_is_a_mistake_of_the_room_file(schema: dict[str, Any]) -> None:
    room = tool(any_object(properties={"x": schema}))
    assert "has the pattern" in str(schema_problem(room))
    with pytest.raises(BadArguments, match="cannot be used"):
        ToolBox([room]).read("light", json.dumps({"x": "a" * 60 + "!"}))


@pytest.mark.parametrize(
    "schema",
    [
        {"pattern": "^a*a*$"},
        {"not": {"pattern": "^a*a*b"}},
        {"$schema": "http://json-schema.org/draft-07/schema#", "pattern": "^a*a*$"},
        {"anyOf": [{"pattern": "^a*a*$"}, {"type": "string"}]},
    ],
)
def test_what_is_longer_than_its_pattern_takes_is_refused(schema: dict[str, Any]) -> None:
    box = ToolBox([tool(any_object(properties={"x": schema, "note": {"type": "string"}}))])
    assert box.read("light", json.dumps({"x": "a" * 64, "note": "b" * 5000}))["x"] == "a" * 64
    with pytest.raises(BadArguments, match="a text is longer than 64"):
        box.read("light", json.dumps({"x": "a" * 65}))


def test_names_are_no_longer_than_their_patterns_take() -> None:
    schema = any_object(patternProperties={"^[a-z]+_[a-z]+$": {"type": "integer"}}, additionalProperties=False)
    box = ToolBox([tool(schema)])
    assert box.read("light", '{"a_b": 1}') == {"a_b": 1}
    with pytest.raises(BadArguments, match="does not match any of the regexes"):
        box.read("light", '{"ab": 1}')
    with pytest.raises(BadArguments, match="a name is longer than 64"):
        box.read("light", json.dumps({"a" * 65: 1}))


def test_arguments_that_no_message_can_hold_are_too_long() -> None:
    """A character is up to four bytes, and a number may be longer when it is written again."""
    assert read_object(json.dumps({"a": "\U0001f600" * 10_000}, ensure_ascii=False))
    with pytest.raises(BadArguments, match="longer than"):
        read_object(json.dumps({"a": "\U0001f600" * 16_000}, ensure_ascii=False))
    for text in (
        '{"a":"' + "\u20ac" * 15_900 + '"}',
        '{"a":"' + "\\u0001" * 2_500 + '"}',
        '{"a":[' + "1e15," * 990 + '"' + "\u20ac" * 10_000 + '"]}',
    ):
        now = datetime(2026, 1, 1, tzinfo=UTC)
        call = CallReport("c" * 256, "t" * 256, "n" * 64, read_object(text), now, now + timedelta(seconds=5))
        asked = Happening(EventType.TOOL_CALL, {"arguments": call.arguments, "call_id": call.call_id}, call.turn_id)
        assert len(json.dumps(asdict(call), default=str, ensure_ascii=False).encode()) < 64_000
        assert len(json.dumps(asdict(asked), default=str, ensure_ascii=False).encode()) < 64_000
