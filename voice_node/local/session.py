"""The session's configuration: defaults, and what `session.update` may change.

Only fields that are present change; objects are merged deeply, null is a value, lists are replaced. Unlike OpenAI's,
this server's default of `turn_detection` is null: the client commits what it has heard, and asks for the response.
"""

import copy
from collections.abc import Callable, Mapping
from typing import Any, Literal

from voice_node.local.refusal import Refused

SessionType = Literal["realtime", "transcription"]

Check = Callable[[Any, str], None]
"""Raises Refused where the value at this place (`session.audio...`) cannot be."""

_WHOLE = frozenset({"format", "tracing", "tool_choice", "truncation", "prompt"})
"""Objects that are one choice: they are replaced, not merged."""


def default_session(session_id: str, kind: SessionType, model: str) -> dict[str, Any]:
    """What `session.created` says."""
    sound = {"type": "audio/pcm", "rate": 24000}
    heard = {"format": sound, "transcription": None, "noise_reduction": None, "turn_detection": None}
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
        "audio": {"input": heard, "output": {"format": dict(sound), "voice": "espeak-ng", "speed": 1.0}},
    }


def begun(session: Mapping[str, Any], session_id: str, expires_at: int) -> dict[str, Any]:
    """This configuration as a running session; `expires_at` is in epoch seconds."""
    return {**session, "id": session_id, "expires_at": expires_at}


def updated(session: Mapping[str, Any], patch: object) -> dict[str, Any]:
    """The session after `session.update`. Raises Refused, and then nothing has changed."""
    if not isinstance(patch, dict):
        raise Refused("invalid_type", "Expected an object for 'session'.", "session")
    if "type" not in patch:
        raise Refused("missing_required_parameter", "Missing required parameter: 'session.type'.", "session.type")
    if patch["type"] != session["type"]:
        raise Refused("invalid_value", f"This session is of type '{session['type']}'.", "session.type")
    if "model" in patch and patch["model"] != session.get("model"):
        raise Refused("invalid_value", "The model of a session cannot be changed.", "session.model")
    fields = _REALTIME if session["type"] == "realtime" else _TRANSCRIPTION
    _object(fields)(patch, "session")
    return _merged(session, patch)


def check_response(config: Any) -> dict[str, Any]:
    """The `response` of `response.create`, checked. Raises Refused."""
    if config is None:
        return {}
    _object(_RESPONSE)(config, "response")
    return dict(config)


def _merged(old: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(old)
    for key, value in patch.items():
        before = result.get(key)
        if isinstance(value, dict) and isinstance(before, dict) and key not in _WHOLE:
            result[key] = _merged(before, value)
        else:
            result[key] = copy.deepcopy(value)
    return result


def _object(fields: Mapping[str, Check]) -> Check:
    def check(value: Any, place: str) -> None:
        if not isinstance(value, dict):
            raise Refused("invalid_type", f"Expected an object for '{place}'.", place)
        for key, item in value.items():
            if key not in fields:
                name = f"{place}.{key[:64]}"
                raise Refused("unknown_parameter", f"Unknown parameter: '{name}'.", name)
            fields[key](item, f"{place}.{key}")

    return check


def _or_null(check: Check) -> Check:
    def check_value(value: Any, place: str) -> None:
        if value is not None:
            check(value, place)

    return check_value


def _one_of(*choices: Any) -> Check:
    def check(value: Any, place: str) -> None:
        if not any(value == choice and type(value) is type(choice) for choice in choices):
            expected = " or ".join(repr(choice) for choice in choices)
            raise Refused("invalid_value", f"Invalid value for '{place}': expected {expected}.", place)

    return check


def _text(longest: int) -> Check:
    def check(value: Any, place: str) -> None:
        if not isinstance(value, str):
            raise Refused("invalid_type", f"Expected a string for '{place}'.", place)
        if len(value) > longest:
            raise Refused("string_above_max_length", f"'{place}' is longer than {longest} characters.", place)

    return check


def _number(low: float, high: float) -> Check:
    def check(value: Any, place: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Refused("invalid_type", f"Expected a number for '{place}'.", place)
        if not low <= value <= high:
            raise Refused("invalid_value", f"Expected '{place}' to be {low} to {high}.", place)

    return check


def _boolean(value: Any, place: str) -> None:
    if not isinstance(value, bool):
        raise Refused("invalid_type", f"Expected a boolean for '{place}'.", place)


def _list_of(check_item: Check, most: int, least: int = 0) -> Check:
    def check(value: Any, place: str) -> None:
        if not isinstance(value, list):
            raise Refused("invalid_type", f"Expected an array for '{place}'.", place)
        if not least <= len(value) <= most:
            raise Refused("invalid_value", f"Expected {least} to {most} elements in '{place}'.", place)
        for index, item in enumerate(value):
            check_item(item, f"{place}[{index}]")

    return check


def _any(_value: Any, _place: str) -> None:
    """What this server has no use for, and echoes."""


def _heard_format(value: Any, place: str) -> None:
    kind = value.get("type") if isinstance(value, dict) else None
    if kind in ("audio/pcmu", "audio/pcma"):
        _object({"type": _any})(value, place)
    else:
        _spoken_format(value, place)


def _spoken_format(value: Any, place: str) -> None:
    _object({"type": _one_of("audio/pcm"), "rate": _or_null(_one_of(24000))})(value, place)


def _turn_detection(_value: Any, place: str) -> None:
    raise Refused(
        "invalid_value",
        f"Turn detection is not supported by this server: set '{place}' to null, and send "
        "input_audio_buffer.commit and response.create at the end of speech.",
        place,
    )


def _tool(value: Any, place: str) -> None:
    if isinstance(value, dict) and value.get("type", "function") != "function":
        raise Refused("invalid_value", "Only tools of type 'function' are supported by this server.", f"{place}.type")
    _object({"type": _any, "name": _text(64), "description": _or_null(_text(8192)), "parameters": _parameters})(
        value, place
    )
    if not value.get("name"):
        raise Refused("missing_required_parameter", f"Missing required parameter: '{place}.name'.", f"{place}.name")


def _parameters(value: Any, place: str) -> None:
    if value is not None and not isinstance(value, dict):
        raise Refused("invalid_type", f"Expected an object for '{place}'.", place)


def _tool_choice(value: Any, place: str) -> None:
    if isinstance(value, str):
        _one_of("auto", "none", "required")(value, place)
    else:
        _object({"type": _one_of("function"), "name": _text(64)})(value, place)


def _truncation(value: Any, place: str) -> None:
    if isinstance(value, str):
        _one_of("auto", "disabled")(value, place)
    else:
        limits = _object({"post_instructions": _number(0, 2**31)})
        ratio = {"type": _one_of("retention_ratio"), "retention_ratio": _number(0, 1), "token_limits": _or_null(limits)}
        _object(ratio)(value, place)


def _most_tokens(value: Any, place: str) -> None:
    if value != "inf":
        _number(1, 4096)(value, place)


def _voice(value: Any, place: str) -> None:
    if isinstance(value, dict):
        _object({"id": _text(128)})(value, place)
    else:
        _text(128)(value, place)


def _metadata(value: Any, place: str) -> None:
    if not isinstance(value, dict):
        raise Refused("invalid_type", f"Expected an object for '{place}'.", place)
    if len(value) > 16:
        raise Refused("invalid_value", f"Expected at most 16 pairs in '{place}'.", place)
    for key, item in value.items():
        _text(64)(key, place)
        _text(512)(item, f"{place}.{key[:64]}")


_words = _list_of(_text(512), 1000)
_modalities = _list_of(_one_of("audio", "text"), 1, least=1)
_tools = _list_of(_tool, 128)
_transcription = _object(
    {
        "model": _text(128),
        "language": _or_null(_text(35)),
        "languages": _or_null(_words),
        "prompt": _or_null(_text(8192)),
        "keywords": _or_null(_words),
        "delay": _or_null(_text(16)),
    }
)
_input = _object(
    {
        "format": _heard_format,
        "transcription": _or_null(_transcription),
        "noise_reduction": _or_null(
            _object({"type": _one_of("near_field", "far_field"), "strength": _or_null(_number(0, 100))})
        ),
        "turn_detection": _or_null(_turn_detection),
    }
)
_output = _object({"format": _spoken_format, "voice": _or_null(_voice), "speed": _number(0.25, 1.5)})
_include = _or_null(_list_of(_one_of("item.input_audio_transcription.logprobs"), 1))
_READ_ONLY: dict[str, Check] = {"type": _any, "model": _any}

_REALTIME: dict[str, Check] = {
    **_READ_ONLY,
    "output_modalities": _modalities,
    "instructions": _or_null(_text(65536)),
    "tools": _tools,
    "tool_choice": _tool_choice,
    "parallel_tool_calls": _or_null(_boolean),
    "max_output_tokens": _most_tokens,
    "reasoning": _or_null(_object({"effort": _or_null(_text(16))})),
    "tracing": _any,
    "truncation": _truncation,
    "prompt": _any,
    "include": _include,
    "audio": _object({"input": _input, "output": _output}),
}

_TRANSCRIPTION: dict[str, Check] = {**_READ_ONLY, "audio": _object({"input": _input}), "include": _include}

_RESPONSE: dict[str, Check] = {
    "conversation": _one_of("auto", "none"),
    "input": _list_of(_any, 200),
    "instructions": _or_null(_text(65536)),
    "output_modalities": _modalities,
    "audio": _object({"output": _object({"format": _spoken_format, "voice": _or_null(_voice)})}),
    "tools": _tools,
    "tool_choice": _tool_choice,
    "parallel_tool_calls": _or_null(_boolean),
    "max_output_tokens": _most_tokens,
    "reasoning": _or_null(_object({"effort": _or_null(_text(16))})),
    "metadata": _or_null(_metadata),
    "prompt": _any,
}
