"""What depends on another key."""

from typing import Any

import pytest

from voice_node.settings.defaults import ONLY_IF_ADDRESSED, with_dependent_defaults
from voice_node.settings.schema import RoomSettings
from voice_node.settings.session import ServerVad, SessionSettings


def session(language: str = "en", **section: Any) -> SessionSettings:
    room = RoomSettings.model_validate({"room": "a", "language": language, "session": section})
    return with_dependent_defaults(room).session


@pytest.mark.parametrize(
    ("language", "section", "expected"),
    [
        ("en", {}, "en"),
        ("pt-BR", {}, "pt"),
        ("DE", {"transcription": {"model": "whisper-1"}}, "de"),
        ("de", {"transcription": {"language": "fr"}}, "fr"),
        ("de", {"transcription": {"language": None}}, None),
    ],
)
def test_what_is_spoken_is_the_language_of_the_room(
    language: str, section: dict[str, Any], expected: str | None
) -> None:
    heard = session(language, **section).transcription
    assert heard is not None
    assert heard.language == expected


def test_nothing_is_written_down_where_the_room_says_so() -> None:
    assert session("de", transcription=None).transcription is None


def test_a_model_of_the_provider() -> None:
    assert session(provider="xai").model == "grok-voice-latest"
    assert session(provider="xai", model="gpt-realtime-2.1-mini").model == "gpt-realtime-2.1-mini"
    assert session(provider="openai").model == "gpt-realtime-2.1-mini"


def test_what_the_service_does_instead_is_in_the_settings() -> None:
    assert session(provider="speaches", url="http://nas").turn_detection == ServerVad(type="server_vad")
    assert session(provider="localai", url="http://nas", input_format="pcmu", lenient=True).input_format == "pcm"


@pytest.mark.parametrize(("mode", "is_told"), [("voice", True), ("push_to_talk", False)])
def test_a_room_that_hears_everything_answers_only_what_is_meant_for_it(mode: str, is_told: bool) -> None:
    activation = {"mode": mode, "only_if_addressed": True}
    room = RoomSettings.model_validate(
        {"room": "a", "activation": activation, "session": {"instructions": "Be short."}}
    )
    told = with_dependent_defaults(room).session.instructions
    assert told == (f"Be short.\n{ONLY_IF_ADDRESSED}" if is_told else "Be short.")
