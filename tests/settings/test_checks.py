"""What depends on several keys. The messages are held in test_load; here are the borders of what is right."""

from pathlib import Path
from typing import Any

import pytest

from voice_node.settings.checks import check_files, check_settings, find_idle, find_unreadable, strings
from voice_node.settings.schema import RoomSettings


def paths(**sections: Any) -> list[tuple[str | int, ...]]:
    """Where these sections have problems."""
    return [problem.path for problem in check_settings(RoomSettings.model_validate({"room": "a", **sections}))]


def tool(**keys: Any) -> dict[str, Any]:
    """A tool with one parameter, `area`."""
    parameters = {"type": "object", "properties": {"area": {"type": "string"}}}
    return {"name": "light", "description": "x", "parameters": parameters, **keys}


def test_defaults_are_right() -> None:
    assert paths() == []


def test_the_longest_segment_must_hold_the_shortest() -> None:
    gate = {"pre_roll_ms": 400, "min_speech_ms": 250, "onset_ms": 100, "hang_over_ms": 700}
    assert paths(gate={**gate, "max_segment_s": 1.351}) == []
    assert paths(gate={**gate, "max_segment_s": 1.35}) == [("gate", "max_segment_s")]
    assert paths(gate={**gate, "onset_ms": 300, "max_segment_s": 1.4}) == [("gate", "max_segment_s")]


def test_a_least_confidence_needs_to_be_told_one() -> None:
    told = {"include": ["item.input_audio_transcription.logprobs"], "least_confidence": 0.5, "provider": "openai"}
    place = [("session", "least_confidence")]
    assert paths(session=told) == []
    assert paths(session={**told, "include": []}) == place
    assert paths(session={**told, "transcription": None}) == place


def test_a_tool_choice_may_be_a_tool() -> None:
    assert paths(session={"tool_choice": "light"}, tools=[tool()]) == []
    assert paths(session={"tool_choice": "lock"}, tools=[tool()]) == [("session", "tool_choice")]


@pytest.mark.parametrize(
    "keys",
    [
        {"say": "The {area}, { no placeholder } and {} 5 %"},
        {"sentences": ["(turn|switch) on [the] {area}", "{rooms:area}", "[[(a|b)]]"]},
        {"publish": {"topic": "x/{area}/set", "payload": {"a": ["{area}", 5, None], "b": {"c": True}}}},
        {"publish": {"topic": "x", "payload": '{"area": "{area}"}'}, "expect": {"topic": "x/{area}"}},
        {"parameters": {"type": "object"}},
        {"parameters": {"type": "object", "properties": {"a": {"type": ["string", "null"]}}, "required": ["a"]}},
    ],
)
def test_right_tools(keys: dict[str, Any]) -> None:
    assert paths(tools=[tool(**keys)]) == []


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"publish": {"topic": "x", "payload": '{"area": {room}}'}}, [("publish", "payload")]),
        ({"publish": {"topic": "x", "payload": ""}, "expect": {"topic": "{room}"}}, [("expect", "topic")]),
        ({"sentences": ["a {area:room}", "(a]", "{area", "a)"]}, [("sentences", index) for index in range(4)]),
        (
            {"parameters": {"type": "object", "properties": {"a": {"type": ["x", 5, {}]}}, "required": [["a"], {}]}},
            [("parameters", "properties", "a", "type")] * 3
            + [("parameters", "required", 0), ("parameters", "required", 1)],
        ),
    ],
)
def test_wrong_tools(keys: dict[str, Any], expected: list[tuple[str | int, ...]]) -> None:
    assert [path[2:] for path in paths(tools=[tool(**keys)])] == expected


def test_files_are_looked_for_in_the_folder_of_the_room(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    (tmp_path / "folder").mkdir()

    def problems(name: str) -> int:
        return len(list(check_files(RoomSettings.model_validate({"room": "a", "capture": {"device": name}}), tmp_path)))

    assert [problems(name) for name in ("wav:a.wav", f"wav:{tmp_path}/a.wav", "default", "a USB wav: thing")] == [0] * 4
    assert [problems(name) for name in ("wav:b.wav", "wav:folder", "wav:", f"wav:{'x' * 252}", "wav:a.wav/b")] == [
        1
    ] * 5


def test_a_file_of_tls_that_this_user_cannot_read_is_named(tmp_path: Path) -> None:
    tls = {"ca": "ca.pem", "cert": "node.pem", "key": "keys/node.key"}
    room = RoomSettings.model_validate({"room": "a", "mqtt": {"tls": tls}})
    (problem,) = find_unreadable(room, tmp_path, tuple(tls), lambda file: file != tmp_path / "keys" / "node.key")
    assert problem.path == ("mqtt", "tls", "key")
    assert '"keys/node.key" cannot be read by this user' in problem.text
    assert list(find_unreadable(room, tmp_path, ("ca",), lambda _: True)) == []
    assert list(find_unreadable(RoomSettings(room="a"), tmp_path, tuple(tls), lambda _: False)) == []


def test_every_text_has_its_place() -> None:
    value = {"a": ["b", 1, {"c": "d"}], "e": None}
    assert list(strings(value, ("x",))) == [(("x", "a", 0), "b"), (("x", "a", 2, "c"), "d")]


@pytest.mark.parametrize(("confirm", "is_wrong"), [("voice", True), ("pin", True), ("mqtt", False), ("never", False)])
def test_who_asks_must_know_what_is_answered(confirm: str, is_wrong: bool) -> None:
    found = paths(session={"transcription": None}, tools=[tool(confirm=confirm)])
    assert found == ([("tools", 0, "confirm")] if is_wrong else [])
    assert paths(tools=[tool(confirm=confirm)]) == []


def test_a_tool_that_is_never_called_is_told() -> None:
    tools = [tool(name="unlock"), tool(name="oven", confirm="never"), tool()]
    room = RoomSettings.model_validate({"room": "a", "tools": tools})
    assert [problem.path for problem in find_idle(room)] == [("tools", 0, "name")]
