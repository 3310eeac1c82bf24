"""Which dialect a service speaks, and how its settings differ from what was wanted."""

from typing import Any

import pytest

from tests.session.room import Room
from voice_node.model.turn import LinkChanged
from voice_node.session import events as ev
from voice_node.session.protocol import differences

GA = {"type": "realtime", "audio": {"input": {}}, "output_modalities": ["audio"]}
BETA = {"modalities": ["audio", "text"], "input_audio_format": "pcm16"}


@pytest.mark.parametrize(
    ("session", "dialect"),
    [
        (GA, "ga"),
        (BETA, "beta"),
        ({}, "ga"),
        ({"type": "transcription", "object": "realtime.transcription_session"}, "ga"),
        ({"object": "realtime.transcription_session", "input_audio_transcription": None}, "beta"),
        ({"type": "realtime", "modalities": ["audio"]}, "ga"),
        ({"type": "realtime", "audio": None, "tools": None, "instructions": None, "expires_at": None}, "ga"),
        (dict.fromkeys(("type", "audio", "tools", "instructions", "output_modalities")), "ga"),
        (dict.fromkeys(("modalities", "input_audio_format", "turn_detection")), "beta"),
        ({"type": 5, "audio": []}, "ga"),
    ],
)
def test_the_first_event_shows_the_dialect(session: dict[str, Any], dialect: str) -> None:
    room = Room().up(session=session)
    assert room.protocol.dialect == dialect
    (update,) = room.all(ev.UpdateSession)
    assert ("modalities" in update.session) == (dialect == "beta")
    assert room.all(LinkChanged)[-1].dialect == dialect


@pytest.mark.parametrize(
    ("values", "session", "dialect"),
    [
        ({"dialect": "beta"}, GA, "beta"),
        ({"dialect": "ga"}, BETA, "ga"),
        ({"provider": "xai"}, BETA | {"voice": "eve"}, "ga"),
        ({"provider": "xai"}, {"voice": "eve", "turn_detection": None, "audio": {}}, "ga"),
        ({"provider": "openai"}, BETA, "ga"),
        ({"provider": "speaches"}, GA, "beta"),
    ],
)
def test_a_dialect_that_is_known_is_not_guessed(values: dict[str, Any], session: dict[str, Any], dialect: str) -> None:
    assert Room(**values).up(session=session).protocol.dialect == dialect


def test_the_dialect_may_be_another_on_the_next_connection() -> None:
    room = Room().up(session=BETA)
    room.down()
    assert room.up(session=GA).protocol.dialect == "ga"


# --- the settings in force ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "given", "found"),
    [
        ({"a": 1}, {}, []),
        ({"a": 1}, {"a": 1.0}, []),
        ({"a": 0.8}, {"a": 0.8000000001}, []),
        ({"a": 0.5}, {"a": 0.6}, ["a"]),
        ({"a": True}, {"a": False}, ["a"]),
        ({"a": 1024}, {"a": "inf"}, ["a"]),
        ({"a": "inf"}, {"a": "inf"}, []),
        ({"voice": "marin"}, {"voice": "alloy"}, ["voice"]),
        ({"instructions": "x" * 100}, {"instructions": "y"}, []),
        ({"a": {"b": {"c": 1}}}, {"a": {"b": {"c": 2}}}, ["a.b.c"]),
        ({"a": {"b": 1}}, {"a": None}, []),
        ({"turn_detection": None}, {"turn_detection": {"type": "server_vad"}}, ["turn_detection"]),
        ({"transcription": {"model": "m"}}, {"transcription": None}, ["transcription"]),
        ({"input_audio_transcription": {}}, {"input_audio_transcription": None}, ["input_audio_transcription"]),
        ({"transcription": None}, {"transcription": None}, []),
        ({"tools": [1]}, {"tools": [2]}, []),
        ({"tool_choice": {"type": "function"}}, {"tool_choice": "auto"}, []),
    ],
)
def test_differences(wanted: dict[str, Any], given: dict[str, Any], found: list[str]) -> None:
    assert differences(wanted, given) == found
