from typing import Any

import pytest

from voice_node.local.flat_session import in_flat_words, read_flat, write_flat
from voice_node.local.refusal import Refused
from voice_node.local.session import default_session, updated

FLAT: dict[str, Any] = {
    "modalities": ["text"],
    "instructions": "Be brief.",
    "voice": "alloy",
    "speed": 1.2,
    "input_audio_format": "g711_alaw",
    "output_audio_format": "pcm16",
    "input_audio_transcription": {"model": "whisper-1"},
    "input_audio_noise_reduction": {"type": "far_field"},
    "turn_detection": None,
    "tools": [{"type": "function", "name": "t", "parameters": {}}],
    "tool_choice": "auto",
    "max_response_output_tokens": 100,
    "tracing": None,
}


def default() -> dict[str, Any]:
    return default_session("sess_1", "realtime", "local")


def test_what_is_read_is_written_again() -> None:
    written = write_flat(updated(default(), read_flat(FLAT)))
    assert {name: written[name] for name in FLAT} == FLAT
    assert written["model"] == "local"


def test_the_places_are_those_of_ga() -> None:
    session = read_flat({"voice": "alloy", "input_audio_format": "pcm16", "max_response_output_tokens": "inf"})
    assert session == {
        "type": "realtime",
        "audio": {"output": {"voice": "alloy"}, "input": {"format": {"type": "audio/pcm", "rate": 24000}}},
        "max_output_tokens": "inf",
    }


def test_sound_with_its_transcript_is_one_modality_in_ga() -> None:
    assert read_flat({"modalities": ["audio", "text"]})["output_modalities"] == ["audio"]
    assert write_flat(default())["modalities"] == ["audio", "text"]


@pytest.mark.parametrize(
    ("flat", "param"),
    [
        ({"audio": {}}, "audio"),
        ({"temperature": 2}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"input_audio_format": "opus"}, "input_audio_format"),
        ({"output_audio_format": {}}, "output_audio_format"),
        ({"modalities": [["text"]]}, "modalities[0]"),
        ({"modalities": "text"}, "modalities"),
        ({"voice": 5}, "voice"),
        ({"speed": 9}, "speed"),
        ({"turn_detection": {"type": "never"}}, "turn_detection.type"),
        ({"turn_detection": {"type": "server_vad", "idle_timeout_ms": 6000}}, "turn_detection.idle_timeout_ms"),
        ({"tools": [{}]}, "tools[0].name"),
        ({"input_audio_transcription": {"x": 1}}, "input_audio_transcription.x"),
    ],
)
def test_errors_name_the_client_s_own_field(flat: dict[str, Any], param: str) -> None:
    def read() -> None:
        try:
            updated(default(), read_flat(flat))
        except Refused as refused:
            raise in_flat_words(refused) from None

    with pytest.raises(Refused) as refusal:
        read()
    assert refusal.value.param == param
    assert "session.audio" not in refusal.value.message


def test_azure_s_own_words_are_understood() -> None:
    session = updated(default(), read_flat({"turn_detection": {"type": "none"}}))
    assert write_flat(session)["turn_detection"] is None
    session = updated(default(), read_flat({"tool_choice": {"type": "function", "function": "t"}}))
    assert session["tool_choice"] == {"type": "function", "name": "t"}
    assert write_flat(session)["tool_choice"] == {"type": "function", "name": "t", "function": "t"}
