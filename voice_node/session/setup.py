"""Room settings -> the session object of either dialect.

A dialect is a table: which field stands where. A field that the service does not take is left out (see
`settings/session_limits`); everything else that has a default on the server is sent in full: servers' defaults differ
from their documents (silence of 200 instead of 500 ms was seen), and without `turn_detection: null` the server answers
by itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from voice_node.settings.session import SessionSettings
from voice_node.settings.session_limits import (
    Dialect,
    is_written,
    noise_reduction_of,
    not_taken,
    settled,
    turn_detection_of,
)
from voice_node.settings.tools import Tool

SESSION_RATE_HZ = 24000
"""The only rate of PCM that the Realtime API takes."""

Place = tuple[str, ...]
"""Where a field stands in the session object."""

_HEARD: Mapping[str, Place] = {
    "input_format": ("audio", "input", "format"),
    "noise_reduction": ("audio", "input", "noise_reduction"),
    "transcription": ("audio", "input", "transcription"),
    "turn_detection": ("audio", "input", "turn_detection"),
    "include": ("include",),
}
_GA: Mapping[str, Place] = {
    **_HEARD,
    "instructions": ("instructions",),
    "output_modalities": ("output_modalities",),
    "voice": ("audio", "output", "voice"),
    "speed": ("audio", "output", "speed"),
    "output_format": ("audio", "output", "format"),
    "tools": ("tools",),
    "tool_choice": ("tool_choice",),
    "parallel_tool_calls": ("parallel_tool_calls",),
    "reasoning": ("reasoning",),
    "max_output_tokens": ("max_output_tokens",),
    "truncation": ("truncation",),
    "tracing": ("tracing",),
    "prompt": ("prompt",),
}
_XAI = {
    **{name: _GA[name] for name in ("input_format", "output_format", "instructions", "output_modalities", "tools")},
    "voice": ("voice",),
    "turn_detection": ("turn_detection",),
}
"""What its reference names, and the modalities."""

_BETA_HEARD: Mapping[str, Place] = {
    "input_format": ("input_audio_format",),
    "noise_reduction": ("input_audio_noise_reduction",),
    "transcription": ("input_audio_transcription",),
    "turn_detection": ("turn_detection",),
    "include": ("include",),
}
_BETA: Mapping[str, Place] = {
    **_BETA_HEARD,
    "instructions": ("instructions",),
    "output_modalities": ("modalities",),
    "voice": ("voice",),
    "speed": ("speed",),
    "output_format": ("output_audio_format",),
    "tools": ("tools",),
    "tool_choice": ("tool_choice",),
    "temperature": ("temperature",),
    "max_output_tokens": ("max_response_output_tokens",),
    "tracing": ("tracing",),
}
_NOT_AT_SPEACHES = ("input_format", "output_format", "noise_reduction", "speed", "tracing", "include")
"""It ignores them, or answers the very word with an error."""

_GA_FORMATS: Mapping[str, object] = {
    "pcm": {"type": "audio/pcm", "rate": SESSION_RATE_HZ},
    "pcmu": {"type": "audio/pcmu"},
    "pcma": {"type": "audio/pcma"},
}
_BETA_FORMATS: Mapping[str, object] = {"pcm": "pcm16", "pcmu": "g711_ulaw", "pcma": "g711_alaw"}
_BETA_TRANSCRIBER = "whisper-1"
"""The model that servers of the beta dialect know, where the room names none."""
_OF_ANSWERS = ("create_response", "interrupt_response", "idle_timeout_ms")
"""What turn detection leads to, in sessions that answer."""


def session_ga(
    settings: SessionSettings, tools: Sequence[Tool], authorizations: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The `session` of a GA `session.update`; `authorizations` are tokens of MCP servers by `server_label`."""
    values = _values(settings, tools, "ga", _GA_FORMATS)
    values["tools"] += _servers(settings, authorizations or {})
    if settings.tool_choice not in ("auto", "none", "required") and "tool_choice" in values:
        values["tool_choice"] = {"type": "function", "name": settings.tool_choice}
    table = _XAI if settings.provider == "xai" else _GA
    if settings.type == "transcription":
        table = _HEARD
    return {"type": settings.type} | _placed(values, table)


def session_beta(settings: SessionSettings, tools: Sequence[Tool]) -> dict[str, Any]:
    """The `session` of a beta `session.update`; for type transcription that of a `transcription_session.update`.

    speaches takes a `session.update` for both: see `Capabilities.takes_transcription_session_update`.
    """
    values = _values(settings, tools, "beta", _BETA_FORMATS)
    if values.get("noise_reduction", "") is None:  # the published beta session has no null there
        del values["noise_reduction"]
    table = _BETA_HEARD if settings.type == "transcription" else _BETA
    if settings.provider == "speaches":
        table = {name: place for name, place in table.items() if name not in _NOT_AT_SPEACHES}
    return _placed(values, table)


def _values(
    settings: SessionSettings, tools: Iterable[Tool], dialect: Dialect, formats: Mapping[str, object]
) -> dict[str, Any]:
    """What is sent, by the names of the room file. None is sent, as null; what is left out is not there."""
    settings = settled(settings, dialect)
    noise_reduction, turns = noise_reduction_of(settings), turn_detection_of(settings, dialect)
    values = settings.model_dump(exclude_none=True)
    values |= {
        "input_format": formats[settings.input_format],
        "output_format": formats[settings.output_format],
        "transcription": values.get("transcription"),
        "noise_reduction": noise_reduction and noise_reduction.model_dump(exclude_none=True),
        "turn_detection": turns and turns.model_dump(exclude_none=True),
        "tools": [_function(tool) for tool in tools],
    }
    if not isinstance(settings.voice, str) and settings.provider == "xai":
        values["voice"] = settings.voice.id
    if not settings.include:
        del values["include"]
    if values["transcription"] and dialect == "beta" and not is_written(settings, ("transcription", "model")):
        values["transcription"]["model"] = _BETA_TRANSCRIBER
    for limit in not_taken(settings, dialect):
        match limit.key:
            case ("tools",):
                pass  # those of the home stay: see `_servers`
            case ("transcription", "language") if "transcription" in values:  # a list takes its place
                values["transcription"].setdefault("languages", [values["transcription"].pop("language")])
            case key:
                _delete(values, key)
    if settings.type == "transcription":
        for name in _OF_ANSWERS:
            _delete(values, ("turn_detection", name))
    return values


def _servers(settings: SessionSettings, authorizations: Mapping[str, str]) -> list[dict[str, Any]]:
    if any(limit.key == ("tools",) for limit in not_taken(settings, "ga")):
        return []
    servers = [tool.model_dump(exclude_none=True) for tool in settings.tools]
    for server in servers:
        if server["server_label"] in authorizations:
            server["authorization"] = authorizations[server["server_label"]]
    return servers


def _function(tool: Tool) -> dict[str, Any]:
    return {"type": "function", "name": tool.name, "description": tool.description, "parameters": tool.parameters}


def _delete(values: dict[str, Any], key: tuple[str, ...]) -> None:
    holder: Any = values
    for part in key[:-1]:
        holder = holder.get(part)
    if isinstance(holder, dict):
        holder.pop(key[-1], None)


def _placed(values: Mapping[str, Any], table: Mapping[str, Place]) -> dict[str, Any]:
    session: dict[str, Any] = {}
    for name, place in table.items():
        if name in values:
            holder = session
            for part in place[:-1]:
                holder = holder.setdefault(part, {})
            holder[place[-1]] = values[name]
    return session
