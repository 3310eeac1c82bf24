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
        {"output_modalities": ["audio", "text"]},
        {"speed": 2.0},
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
        {"turn_detection": None},
        {"turn_detection": {"type": "server_vad", "idle_timeout_ms": 5000}},
        {"auth": {"url": "https://home.example/secret"}},
    ],
)
def test_right_values(values: dict[str, Any]) -> None:
    SessionSettings.model_validate(values)


def test_the_type_tells_the_kind_of_turn_detection() -> None:
    settings = SessionSettings.model_validate({"turn_detection": {"type": "semantic_vad", "eagerness": "low"}})
    assert settings.turn_detection == SemanticVad(type="semantic_vad", eagerness="low")
