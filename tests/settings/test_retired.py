"""Models whose end is known."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from voice_node.settings.load import load_room
from voice_node.settings.retired import RETIRED, find_retired, retired
from voice_node.settings.schema import RoomSettings

BEFORE, AFTER = date(2026, 12, 1), date(2027, 3, 1)


def said(today: date, **session: Any) -> list[str]:
    room = RoomSettings.model_validate({"room": "a", "session": {"provider": "openai"} | session})
    return [f"{'.'.join(map(str, problem.path))}: {problem.text}" for problem in find_retired(room, today)]


def test_the_defaults_have_no_end() -> None:
    assert said(BEFORE) == []


def test_before_and_after_the_day() -> None:
    assert said(BEFORE, model="gpt-realtime") == [
        "session.model: OpenAI's gpt-realtime will be shut down on 2027-01-20: use gpt-realtime-2.1"
    ]
    assert said(AFTER, model="gpt-realtime-mini-2025-12-15") == [
        "session.model: OpenAI's gpt-realtime-mini-2025-12-15 was shut down on 2027-01-20: use gpt-realtime-2.1-mini"
    ]
    assert said(BEFORE, transcription={"model": "whisper-1"}) == [
        "session.transcription.model: OpenAI's whisper-1 will be shut down on 2027-02-26: use gpt-transcribe"
    ]


@pytest.mark.parametrize("model", ["gpt-realtime-2.1", "gpt-realtime-2", "gpt-realtime-1.5", "gpt-transcribe", "mine"])
def test_others_pass(model: str) -> None:
    assert retired(model) is None


def test_what_is_used_instead_has_no_end() -> None:
    assert [entry.instead for entry in RETIRED if retired(entry.instead) is not None] == []


@pytest.mark.parametrize("provider", ["custom", "azure", "localai"])
def test_other_services_name_their_models_as_they_like(provider: str) -> None:
    section = {
        "provider": provider,
        "url": "http://nas",
        "model": "gpt-realtime",
        "transcription": {"model": "whisper-1"},
    }
    assert said(AFTER, **section) == []


def test_a_transcription_session_has_no_model_that_speaks() -> None:
    assert said(BEFORE, type="transcription", model="gpt-realtime") == []


def test_it_is_a_warning_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("room: a\nsession:\n  provider: openai\n  model: gpt-realtime-mini\n")
    (warning,) = load_room(path).warnings
    assert warning.startswith(f"{path}:4: session.model: OpenAI's gpt-realtime-mini w")
