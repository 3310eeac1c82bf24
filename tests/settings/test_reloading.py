"""What a running session cannot take over."""

from typing import Any

import pytest

from voice_node.settings.reloading import at_next_session
from voice_node.settings.session import SessionSettings

OLD = SessionSettings()


def changed(**section: Any) -> SessionSettings:
    return SessionSettings.model_validate(section)


def test_nothing_changed() -> None:
    assert at_next_session(OLD, changed()) == []


@pytest.mark.parametrize("section", [{"instructions": "x"}, {"max_output_tokens": 5}, {"turn_detection": None}])
def test_what_changes_at_once(section: dict[str, Any]) -> None:
    assert at_next_session(OLD, changed(**section)) == []


def test_what_the_api_fixes() -> None:
    new = changed(model="m", voice="ash", speed=1.5, tracing="auto")
    assert at_next_session(OLD, new) == ["session.model", "session.voice", "session.speed"]
    assert at_next_session(OLD, new, has_spoken=False, is_in_turn=False) == ["session.model"]


def test_tracing_cannot_be_changed_once_it_is_on() -> None:
    assert at_next_session(changed(tracing="auto"), changed()) == ["session.tracing"]
    assert at_next_session(changed(), changed(tracing="auto")) == []


def test_another_service_is_another_session() -> None:
    new = changed(provider="custom", url="ws://nas", dialect="beta", type="transcription", input_format="pcmu")
    assert at_next_session(OLD, new) == [
        "session.provider",
        "session.url",
        "session.dialect",
        "session.type",
        "session.input_format",
    ]
