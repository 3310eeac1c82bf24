"""What services do not take. The messages are held in test_load; that each has its effect, in session/test_setup."""

from typing import Any

import pytest

from voice_node.settings.session import NoiseReduction, SemanticVad, ServerVad, SessionSettings
from voice_node.settings.session_limits import (
    Dialect,
    dialect_of,
    idle,
    is_written,
    noise_reduction_of,
    not_taken,
    settled,
    turn_detection_of,
    unusable,
)

SPEACHES = {"provider": "speaches", "url": "http://nas"}
SERVER_VAD = {"type": "server_vad"}


def session(**section: Any) -> SessionSettings:
    return SessionSettings.model_validate({"provider": "openai", **section})


def refused(**section: Any) -> set[str]:
    """The written keys that are not taken."""
    settings = session(**section)
    return {".".join(limit.key) for limit in not_taken(settings) if is_written(settings, limit.key)}


@pytest.mark.parametrize(
    ("section", "dialect"),
    [
        ({}, "ga"),
        (SPEACHES, "beta"),
        ({**SPEACHES, "dialect": "beta"}, "beta"),
        ({"provider": "custom"}, "ga"),
        ({"provider": "custom", "dialect": "beta"}, "beta"),
    ],
)
def test_the_dialect_of_a_room(section: dict[str, Any], dialect: Dialect) -> None:
    assert dialect_of(session(**section)) == dialect


def test_only_what_the_file_holds_is_written() -> None:
    settings = session(transcription={"language": "en"})
    keys = [("transcription",), ("transcription", "language"), ("transcription", "model"), ("voice",), ("voice", "id")]
    assert [is_written(settings, key) for key in keys] == [True, True, False, False, False]


@pytest.mark.parametrize(
    ("model", "keys", "expected"),
    [
        ("gpt-transcribe", {"keywords": ["a"], "languages": ["en"], "prompt": "a"}, set()),
        ("gpt-transcribe", {"delay": "low"}, {"delay"}),
        ("gpt-transcribe", {"language": "en", "languages": ["en"]}, {"language"}),
        ("gpt-live-transcribe", {"keywords": ["a"], "delay": "low", "prompt": "a"}, set()),
        ("gpt-live-transcribe", {"language": "en"}, {"language"}),
        ("gpt-realtime-whisper", {"delay": "low", "language": "en"}, set()),
        ("gpt-realtime-whisper", {"prompt": "a", "keywords": ["a"]}, {"prompt", "keywords"}),
        ("whisper-1", {"languages": ["en"], "prompt": "a", "delay": "low"}, {"languages", "delay"}),
        ("gpt-4o-transcribe-diarize", {"prompt": "a"}, {"prompt"}),
        ("of-my-own", {"keywords": ["a"], "languages": ["en"], "prompt": "a", "delay": "low"}, set()),
    ],
)
def test_what_a_model_that_writes_down_takes(model: str, keys: dict[str, Any], expected: set[str]) -> None:
    assert refused(transcription={"model": model, **keys}) == {f"transcription.{name}" for name in expected}


@pytest.mark.parametrize(
    ("model", "is_taken"),
    [
        ("gpt-realtime-2.1-mini", True),
        ("gpt-realtime-2", True),
        ("gpt-realtime-9", True),
        ("of-my-own", True),
        ("gpt-realtime", False),
        ("gpt-realtime-mini-2025-12-15", False),
        ("gpt-realtime-1.5", False),
        ("gpt-4o-realtime-preview", False),
    ],
)
def test_models_that_reason(model: str, is_taken: bool) -> None:
    section = {"model": model, "reasoning": {"effort": "low"}, "parallel_tool_calls": False}
    assert refused(**section) == (set() if is_taken else {"reasoning", "parallel_tool_calls"})
    assert refused(**section, provider="azure", url="https://a") == set(), "there it is the name of a deployment"


@pytest.mark.parametrize("model", ["gpt-live-transcribe", "gpt-realtime-whisper"])
def test_models_that_stream_leave_the_turns_to_the_gate(model: str) -> None:
    section = {"transcription": {"model": model}, "turn_detection": SERVER_VAD}
    assert refused(**section) == {"turn_detection"}
    assert turn_detection_of(session(**section)) is None
    assert refused(transcription={"model": model}, turn_detection="local") == set()


def test_the_volume_of_turn_detection_has_bounds_at_xai() -> None:
    assert refused(provider="xai", turn_detection={**SERVER_VAD, "threshold": 0.05}) == {"turn_detection.threshold"}
    assert refused(provider="xai", turn_detection={**SERVER_VAD, "threshold": 0.9}) == set()


def test_what_asks_for_nothing_is_taken_everywhere() -> None:
    off: dict[str, Any] = {
        "noise_reduction": "off",
        "transcription": None,
        "turn_detection": None,
        "include": [],
        "tools": [],
    }
    off |= {"speed": 1.0, "max_output_tokens": "inf", "truncation": "auto", "tool_choice": "auto"}
    unset = dict.fromkeys(("tracing", "prompt", "reasoning", "temperature", "parallel_tool_calls"))
    for provider in ("local", "xai", "openai", "localai"):
        assert refused(provider=provider, **off, **unset) == set()


def test_the_beta_dialect_has_its_own_keys() -> None:
    section = {
        "provider": "custom",
        "dialect": "beta",
        "temperature": 1.0,
        "output_modalities": ["text", "audio"],
        "voice": {"id": "mine"},
        "reasoning": {"effort": "low"},
        "noise_reduction": {"type": "far_field", "strength": 1},
        "turn_detection": {**SERVER_VAD, "idle_timeout_ms": 5000},
        "transcription": {"keywords": ["a"], "language": "en"},
        "include": ["item.input_audio_transcription.logprobs"],
    }
    assert refused(**section) == {
        "voice",
        "reasoning",
        "noise_reduction.strength",
        "turn_detection.idle_timeout_ms",
        "transcription.keywords",
        "include",
    }
    assert "include" not in refused(**section, type="transcription")


def test_who_ends_the_turns() -> None:
    assert turn_detection_of(session()) is None
    assert turn_detection_of(session(turn_detection=None)) is None
    assert turn_detection_of(session(turn_detection={"type": "semantic_vad"})) == SemanticVad(type="semantic_vad")
    assert turn_detection_of(session(provider="local", turn_detection=SERVER_VAD)) is None
    assert turn_detection_of(session(**SPEACHES)) == ServerVad(type="server_vad")
    assert turn_detection_of(session(**SPEACHES, turn_detection={"type": "semantic_vad"})) == ServerVad(
        type="server_vad"
    )


def test_formats_that_are_not_taken_are_settled_as_pcm() -> None:
    settings = settled(session(provider="localai", url="http://nas", input_format="pcmu", output_format="pcma"))
    assert (settings.input_format, settings.output_format) == ("pcm", "pcm")
    assert settled(session(input_format="pcmu")).input_format == "pcmu"


def test_noise_reduction_in_full() -> None:
    assert noise_reduction_of(session(noise_reduction="off")) is None
    assert noise_reduction_of(session(noise_reduction=None)) is None
    assert noise_reduction_of(session()) == NoiseReduction(type="far_field")
    strong = {"type": "near_field", "strength": 0.5}
    assert noise_reduction_of(session(noise_reduction=strong)) == NoiseReduction(type="near_field", strength=0.5)


@pytest.mark.parametrize(
    ("section", "keys"),
    [
        ({}, []),
        ({"provider": "azure"}, ["url"]),
        ({"provider": "speaches"}, ["url"]),
        ({"provider": "local", "dialect": "beta"}, ["dialect"]),
        ({"dialect": "beta"}, ["dialect"]),
        ({**SPEACHES, "dialect": "ga"}, ["dialect"]),
        ({"provider": "xai", "type": "transcription"}, ["type"]),
        ({"type": "transcription", "transcription": None}, ["transcription"]),
        ({**SPEACHES, "type": "transcription"}, ["transcription.model"]),
        ({**SPEACHES, "type": "transcription", "transcription": {"model": "a"}}, []),
        ({"tools": [{"type": "mcp", "server_label": "a"}]}, ["tools.0"]),
    ],
)
def test_without_which_there_is_no_session(section: dict[str, Any], keys: list[str]) -> None:
    for is_lenient in (False, True):
        assert [".".join(limit.key) for limit in unusable(session(**section, lenient=is_lenient))] == keys


def test_what_does_nothing_while_writing_down() -> None:
    names = [limit.key[0] for limit in idle(session(type="transcription", voice="ash", prompt=None))]
    assert {"voice", "model", "instructions"} <= set(names)
    assert not {"prompt", "transcription", "input_format"} & set(names)
    assert list(idle(session(voice="ash"))) == []
    localai = session(provider="localai", url="http://nas", type="transcription", model="m")
    assert "model" not in [limit.key[0] for limit in idle(localai)], "its URL names it"
