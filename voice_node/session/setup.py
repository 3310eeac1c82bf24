"""Room settings -> the session object of the GA dialect.

Everything that has a default on the server is sent in full: servers' defaults differ from their documents (silence
of 200 instead of 500 ms was seen), and without `turn_detection: null` the server answers by itself.
"""

from collections.abc import Sequence
from typing import Any, assert_never

from voice_node.settings.session import RetentionRatio, SessionSettings
from voice_node.settings.tools import Tool

SESSION_RATE_HZ = 24000
"""The only rate of PCM that the Realtime API takes."""

_FORMATS: dict[str, dict[str, Any]] = {
    "pcm": {"type": "audio/pcm", "rate": SESSION_RATE_HZ},
    "pcmu": {"type": "audio/pcmu"},
    "pcma": {"type": "audio/pcma"},
}


def session_ga(settings: SessionSettings, tools: Sequence[Tool]) -> dict[str, Any]:
    """The `session` of a GA `session.update`."""
    session: dict[str, Any] = {
        "type": "realtime",
        "output_modalities": list(settings.output_modalities),
        "instructions": settings.instructions,
        "audio": {"input": _audio_input(settings), "output": _audio_output(settings)},
        "tools": [_function(tool) for tool in tools],
        "tool_choice": _tool_choice(settings.tool_choice),
        "max_output_tokens": settings.max_output_tokens,
        "truncation": _truncation(settings),
    }
    if settings.tracing is not None:  # once on it cannot be changed, so it is never sent as off
        session["tracing"] = settings.tracing
    if settings.include:
        session["include"] = list(settings.include)
    return session


def _audio_input(settings: SessionSettings) -> dict[str, Any]:
    audio: dict[str, Any] = {
        "format": _FORMATS[settings.input_format],
        "noise_reduction": None if settings.noise_reduction is None else {"type": settings.noise_reduction},
        "transcription": None,
        "turn_detection": None,  # the gate ends the turns
    }
    if settings.transcription is not None:
        audio["transcription"] = settings.transcription.model_dump(exclude_none=True)
    return audio


def _audio_output(settings: SessionSettings) -> dict[str, Any]:
    return {"format": _FORMATS["pcm"], "voice": settings.voice, "speed": settings.speed}


def _function(tool: Tool) -> dict[str, Any]:
    return {"type": "function", "name": tool.name, "description": tool.description, "parameters": tool.parameters}


def _tool_choice(choice: str) -> str | dict[str, str]:
    return choice if choice in ("auto", "none", "required") else {"type": "function", "name": choice}


def _truncation(settings: SessionSettings) -> str | dict[str, Any]:
    match settings.truncation:
        case RetentionRatio() as ratio:
            return ratio.model_dump(exclude_none=True)
        case "auto" | "disabled" as word:
            return word
        case _:
            assert_never(settings.truncation)
