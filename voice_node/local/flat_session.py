"""The flat session and response of the beta dialect, and their places in GA's.

One table says where each field belongs; by it they are read, errors name the client's own field, and they are written.
`temperature` has no place in GA: it is checked here, and kept by who reads.
"""

from collections.abc import Mapping
from typing import Any

from voice_node.local.refusal import Refused

_Places = Mapping[str, tuple[str, ...]]

_HEARD: _Places = {
    "input_audio_format": ("audio", "input", "format"),
    "input_audio_transcription": ("audio", "input", "transcription"),
    "input_audio_noise_reduction": ("audio", "input", "noise_reduction"),
    "turn_detection": ("audio", "input", "turn_detection"),
}
_ANSWERED: _Places = {
    "modalities": ("output_modalities",),
    "instructions": ("instructions",),
    "voice": ("audio", "output", "voice"),
    "output_audio_format": ("audio", "output", "format"),
    "tools": ("tools",),
    "tool_choice": ("tool_choice",),
}
_SESSION: _Places = {
    "model": ("model",),
    "speed": ("audio", "output", "speed"),
    **_ANSWERED,
    **_HEARD,
    "max_response_output_tokens": ("max_output_tokens",),
    "tracing": ("tracing",),
}
_TRANSCRIPTION: _Places = {**_HEARD, "include": ("include",)}
_RESPONSE: _Places = {
    **_ANSWERED,
    "conversation": ("conversation",),
    "input": ("input",),
    "metadata": ("metadata",),
    "max_response_output_tokens": ("max_output_tokens",),
    "max_output_tokens": ("max_output_tokens",),
}
_FORMATS: dict[str, dict[str, Any]] = {
    "pcm16": {"type": "audio/pcm", "rate": 24000},
    "g711_ulaw": {"type": "audio/pcmu"},
    "g711_alaw": {"type": "audio/pcma"},
}
_NAMES = {"audio/pcm": "pcm16", "audio/pcmu": "g711_ulaw", "audio/pcma": "g711_alaw"}
TEMPERATURE = 0.8


def read_flat(flat: Mapping[str, Any]) -> dict[str, Any]:
    """The GA session that a flat one asks for. Raises Refused."""
    return {"type": "realtime", **_read(flat, _SESSION)}


def read_flat_transcription(flat: Mapping[str, Any]) -> dict[str, Any]:
    """The same, of a session that only writes down."""
    wanted = {name: value for name, value in flat.items() if name != "modalities"}  # of no use there
    return {"type": "transcription", **_read(wanted, _TRANSCRIPTION)}


def read_flat_response(flat: Mapping[str, Any]) -> dict[str, Any]:
    """The `response` of GA's `response.create`. No tools mean the session's here: pipecat sends none with each."""
    return _read({name: value for name, value in flat.items() if (name, value) != ("tools", [])}, _RESPONSE)


def write_flat(session: Mapping[str, Any], temperature: float = TEMPERATURE) -> dict[str, Any]:
    """The flat form of a GA session."""
    is_transcription = session["type"] == "transcription"
    flat = {"id": session["id"], "object": session["object"]}
    if not is_transcription:
        flat["temperature"] = temperature
    if "expires_at" in session:
        flat["expires_at"] = session["expires_at"]
    for name, path in (_HEARD if is_transcription else _SESSION).items():
        value: Any = session
        for part in path:
            value = value[part]
        flat[name] = _to_beta(name, value)
    return flat


def write_flat_response(response: Mapping[str, Any], temperature: float) -> dict[str, Any]:
    """The flat form of a GA response, but for its items."""
    flat = {name: value for name, value in response.items() if name not in ("output_modalities", "audio")}
    output = response["audio"]["output"]
    flat["modalities"] = _to_beta("modalities", response["output_modalities"])
    flat["voice"] = output["voice"]
    flat["output_audio_format"] = _to_beta("output_audio_format", output["format"])
    flat["temperature"] = temperature
    return flat


def in_flat_words(refused: Refused, prefix: str = "") -> Refused:
    """The refusal of a GA session or response, in the names of the flat one; a field's path begins with `prefix`."""
    if refused.param is None:
        return refused
    for group, places in (("session", _SESSION), ("response", _RESPONSE)):
        for name, path in places.items():
            place = ".".join((group, *path))
            if (refused.param + ".").startswith((place + ".", place + "[")):
                param = prefix + name + refused.param[len(place) :]
                return Refused(refused.code, refused.message.replace(refused.param, param), param)
    return refused


def check_temperature(value: Any, place: str = "temperature") -> None:
    """Raises Refused."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.6 <= value <= 1.2:
        raise Refused("invalid_value", f"Expected '{place}' to be 0.6 to 1.2.", place)


def _read(flat: Mapping[str, Any], places: _Places) -> dict[str, Any]:
    read: dict[str, Any] = {}
    for name, value in flat.items():
        if name == "temperature" and places is not _TRANSCRIPTION:
            check_temperature(value)
            continue
        if name not in places:
            raise Refused("unknown_parameter", f"Unknown parameter: '{name[:64]}'.", name[:64])
        *groups, last = places[name]
        place = read
        for group in groups:
            place = place.setdefault(group, {})
        place[last] = _to_ga(name, value)
    return read


def _to_ga(name: str, value: Any) -> Any:
    if name.endswith("_audio_format"):
        if not isinstance(value, str) or value not in _FORMATS:
            raise Refused("invalid_value", f"Invalid value for '{name}': expected {' or '.join(_FORMATS)}.", name)
        return dict(_FORMATS[value])
    if name == "modalities" and isinstance(value, list) and set(map(str, value)) == {"text", "audio"}:
        return ["audio"]  # the beta's pair is GA's sound, which brings its transcript
    if name == "turn_detection" and value == {"type": "none"}:
        return None  # Azure's word for it
    if name == "tool_choice" and isinstance(value, dict) and "function" in value:
        return {"name": value["function"]} | {key: item for key, item in value.items() if key != "function"}  # Azure's
    if name == "turn_detection" and isinstance(value, dict) and "idle_timeout_ms" in value:
        place = "turn_detection.idle_timeout_ms"
        raise Refused("unknown_parameter", f"Unknown parameter: '{place}'.", place)
    return value


def _to_beta(name: str, value: Any) -> Any:
    if name.endswith("_audio_format"):
        return _NAMES[value["type"]]
    if name == "modalities" and value == ["audio"]:
        return ["audio", "text"]
    if name == "tool_choice" and isinstance(value, dict):
        return {**value, "function": value["name"]}
    if name == "turn_detection" and value is not None:
        return {key: item for key, item in value.items() if key != "idle_timeout_ms"}
    return value
