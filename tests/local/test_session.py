from typing import Any

import pytest

from tests.fakes.schema import assert_published
from voice_node.local import wire
from voice_node.local.refusal import Refused
from voice_node.local.session import SessionType, begun, check_response, default_session, updated

TURNS = "session.audio.input.turn_detection"


def patched(**patch: Any) -> dict[str, Any]:
    return updated(default_session("sess_1", "realtime", "local"), {"type": "realtime", **patch})


@pytest.mark.parametrize("kind", ["realtime", "transcription"])
def test_defaults_are_as_published(kind: SessionType) -> None:
    assert_published("server", wire.session_created(default_session("sess_1", kind, "local")))


def test_a_session_that_begins_has_an_id_and_an_end() -> None:
    default = default_session("sess_1", "realtime", "local")
    session = begun(default, "sess_2", 1_800_000_000)
    assert_published("server", wire.session_created(session))
    assert session == {**default, "id": "sess_2", "expires_at": 1_800_000_000}


def test_only_what_is_present_changes() -> None:
    session = patched(audio={"input": {"transcription": {"model": "m", "language": "en"}}})
    session = updated(session, {"type": "realtime", "audio": {"input": {"noise_reduction": {"type": "far_field"}}}})
    session = updated(session, {"type": "realtime", "audio": {"input": {"transcription": {"language": "de"}}}})
    assert session["audio"]["input"]["transcription"] == {"model": "m", "language": "de"}
    assert session["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": 24000}
    session = updated(session, {"type": "realtime", "audio": {"input": {"transcription": None}}})
    assert session["audio"]["input"]["transcription"] is None
    assert session["audio"]["input"]["noise_reduction"] == {"type": "far_field"}


def test_turn_detection_is_merged_and_always_whole() -> None:
    def turns(session: dict[str, Any], patch: dict[str, Any] | None) -> dict[str, Any]:
        session = updated(session, {"type": "realtime", "audio": {"input": {"turn_detection": patch}}})
        assert_published("server", wire.session_updated(session))
        return session

    default = default_session("sess_1", "realtime", "local")
    session = turns(default, {"threshold": 0.7})
    session = turns(session, {"type": "server_vad", "idle_timeout_ms": 6000})
    assert session["audio"]["input"]["turn_detection"] == {
        **default["audio"]["input"]["turn_detection"],
        "threshold": 0.7,
        "idle_timeout_ms": 6000,
    }
    session = turns(session, {"type": "semantic_vad", "interrupt_response": False})
    assert session["audio"]["input"]["turn_detection"] == {
        "type": "semantic_vad",
        "eagerness": "auto",
        "create_response": True,
        "interrupt_response": False,
    }
    session = turns(session, None)
    assert session["audio"]["input"]["turn_detection"] is None
    with pytest.raises(Refused, match=r"turn_detection\.type"):
        turns(session, {"threshold": 0.7})


def test_null_is_a_value() -> None:
    session = patched(instructions=None, tracing=None, audio={"input": {"noise_reduction": None}})
    assert session["instructions"] is None


def test_the_old_session_stays_as_it_was() -> None:
    old = default_session("sess_1", "realtime", "local")
    new = updated(old, {"type": "realtime", "audio": {"output": {"speed": 1.5}}})
    assert (old["audio"]["output"]["speed"], new["audio"]["output"]["speed"]) == (1.0, 1.5)


def test_what_clients_send_is_taken() -> None:
    session = patched(
        model="another",
        output_modalities=["text"],
        instructions="x",
        tools=[{"type": "function", "name": "t", "parameters": {}}],
        tool_choice={"type": "function", "name": "t"},
        parallel_tool_calls=True,
        max_output_tokens=1024,
        truncation={"type": "retention_ratio", "retention_ratio": 0.8},
        tracing={"workflow_name": "x", "group_id": "y", "metadata": {"a": "b"}},
        prompt={"id": "pmpt_1", "version": None, "variables": {"city": "Paris"}},
        audio={
            "input": {"turn_detection": None, "format": {"type": "audio/pcma"}},
            "output": {"voice": "marin", "format": {"type": "audio/pcm"}},
        },
    )
    assert_published("server", wire.session_updated(session))
    assert (session["model"], session["instructions"], session["output_modalities"]) == ("another", "x", ["text"])
    assert [tool["name"] for tool in session["tools"]] == ["t"]
    assert session["tool_choice"] == {"type": "function", "name": "t"}
    assert session["max_output_tokens"] == 1024
    assert session["truncation"] == {"type": "retention_ratio", "retention_ratio": 0.8}
    assert session["tracing"] == {"workflow_name": "x", "group_id": "y", "metadata": {"a": "b"}}
    assert session["prompt"] == {"id": "pmpt_1", "version": None, "variables": {"city": "Paris"}}
    assert session["audio"]["input"]["turn_detection"] is None
    assert session["audio"]["input"]["format"] == {"type": "audio/pcma"}
    assert session["audio"]["output"]["voice"] == "marin"


@pytest.mark.parametrize(
    ("patch", "code", "param"),
    [
        ({"type": "transcription"}, "invalid_value", "session.type"),
        ({"model": 5}, "invalid_type", "session.model"),
        ({"temperature": 0.8}, "unknown_parameter", "session.temperature"),
        ({"output_modalities": ["audio", "text"]}, "invalid_value", "session.output_modalities"),
        ({"audio": {"output": {"speed": 5}}}, "invalid_value", "session.audio.output.speed"),
        ({"audio": {"output": {"speed": True}}}, "invalid_type", "session.audio.output.speed"),
        ({"audio": {"output": {"format": {"type": "opus"}}}}, "invalid_value", "session.audio.output.format.type"),
        ({"audio": {"output": {"format": {}}}}, "missing_required_parameter", "session.audio.output.format.type"),
        ({"audio": {"input": {"format": {"type": "audio/pcm", "rate": 16000}}}}, "invalid_value", None),
        ({"audio": {"input": {"turn_detection": {"type": "none"}}}}, "invalid_value", f"{TURNS}.type"),
        ({"audio": {"input": {"turn_detection": {"threshold": 1.1}}}}, "invalid_value", f"{TURNS}.threshold"),
        ({"audio": {"input": {"turn_detection": {"idle_timeout_ms": 1}}}}, "invalid_value", f"{TURNS}.idle_timeout_ms"),
        ({"audio": {"input": {"turn_detection": {"eagerness": "low"}}}}, "unknown_parameter", f"{TURNS}.eagerness"),
        ({"audio": {"input": {"turn_detection": {"prefix_padding_ms": 0.5}}}}, "invalid_type", None),
        ({"audio": {"input": {"turn_detection": {"type": "semantic_vad", "threshold": 1}}}}, "unknown_parameter", None),
        ({"audio": {"input": {"turn_detection": {"create_response": None}}}}, "invalid_type", None),
        ({"tools": [{"type": "mcp"}]}, "invalid_value", "session.tools[0].type"),
        ({"tools": [{"type": "function"}]}, "missing_required_parameter", "session.tools[0].name"),
        ({"tools": [{"name": "t", "parameters": []}]}, "invalid_type", "session.tools[0].parameters"),
        ({"instructions": 5}, "invalid_type", "session.instructions"),
        ({"instructions": "x" * 70_000}, "string_above_max_length", "session.instructions"),
        ({"max_output_tokens": 0}, "invalid_value", "session.max_output_tokens"),
        ({"tracing": 5}, "invalid_type", "session.tracing"),
        ({"tracing": "off"}, "invalid_value", "session.tracing"),
        ({"tracing": {"group_id": None}}, "invalid_type", "session.tracing.group_id"),
        ({"prompt": {"version": "1"}}, "missing_required_parameter", "session.prompt.id"),
        ({"prompt": {"id": "p", "variables": {"x": 1}}}, "invalid_type", "session.prompt.variables.x"),
        (
            {"truncation": {"type": "retention_ratio"}},
            "missing_required_parameter",
            "session.truncation.retention_ratio",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(patch: dict[str, Any], code: str, param: str | None) -> None:
    with pytest.raises(Refused) as refusal:
        patched(**patch)
    assert refusal.value.code == code
    assert param is None or refusal.value.param == param


@pytest.mark.parametrize("patch", [None, [], {}])
def test_a_session_without_type_is_refused(patch: object) -> None:
    with pytest.raises(Refused):
        updated(default_session("sess_1", "realtime", "local"), patch)


def test_metadata_is_bounded() -> None:
    assert check_response(None) == {}
    assert check_response({"metadata": None, "input": None}) == {}
    assert check_response({"metadata": {"a": "b"}}) == {"metadata": {"a": "b"}}
    wrong: list[Any] = [[], {"a": 1}, {"a": "b" * 513}, {str(number): "" for number in range(17)}]
    for metadata in wrong:
        with pytest.raises(Refused):
            check_response({"metadata": metadata})
