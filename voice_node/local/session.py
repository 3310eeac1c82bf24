"""The session's configuration: defaults, and what `session.update` may change.

Only fields that are present change; objects are merged deeply, null is a value, lists are replaced. What a session says
of itself is always whole: a `turn_detection` of which a client gave a part has defaults for the rest. There is one
model here, whatever a client calls it: unlike OpenAI's, a session takes another name for it at any time, since clients
name one in `session.update` that is not the one of their URL.
"""

import copy
from collections.abc import Mapping
from typing import Any, Literal

from voice_node.local.checks import (
    anything,
    boolean,
    fields,
    list_of,
    missing,
    number,
    one_of,
    or_null,
    text,
    texts_by_name,
    whole,
)
from voice_node.local.refusal import Refused

SessionType = Literal["realtime", "transcription"]

_WHOLE = frozenset({"format", "tracing", "tool_choice", "truncation", "prompt"})
"""Objects that are one choice: they are replaced, not merged."""
_VOICE = "alloy"
"""There is one voice here. Clients of the beta take no other name for it than one of OpenAI's first eight."""
_TURNS: dict[str, dict[str, Any]] = {
    "server_vad": {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 500,
        "idle_timeout_ms": None,
        "create_response": True,
        "interrupt_response": True,
    },
    "semantic_vad": {
        "type": "semantic_vad",
        "eagerness": "auto",
        "create_response": True,
        "interrupt_response": True,
    },
}
"""`turn_detection` by its type, as it is where nothing is said."""


def default_session(session_id: str, kind: SessionType, model: str) -> dict[str, Any]:
    """What `session.created` says."""
    sound = {"type": "audio/pcm", "rate": 24000}
    turns = dict(_TURNS["server_vad"])
    heard = {"format": sound, "transcription": None, "noise_reduction": None, "turn_detection": turns}
    if kind == "transcription":
        return {
            "type": "transcription",
            "object": "realtime.transcription_session",
            "id": session_id,
            "audio": {"input": heard},
            "include": None,
        }
    return {
        "type": "realtime",
        "object": "realtime.session",
        "id": session_id,
        "model": model,
        "output_modalities": ["audio"],
        "instructions": "",
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "tracing": None,
        "truncation": "auto",
        "prompt": None,
        "include": None,
        "audio": {"input": heard, "output": {"format": dict(sound), "voice": _VOICE, "speed": 1.0}},
    }


def begun(session: Mapping[str, Any], session_id: str, expires_at: int) -> dict[str, Any]:
    """This configuration as a running session; `expires_at` is in epoch seconds."""
    return {**session, "id": session_id, "expires_at": expires_at}


def updated(session: Mapping[str, Any], patch: object) -> dict[str, Any]:
    """The session after `session.update`. Raises Refused, and then nothing has changed."""
    if patch is None:
        raise missing("session")
    if not isinstance(patch, dict):
        raise Refused("invalid_type", "Expected an object for 'session'.", "session")
    if "type" not in patch:
        raise missing("session.type")
    if patch["type"] != session["type"]:
        raise Refused("invalid_value", f"This session is of type '{session['type']}'.", "session.type")
    (_check_realtime if session["type"] == "realtime" else _check_transcription)(patch, "session")
    result = _merged(session, patch)
    before, after = session["audio"]["input"]["turn_detection"], result["audio"]["input"]["turn_detection"]
    if after is not None:
        result["audio"]["input"]["turn_detection"] = _whole_turns(before, after, patch)
    return result


def check_response(config: Any) -> dict[str, Any]:
    """The `response` of `response.create`, checked; null is as if it were not there. Raises Refused."""
    if config is None:
        return {}
    _check_response(config, "response")
    return {key: value for key, value in config.items() if value is not None}


def _merged(old: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(old)
    for key, value in patch.items():
        before = result.get(key)
        if isinstance(value, dict) and isinstance(before, dict) and key not in _WHOLE:
            result[key] = _merged(before, value)
        else:
            result[key] = copy.deepcopy(value)
    return result


def _whole_turns(before: Mapping[str, Any] | None, after: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """Turn detection with defaults for what was not said; of another type, nothing is left of the one before."""
    place = "session.audio.input.turn_detection"
    kind = after.get("type")
    if kind is None:
        raise missing(f"{place}.type")
    if before is not None and before["type"] != kind:
        after = patch["audio"]["input"]["turn_detection"]
    for name in after:
        if name not in _TURNS[kind]:
            raise Refused("unknown_parameter", f"'{place}.{name}' is not for {kind}.", f"{place}.{name}")
    return {**_TURNS[kind], **after}


def _format(value: Any, place: str) -> None:
    kind = value.get("type") if isinstance(value, dict) else None
    if kind in ("audio/pcmu", "audio/pcma"):
        fields({"type": anything})(value, place)
    else:
        _check_pcm(value, place)


def _tool(value: Any, place: str) -> None:
    if isinstance(value, dict) and value.get("type", "function") != "function":
        raise Refused("invalid_value", "Only tools of type 'function' are supported by this server.", f"{place}.type")
    _check_tool(value, place)
    if not value.get("name"):
        raise missing(f"{place}.name")


def _parameters(value: Any, place: str) -> None:
    if not isinstance(value, dict):
        raise Refused("invalid_type", f"Expected an object for '{place}'.", place)


def _tool_choice(value: Any, place: str) -> None:
    if isinstance(value, str):
        one_of("auto", "none", "required")(value, place)
    else:
        fields({"type": one_of("function"), "name": text(64)}, "type", "name")(value, place)


def _truncation(value: Any, place: str) -> None:
    if isinstance(value, str):
        one_of("auto", "disabled")(value, place)
    else:
        limits = fields({"post_instructions": number(0, 2**31)})
        ratio = {"type": one_of("retention_ratio"), "retention_ratio": number(0, 1), "token_limits": or_null(limits)}
        fields(ratio, "type", "retention_ratio")(value, place)


def _tracing(value: Any, place: str) -> None:
    if isinstance(value, str):
        one_of("auto")(value, place)
    else:
        _check_tracing(value, place)


def _most_tokens(value: Any, place: str) -> None:
    if value != "inf":
        whole(1, 4096)(value, place)


def _voice(value: Any, place: str) -> None:
    if isinstance(value, dict):
        fields({"id": text(128)}, "id")(value, place)
    else:
        text(128)(value, place)


_check_pcm = fields({"type": one_of("audio/pcm", "audio/pcmu", "audio/pcma"), "rate": or_null(one_of(24000))}, "type")
_check_tool = fields(
    {"type": anything, "name": text(64), "description": or_null(text(8192)), "parameters": or_null(_parameters)}
)
_check_tracing = fields({"workflow_name": text(256), "group_id": text(256), "metadata": _parameters})
_prompt = fields(
    {"id": text(256), "version": or_null(text(256)), "variables": or_null(texts_by_name(64, 64, 4096))}, "id"
)
_words = list_of(text(512), 1000)
_modalities = list_of(one_of("audio", "text"), 1, least=1)
_tools = list_of(_tool, 128)
_reasoning = fields({"effort": or_null(text(16))})
_transcription = fields(
    {
        "model": text(128),
        "language": or_null(text(35)),
        "languages": or_null(_words),
        "prompt": or_null(text(8192)),
        "keywords": or_null(_words),
        "delay": or_null(text(16)),
    }
)
_turn_detection = fields(
    {
        "type": one_of(*_TURNS),
        "threshold": number(0, 1),
        "prefix_padding_ms": whole(0, 10_000),
        "silence_duration_ms": whole(0, 10_000),
        "idle_timeout_ms": or_null(whole(5000, 30_000)),
        "create_response": boolean,
        "interrupt_response": boolean,
        "eagerness": one_of("low", "medium", "high", "auto"),
    }
)
_noise_reduction = fields({"type": one_of("near_field", "far_field"), "strength": or_null(number(0, 100))})
_input = fields(
    {
        "format": _format,
        "transcription": or_null(_transcription),
        "noise_reduction": or_null(_noise_reduction),
        "turn_detection": or_null(_turn_detection),
    }
)
_output = fields({"format": _format, "voice": or_null(_voice), "speed": number(0.25, 1.5)})
_include = or_null(list_of(one_of("item.input_audio_transcription.logprobs"), 1))
_check_realtime = fields(
    {
        "type": anything,
        "model": text(128),
        "output_modalities": _modalities,
        "instructions": or_null(text(65536)),
        "tools": _tools,
        "tool_choice": _tool_choice,
        "parallel_tool_calls": or_null(boolean),
        "max_output_tokens": _most_tokens,
        "reasoning": or_null(_reasoning),
        "tracing": or_null(_tracing),
        "truncation": _truncation,
        "prompt": or_null(_prompt),
        "include": _include,
        "audio": fields({"input": _input, "output": _output}),
    }
)
_check_transcription = fields({"type": anything, "audio": fields({"input": _input}), "include": _include})
_check_response = fields(
    {
        "conversation": or_null(one_of("auto", "none")),
        "input": or_null(list_of(anything, 200)),
        "instructions": or_null(text(65536)),
        "output_modalities": or_null(_modalities),
        "audio": or_null(fields({"output": fields({"format": _format, "voice": or_null(_voice)})})),
        "tools": or_null(_tools),
        "tool_choice": or_null(_tool_choice),
        "parallel_tool_calls": or_null(boolean),
        "max_output_tokens": or_null(_most_tokens),
        "reasoning": or_null(_reasoning),
        "metadata": or_null(texts_by_name(16, 64, 512)),
        "prompt": or_null(_prompt),
    }
)
