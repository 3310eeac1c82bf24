"""The flat session of the beta dialect, as `POST /v1/realtime/sessions` knows it, and its place in GA's.

One table says where each field belongs; by it sessions are read, errors name the client's own field, and sessions are
written. `temperature` has no place in GA: it is checked and echoed.
"""

from collections.abc import Mapping
from typing import Any

from voice_node.local.refusal import Refused

_PLACES: dict[str, tuple[str, ...]] = {
    "model": ("model",),
    "modalities": ("output_modalities",),
    "instructions": ("instructions",),
    "voice": ("audio", "output", "voice"),
    "speed": ("audio", "output", "speed"),
    "input_audio_format": ("audio", "input", "format"),
    "output_audio_format": ("audio", "output", "format"),
    "input_audio_transcription": ("audio", "input", "transcription"),
    "input_audio_noise_reduction": ("audio", "input", "noise_reduction"),
    "turn_detection": ("audio", "input", "turn_detection"),
    "tools": ("tools",),
    "tool_choice": ("tool_choice",),
    "max_response_output_tokens": ("max_output_tokens",),
    "tracing": ("tracing",),
}
_FORMATS: dict[str, dict[str, Any]] = {
    "pcm16": {"type": "audio/pcm", "rate": 24000},
    "g711_ulaw": {"type": "audio/pcmu"},
    "g711_alaw": {"type": "audio/pcma"},
}
_NAMES = {"audio/pcm": "pcm16", "audio/pcmu": "g711_ulaw", "audio/pcma": "g711_alaw"}
_TEMPERATURE = 0.8


def read_flat(flat: Mapping[str, Any]) -> dict[str, Any]:
    """The GA session that a flat one asks for. Raises Refused."""
    session: dict[str, Any] = {"type": "realtime"}
    for name, value in flat.items():
        if name == "temperature":
            _check_temperature(value)
        elif name not in _PLACES:
            raise Refused("unknown_parameter", f"Unknown parameter: '{name[:64]}'.", name[:64])
        else:
            *groups, last = _PLACES[name]
            place = session
            for group in groups:
                place = place.setdefault(group, {})
            place[last] = _to_ga(name, value)
    return session


def write_flat(session: Mapping[str, Any], temperature: float = _TEMPERATURE) -> dict[str, Any]:
    """The flat form of a GA session of type `realtime`."""
    flat: dict[str, Any] = {"id": session["id"], "object": "realtime.session", "temperature": temperature}
    for name, path in _PLACES.items():
        value: Any = session
        for part in path:
            value = value[part]
        flat[name] = _to_beta(name, value)
    return flat


def in_flat_words(refused: Refused) -> Refused:
    """The refusal of a GA session, in the names of the flat one."""
    for name, path in _PLACES.items():
        place = ".".join(("session", *path))
        if refused.param is not None and (refused.param + ".").startswith((place + ".", place + "[")):
            param = name + refused.param[len(place) :]
            return Refused(refused.code, refused.message.replace(refused.param, param), param)
    return refused


def _to_ga(name: str, value: Any) -> Any:
    if name.endswith("_audio_format"):
        if not isinstance(value, str) or value not in _FORMATS:
            raise Refused("invalid_value", f"Invalid value for '{name}': expected {' or '.join(_FORMATS)}.", name)
        return dict(_FORMATS[value])
    if name == "modalities" and isinstance(value, list) and set(map(str, value)) == {"text", "audio"}:
        return ["audio"]  # the beta's pair is GA's sound, which brings its transcript
    return value


def _to_beta(name: str, value: Any) -> Any:
    if name.endswith("_audio_format"):
        return _NAMES[value["type"]]
    if name == "modalities" and value == ["audio"]:
        return ["audio", "text"]
    return value


def _check_temperature(value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.6 <= value <= 1.2:
        raise Refused("invalid_value", "Expected 'temperature' to be 0.6 to 1.2.", "temperature")
