"""The session object, against the published schema."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.schema import check_event, needs_schema
from voice_node.session import events as ev
from voice_node.session.setup import session_ga
from voice_node.session.wire_ga import encode
from voice_node.settings.session import SessionSettings
from voice_node.settings.tools import Tool

LIGHT = Tool(
    name="set_light",
    description="Turn the light on or off.",
    parameters={"type": "object", "properties": {"on": {"type": "boolean"}}, "required": ["on"]},
)


def check(settings: SessionSettings, *tools: Tool) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(encode(ev.UpdateSession("e1", session_ga(settings, tools))))
    check_event("client", event)
    session: dict[str, Any] = event["session"]
    return session


def test_what_is_never_left_to_the_server() -> None:
    session = check(SessionSettings())
    assert session["type"] == "realtime"
    heard, spoken = session["audio"]["input"], session["audio"]["output"]
    assert heard["turn_detection"] is None
    assert heard["format"] == spoken["format"] == {"type": "audio/pcm", "rate": 24000}
    assert heard["transcription"] == {"model": "gpt-transcribe", "language": "en"}
    assert heard["noise_reduction"] == {"type": "far_field"}
    assert session["tools"] == []
    assert session["max_output_tokens"] == 1024
    assert session["truncation"] == {"type": "retention_ratio", "retention_ratio": 0.8}


@pytest.mark.parametrize("word", ["temperature", "modalities", "input_audio_format", "model"])
def test_nothing_of_the_beta_dialect(word: str) -> None:
    assert word not in check(SessionSettings())


def test_tools_are_flat() -> None:
    (tool,) = check(SessionSettings(tool_choice="set_light"), LIGHT)["tools"]
    assert tool == {
        "type": "function",
        "name": "set_light",
        "description": "Turn the light on or off.",
        "parameters": LIGHT.parameters,
    }
    assert check(SessionSettings(tool_choice="set_light"), LIGHT)["tool_choice"] == {
        "type": "function",
        "name": "set_light",
    }


def test_what_is_off_is_sent_as_off() -> None:
    session = check(SessionSettings(transcription=None, noise_reduction=None))
    assert session["audio"]["input"]["transcription"] is None
    assert session["audio"]["input"]["noise_reduction"] is None
    assert "tracing" not in session, "once on it cannot be changed"


@needs_schema
@given(
    values=st.fixed_dictionaries(
        {},
        optional={
            "instructions": st.text(max_size=50),
            "output_modalities": st.sampled_from([["audio"], ["text"]]),
            "voice": st.text("abc-", min_size=1, max_size=20),
            "speed": st.floats(0.25, 1.5),
            "transcription": st.sampled_from([None, {"model": "whisper-1"}, {"model": "m", "language": None}]),
            "noise_reduction": st.sampled_from([None, "near_field", "far_field"]),
            "input_format": st.sampled_from(["pcm", "pcmu", "pcma"]),
            "max_output_tokens": st.integers(1, 4096) | st.just("inf"),
            "tool_choice": st.sampled_from(["auto", "none", "required", "set_light"]),
            "truncation": st.sampled_from(
                [
                    "auto",
                    "disabled",
                    {"type": "retention_ratio", "retention_ratio": 0.5, "token_limits": {"post_instructions": 8000}},
                ]
            ),
            "tracing": st.sampled_from([None, "auto", {"workflow_name": "kitchen"}]),
            "include": st.sampled_from([[], ["item.input_audio_transcription.logprobs"]]),
        },
    ),
    tools=st.sampled_from([(), (LIGHT,)]),
)
def test_every_setting_is_published(values: dict[str, Any], tools: tuple[Tool, ...]) -> None:
    check(SessionSettings(**values), *tools)
