"""The session object of both dialects, against the published schema."""

import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import settings as runs
from hypothesis import strategies as st

from tests.fakes.schema import assert_published, needs_schema
from tests.session.sessions import FIELDS, LIGHT, MCP, SERVICES, room, sections, session
from voice_node.session.setup import session_beta, session_ga
from voice_node.settings.checks import check_settings, find_idle
from voice_node.settings.session import SessionSettings
from voice_node.settings.session_limits import dialect_of, idle
from voice_node.settings.tools import Tool


def built(settings: SessionSettings, *tools: Tool) -> dict[str, Any]:
    """The session object in the room's dialect, as JSON holds it."""
    wire = session_ga if dialect_of(settings) == "ga" else session_beta
    value: dict[str, Any] = json.loads(json.dumps(wire(settings, tools)))
    return value


def ga(*tools: Tool, **section: Any) -> dict[str, Any]:
    """What OpenAI would be sent."""
    value = built(session(**{"provider": "openai"} | section), *tools)
    assert_published("client", {"type": "session.update", "session": value})
    return value


def beta(*tools: Tool, **section: Any) -> dict[str, Any]:
    """What a server of the old dialect would be sent."""
    settings = session(**{"provider": "custom", "url": "ws://nas/v1/realtime", "dialect": "beta"} | section)
    kind = "transcription_session.update" if settings.type == "transcription" else "session.update"
    value = built(settings, *tools)
    assert_published("client", {"type": kind, "session": value}, "beta")
    return value


def test_what_is_never_left_to_the_server() -> None:
    value = ga()
    assert value["type"] == "realtime"
    heard, spoken = value["audio"]["input"], value["audio"]["output"]
    assert heard["turn_detection"] is None
    assert heard["format"] == spoken["format"] == {"type": "audio/pcm", "rate": 24000}
    assert heard["transcription"] == {"model": "gpt-transcribe", "language": "en"}
    assert heard["noise_reduction"] == {"type": "far_field"}
    assert value["tools"] == []
    assert value["max_output_tokens"] == 1024
    assert value["truncation"] == {"type": "retention_ratio", "retention_ratio": 0.8}


@pytest.mark.parametrize("word", ["temperature", "modalities", "input_audio_format", "model"])
def test_nothing_of_the_beta_dialect_in_ga(word: str) -> None:
    assert word not in ga()


def test_the_beta_dialect_is_flat() -> None:
    assert beta(LIGHT, tool_choice="set_light", temperature=0.8, output_modalities=["audio", "text"], voice="ash") == {
        "modalities": ["audio", "text"],
        "instructions": SessionSettings().instructions,
        "voice": "ash",
        "speed": 1.0,
        "input_audio_format": "pcm16",
        "output_audio_format": "pcm16",
        "input_audio_transcription": {"model": "whisper-1", "language": "en"},
        "input_audio_noise_reduction": {"type": "far_field"},
        "turn_detection": None,
        "tools": [{"type": "function", **LIGHT.model_dump(include={"name", "description", "parameters"})}],
        "tool_choice": "set_light",
        "temperature": 0.8,
        "max_response_output_tokens": 1024,
    }


def test_tools_are_flat() -> None:
    value = ga(LIGHT, tool_choice="set_light")
    assert value["tools"] == [
        {
            "type": "function",
            "name": "set_light",
            "description": "Turn the light on or off.",
            "parameters": LIGHT.parameters,
        }
    ]
    assert value["tool_choice"] == {"type": "function", "name": "set_light"}


def test_mcp_servers_stand_beside_the_tools_of_the_home_with_their_tokens() -> None:
    settings = session(provider="openai", tools=[MCP, {**MCP, "server_label": "open"}])
    value = session_ga(settings, [LIGHT], {"news": "word"})
    assert_published("client", {"type": "session.update", "session": value})
    assert [tool.get("server_label", tool.get("name")) for tool in value["tools"]] == ["set_light", "news", "open"]
    assert [tool.get("authorization") for tool in value["tools"]] == [None, "word", None]
    assert value["tools"][1]["require_approval"] == "never", "nobody in the room could approve"


def test_what_is_off_is_sent_as_off() -> None:
    heard = ga(transcription=None, noise_reduction="off", turn_detection=None)["audio"]["input"]
    assert (heard["transcription"], heard["noise_reduction"], heard["turn_detection"]) == (None, None, None)
    assert "tracing" not in ga(), "once on it cannot be changed"


def test_turn_detection_is_sent_in_full() -> None:
    assert ga(turn_detection={"type": "server_vad"})["audio"]["input"]["turn_detection"] == {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 500,
        "create_response": True,
        "interrupt_response": True,
    }
    assert beta(turn_detection={"type": "semantic_vad", "eagerness": "low"})["turn_detection"]["eagerness"] == "low"


def test_a_transcription_session_only_hears() -> None:
    value = ga(LIGHT, type="transcription", include=["item.input_audio_transcription.logprobs"])
    assert set(value) == {"type", "audio", "include"}
    assert set(value["audio"]) == {"input"}
    heard = ga(type="transcription", turn_detection={"type": "server_vad"})["audio"]["input"]
    assert set(heard["turn_detection"]) == {"type", "threshold", "prefix_padding_ms", "silence_duration_ms"}
    assert beta(LIGHT, type="transcription", transcription={"model": "gpt-4o-transcribe", "language": "de"}) == {
        "input_audio_format": "pcm16",
        "input_audio_noise_reduction": {"type": "far_field"},
        "input_audio_transcription": {"model": "gpt-4o-transcribe", "language": "de"},
        "turn_detection": None,
    }


def test_a_list_of_languages_takes_the_place_of_the_language() -> None:
    def heard(**transcription: Any) -> dict[str, Any]:
        value: dict[str, Any] = ga(transcription=transcription)["audio"]["input"]["transcription"]
        return value

    assert heard(model="gpt-live-transcribe") == {"model": "gpt-live-transcribe", "languages": ["en"]}
    assert heard(languages=["de", "en"]) == {"model": "gpt-transcribe", "languages": ["de", "en"]}
    assert heard(language=None) == {"model": "gpt-transcribe"}


def test_xai_takes_voice_and_turns_at_the_top() -> None:
    value = built(session(provider="xai", voice={"id": "mine"}, turn_detection={"type": "server_vad"}), LIGHT)
    formats = {"format": {"type": "audio/pcm", "rate": 24000}}
    assert value["audio"] == {"input": formats, "output": formats}
    assert value["voice"] == "mine"
    assert set(value["turn_detection"]) == {"type", "threshold", "prefix_padding_ms", "silence_duration_ms"}
    plain = built(session(provider="xai"))
    assert "voice" not in plain, "marin is OpenAI's"
    assert plain["turn_detection"] is None


def test_speaches_is_sent_what_it_knows() -> None:
    """It rejects the whole update where turn detection is null, and a transcription without a model."""
    section = {"provider": "speaches", "url": "http://nas:8000"}
    assert built(session(**section)) == {
        "modalities": ["audio"],
        "instructions": SessionSettings().instructions,
        "turn_detection": {
            "type": "server_vad",
            "threshold": 0.5,
            "silence_duration_ms": 500,
            "create_response": True,
        },
        "tools": [],
        "tool_choice": "auto",
        "max_response_output_tokens": 1024,
    }
    value = built(session(**section, voice="af_heart", transcription={"model": "whisper", "language": "de"}))
    assert value["voice"] == "af_heart"
    assert value["input_audio_transcription"] == {"model": "whisper", "language": "de"}


def test_localai_keeps_its_own_names_where_the_room_has_none() -> None:
    value = built(session(provider="localai", url="http://nas:8080"))
    assert value["audio"]["input"]["transcription"] == {"language": "en"}
    assert "voice" not in value["audio"]["output"]


def name_of(service: dict[str, Any]) -> str:
    """For ids of tests."""
    return f"{service['provider']}-{service.get('dialect', 'auto')}"


@pytest.mark.parametrize("service", SERVICES, ids=name_of)
def test_the_defaults_are_right_for_every_service(service: dict[str, Any]) -> None:
    settings = room(service)
    assert list(check_settings(settings)) == []
    assert list(find_idle(settings)) == []


SAMPLES: dict[str, Any] = {
    "instructions": "x",
    "output_modalities": ["text"],
    "voice": "of-my-own",
    "speed": 0.5,
    "input_format": "pcmu",
    "output_format": "pcma",
    "transcription": {"model": "gpt-4o-transcribe"},
    "noise_reduction": "near_field",
    "turn_detection": {"type": "server_vad", "silence_duration_ms": 900},
    "tools": [MCP],
    "tool_choice": "required",
    "parallel_tool_calls": True,
    "reasoning": {"effort": "high"},
    "temperature": 0.7,
    "max_output_tokens": 5,
    "truncation": "disabled",
    "include": ["item.input_audio_transcription.logprobs"],
    "tracing": "auto",
    "prompt": {"id": "p"},
}


@pytest.mark.parametrize("kind", ["realtime", "transcription"])
@pytest.mark.parametrize("service", SERVICES, ids=name_of)
@pytest.mark.parametrize("name", SAMPLES)
def test_what_check_lets_pass_is_sent_and_what_it_complains_about_is_not(
    service: dict[str, Any], name: str, kind: str
) -> None:
    if service["provider"] == "xai":
        kind = "realtime"  # it has no other
    model = {"transcription": {"model": "of-my-own"}} if kind == "transcription" else {}
    plain = {**service, **model, "type": kind, "lenient": True}
    written = {**plain, name: SAMPLES[name]}
    strict = room({**written, "lenient": False})
    complaints = [problem.path for problem in check_settings(strict)]
    is_idle = name in [limit.key[0] for limit in idle(strict.session)]
    is_taken = ("session", name) not in complaints and not is_idle
    is_sent = built(session(**written)) != built(session(**plain))
    assert is_sent is is_taken


def test_the_samples_are_all_that_goes_over_the_wire() -> None:
    assert set(SAMPLES) == set(FIELDS) - {"model"}
    never_sent = {"provider", "url", "dialect", "type", "conversation", "auth", "connect", "lenient"}
    never_sent |= {"least_confidence"}
    assert set(SessionSettings.model_fields) == set(FIELDS) | never_sent


@needs_schema
@runs(deadline=None)
@given(section=sections(), tools=st.sampled_from([(), (LIGHT,)]), is_lenient=st.booleans())
def test_every_session_is_published(section: dict[str, Any], tools: tuple[Tool, ...], is_lenient: bool) -> None:
    settings = room({**section, "lenient": is_lenient})
    assume(not list(check_settings(settings)))
    value = built(settings.session, *tools)
    if settings.session.provider == "xai":
        for name in ("voice", "turn_detection"):  # its own places
            value.pop(name, None)
    if dialect_of(settings.session) == "ga":
        assert_published("client", {"type": "session.update", "session": value})
    elif settings.session.type == "realtime" or settings.session.provider == "speaches":
        assert_published("client", {"type": "session.update", "session": value}, "beta")
    else:
        if value["input_audio_transcription"]["model"] not in ("gpt-4o-transcribe", "gpt-4o-mini-transcribe"):
            value["input_audio_transcription"]["model"] = "whisper-1"  # the schema has a list; names are not checked
        assert_published("client", {"type": "transcription_session.update", "session": value}, "beta")
