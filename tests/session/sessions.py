"""Sections `session` of all kinds, for tests that build what goes over the wire."""

from typing import Any

from hypothesis import strategies as st

from voice_node.settings.schema import RoomSettings
from voice_node.settings.session import SessionSettings
from voice_node.settings.tools import Tool

LIGHT = Tool(
    name="set_light",
    description="Turn the light on or off.",
    parameters={"type": "object", "properties": {"on": {"type": "boolean"}}, "required": ["on"]},
)
MCP = {"type": "mcp", "server_label": "news", "server_url": "https://example.org/mcp"}
SERVICES: tuple[dict[str, Any], ...] = (
    {"provider": "local"},
    {"provider": "openai"},
    {"provider": "azure", "url": "https://home.openai.azure.com"},
    {"provider": "azure", "url": "https://home.openai.azure.com", "dialect": "beta"},
    {"provider": "xai"},
    {"provider": "localai", "url": "http://nas:8080"},
    {"provider": "speaches", "url": "http://nas:8000"},
    {"provider": "custom", "url": "ws://nas/v1/realtime"},
    {"provider": "custom", "url": "ws://nas/v1/realtime", "dialect": "beta"},
)
"""Every provider with each dialect that it may speak."""

_EFFORT = st.sampled_from(["minimal", "low", "medium", "high", "xhigh"])
_NAMES = st.text("abc-", min_size=1, max_size=12)


def _some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


_TRANSCRIPTION = _some(
    model=st.sampled_from(["gpt-transcribe", "gpt-live-transcribe", "gpt-realtime-whisper", "whisper-1", "of-my-own"]),
    language=st.sampled_from([None, "en", "de"]),
    languages=st.sampled_from([None, ["en"], ["en", "de"]]),
    prompt=st.none() | _NAMES,
    keywords=st.none() | st.lists(_NAMES, min_size=1, max_size=3),
    delay=st.none() | _EFFORT,
)
_TURNS = st.sampled_from([None, "local"]) | (
    _some(
        threshold=st.floats(0, 1),
        prefix_padding_ms=st.integers(0, 5000),
        silence_duration_ms=st.integers(100, 10000),
        idle_timeout_ms=st.none() | st.integers(5000, 30000),
        create_response=st.booleans(),
        interrupt_response=st.booleans(),
    ).map(lambda fields: {"type": "server_vad", **fields})
    | _some(
        eagerness=st.sampled_from(["low", "medium", "high", "auto"]),
        create_response=st.booleans(),
        interrupt_response=st.booleans(),
    ).map(lambda fields: {"type": "semantic_vad", **fields})
)
_FILTER = _some(tool_names=st.lists(_NAMES, max_size=2), read_only=st.booleans())
_MCP = _some(
    server_description=_NAMES,
    headers=st.just({"X-Home": "a"}),
    allowed_tools=st.lists(_NAMES, max_size=2) | _FILTER,
    require_approval=st.sampled_from(["always", "never"]) | _some(always=_FILTER, never=_FILTER),
    defer_loading=st.booleans(),
    allowed_callers=st.sampled_from([["direct"], ["direct", "programmatic"]]),
).map(lambda fields: {**MCP, **fields})

FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "model": st.sampled_from(["gpt-realtime-2.1", "gpt-realtime", "of-my-own"]),
    "instructions": st.text(max_size=50),
    "output_modalities": st.sampled_from([["audio"], ["text"], ["audio", "text"], ["text", "audio"]]),
    "voice": _NAMES | st.just({"id": "voice_1234"}),
    "speed": st.floats(0.25, 1.5),
    "input_format": st.sampled_from(["pcm", "pcmu", "pcma"]),
    "output_format": st.sampled_from(["pcm", "pcmu", "pcma"]),
    "transcription": st.none() | _TRANSCRIPTION,
    "noise_reduction": st.sampled_from([None, "off", "near_field", "far_field", {"type": "far_field"}])
    | st.floats(0, 2).map(lambda strength: {"type": "near_field", "strength": strength}),
    "turn_detection": _TURNS,
    "tools": st.lists(_MCP, max_size=2),
    "tool_choice": st.sampled_from(["auto", "none", "required", "set_light"]),
    "parallel_tool_calls": st.none() | st.booleans(),
    "reasoning": st.none() | _EFFORT.map(lambda effort: {"effort": effort}),
    "temperature": st.none() | st.floats(0.6, 1.2),
    "max_output_tokens": st.integers(1, 4096) | st.just("inf"),
    "truncation": st.sampled_from(
        [
            "auto",
            "disabled",
            {"type": "retention_ratio", "retention_ratio": 0.5},
            {"type": "retention_ratio", "retention_ratio": 1, "token_limits": {"post_instructions": 8000}},
        ]
    ),
    "include": st.sampled_from([[], ["item.input_audio_transcription.logprobs"]]),
    "tracing": st.sampled_from([None, "auto", {}, {"workflow_name": "home", "metadata": {"floor": "1"}}]),
    "prompt": st.sampled_from([None, {"id": "p"}, {"id": "p", "version": "2", "variables": {"name": "Ada"}}]),
}
"""Every field that goes over the wire, with right values."""


def sections() -> st.SearchStrategy[dict[str, Any]]:
    """Sections `session` of every service and kind, as a room file writes them; not all can be used."""
    service = st.sampled_from(SERVICES)
    kind = st.sampled_from(["realtime", "transcription"])
    return st.tuples(service, kind, _some(**FIELDS)).map(lambda drawn: {**drawn[0], "type": drawn[1], **drawn[2]})


def room(section: dict[str, Any]) -> RoomSettings:
    """A room with this section, and one tool."""
    return RoomSettings.model_validate({"room": "a", "session": section, "tools": [LIGHT.model_dump()]})


def session(**section: Any) -> SessionSettings:
    """The section as settings."""
    return SessionSettings.model_validate(section)
