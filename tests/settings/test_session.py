"""The section `session`."""

from typing import Any

import pytest
from pydantic import ValidationError

from voice_node.settings.session import SemanticVad, SessionSettings


@pytest.mark.parametrize(
    "values",
    [
        {"url": "wss://me:hunter2@example.org"},
        {"url": "wss://me@example.org/v1?x=y"},
        {"url": "wss://example.org/v1?api-key=hunter2"},
        {"url": "wss://example.org/v1?x=1&access_token=hunter2"},
        {"url": "example.org"},
        {"url": "wss://example.org/a b"},
        {"output_modalities": ["audio", "audio"]},
        {"speed": 2.0},
        {"temperature": 0.5},
        {"temperature": 1.3},
        {"reasoning": {"effort": "none"}},
        {"voice": {}},
        {"noise_reduction": {"strength": 1}},
        {"noise_reduction": {"type": "far_field", "strength": -1}},
        {"transcription": {"languages": []}},
        {"transcription": {"keywords": ["a\nb"]}},
        {"turn_detection": {"type": "server_vad", "idle_timeout_ms": 4999}},
        {"turn_detection": {"type": "semantic_vad", "eagerness": "eager"}},
        {"tools": [{"type": "function", "name": "light"}]},
        {"tools": [{"type": "mcp", "server_label": "a", "server_url": "example.org"}]},
        {"tools": [{"type": "mcp", "server_label": "a", "tunnel_id": "tunnel_1"}]},
        {"prompt": {"variables": {}}},
        {"prompt": {"id": "a", "variables": {"b": 1}}},
        {"tracing": {"workflow": "home"}},
        {"include": ["logprobs"]},
        {"auth": {"url": "home"}},
        {"turn_detection": "server"},
    ],
)
def test_wrong_values(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        SessionSettings.model_validate(values)
    assert "hunter2" not in "".join(error["msg"] for error in caught.value.errors())


@pytest.mark.parametrize(
    "values",
    [
        {"url": "wss://example.org:8443/v1/realtime?deployment=a@b"},
        {"url": "http://192.168.1.2"},
        {"max_output_tokens": "inf"},
        {"transcription": None},
        {"transcription": {"language": None}},
        {"truncation": "auto"},
        {"truncation": {"type": "retention_ratio", "retention_ratio": 1, "token_limits": {"post_instructions": 0}}},
        {"tracing": {"workflow_name": "home"}},
        {"output_modalities": ["text", "audio"]},
        {"voice": {"id": "voice_1234"}},
        {"noise_reduction": "off"},
        {"noise_reduction": {"type": "far_field", "strength": 0.5}},
        {"transcription": {"languages": ["en", "de"], "keywords": ["Zigbee"], "prompt": "home", "delay": "low"}},
        {"reasoning": {"effort": "xhigh"}, "parallel_tool_calls": False, "temperature": 0.6},
        {"tools": [{"type": "mcp", "server_label": "a", "tunnel_id": "tunnel_" + "0" * 32}]},
        {"tracing": {"workflow_name": "home", "group_id": "kitchen", "metadata": {"floor": "1"}}},
        {"prompt": {"id": "pmpt_1", "version": "2", "variables": {"name": "Ada"}}},
        {"turn_detection": None},
        {"turn_detection": {"type": "server_vad", "idle_timeout_ms": 5000}},
        {"auth": {"url": "https://home.example/secret"}},
    ],
)
def test_right_values(values: dict[str, Any]) -> None:
    found = SessionSettings.model_validate(values).model_dump(mode="json", exclude_unset=True)
    assert found == values


def test_the_type_tells_the_kind_of_turn_detection() -> None:
    settings = SessionSettings.model_validate({"turn_detection": {"type": "semantic_vad", "eagerness": "low"}})
    assert settings.turn_detection == SemanticVad(type="semantic_vad", eagerness="low")
