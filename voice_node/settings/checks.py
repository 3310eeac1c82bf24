"""What is wrong only when several keys of a room file are seen together."""

import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from voice_node.settings.problem import KeyPath, Problem, one_of, shown
from voice_node.settings.schema import BUNDLED_WAKE_WORDS, RoomSettings
from voice_node.settings.session import AuthUrl, SessionSettings
from voice_node.settings.session_limits import Limit, idle, is_written, not_taken, unusable
from voice_node.settings.tools import Tool

WAV = "wav:"
"""What a device's name begins with if it is a recording."""

_PLACEHOLDER = re.compile(r"\{([A-Za-z0-9_-]+)\}")
_SLOT = re.compile(r"\{([^{}]*)\}")
_BRACKETS = {")": "(", "]": "[", "}": "{", ">": "<"}
_JSON_TYPES = ("string", "number", "integer", "boolean", "object", "array", "null")
_TOOL_CHOICES = ("auto", "none", "required")


def check_settings(settings: RoomSettings) -> Iterator[Problem]:
    """Everything but files."""
    yield from _gate(settings)
    yield from _session(settings)
    yield from _broker(settings)
    yield from _tool_servers(settings)
    names: set[str] = set()
    for index, tool in enumerate(settings.tools):
        place: KeyPath = ("tools", index)
        if tool.name in names:
            yield Problem(
                (*place, "name"), f"{shown(tool.name)} is the name of an earlier tool too: each needs its own"
            )
        names.add(tool.name)
        yield from _parameters(tool, place)
        yield from _templates(tool, place)
        yield from _confirmation(tool, place, settings)
        if tool.expect is not None and tool.publish is None:
            text = "needs `publish`: without it, the answer comes on the topic tool/<name>/result"
            yield Problem((*place, "expect"), text, reads=((*place, "publish"),))
        elif tool.expect is not None and tool.publish is not None and tool.expect.topic == tool.publish.topic:
            text = "is the topic of `publish`: the node would hear itself there, and take it for the device"
            yield Problem((*place, "expect", "topic"), text, reads=((*place, "publish", "topic"),))


def find_idle(settings: RoomSettings) -> Iterator[Problem]:
    """What the file writes and does nothing: worth a warning."""
    session = settings.session
    yield from map(_limit, _written(session, idle(session)))
    if session.lenient:
        for limit in _written(session, not_taken(session)):
            yield _limit(Limit(limit.key, f"is left out: {limit.text}"))
    for index, tool in enumerate(settings.tools):
        if tool.policy == "deny":
            text = (
                f"{shown(tool.name)} looks like a lock, a door, a gate, an alarm or an oven: it is never called. "
                "Write `confirm: pin`, mqtt or voice; or never, if anybody who can be heard may call it"
            )
            yield Problem(("tools", index, "name"), text)


def check_files(settings: RoomSettings, folder: Path) -> Iterator[Problem]:
    """Whether the files that a room names are there; relative names begin at `folder`."""
    device = settings.capture.device
    if isinstance(device, str) and device.startswith(WAV):
        yield from _file(("capture", "device"), device.removeprefix(WAV), folder)
    if settings.activation.mode == "wake_word":
        for word in settings.activation.wake_words:
            if word not in BUNDLED_WAKE_WORDS:
                yield from _wake_word(word, folder)
    if settings.local.recogniser == "vosk" and settings.local.model is None:
        yield Problem(("local", "recogniser"), "vosk needs `model`: the folder of one for your language, unpacked")
    if settings.local.model is not None and not (folder / settings.local.model).is_dir():
        yield Problem(("local", "model"), f"there is no folder {shown(settings.local.model)}")
    if settings.local.voice is not None:
        yield from _file(("local", "voice"), settings.local.voice, folder)
    if settings.mqtt.tls is not None:
        for key in ("ca", "cert", "key"):
            name = getattr(settings.mqtt.tls, key)
            if name is not None:
                yield from _file(("mqtt", "tls", key), name, folder)


def _may_read(file: Path) -> bool:
    return os.access(file, os.R_OK)


def find_unreadable(
    settings: RoomSettings, folder: Path, keys: Collection[str], may_read: Callable[[Path], bool] = _may_read
) -> Iterator[Problem]:
    """Which of these files of `mqtt.tls` this user cannot read; commands without a broker need none of them."""
    for key in keys if settings.mqtt.tls is not None else ():
        name = getattr(settings.mqtt.tls, key)
        if name is not None and not may_read(folder / name):
            text = f"the file {shown(name)} cannot be read by this user: give it to the user that the room runs as"
            yield Problem(("mqtt", "tls", key), text)


def _wake_word(word: str, folder: Path) -> Iterator[Problem]:
    path = ("activation", "wake_word")
    if word.endswith(".json") or "/" in word:
        yield from _file(path, word, folder)
    else:
        yield Problem(path, f"{shown(word)} is none of {one_of(BUNDLED_WAKE_WORDS)}, and no .json file of a model")


def strings(value: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, str]]:
    """Every text in `value`, with its place below `path`."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from strings(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from strings(item, (*path, index))


def _gate(settings: RoomSettings) -> Iterator[Problem]:
    gate = settings.gate
    keys = ("pre_roll_ms", "min_speech_ms" if gate.min_speech_ms >= gate.onset_ms else "onset_ms", "hang_over_ms")
    shortest_ms = sum(getattr(gate, key) for key in keys)
    if gate.max_segment_s * 1000 <= shortest_ms:
        text = f"must be more than {shortest_ms / 1000:g}: {', '.join(keys[:2])} and {keys[2]} together last that long"
        yield Problem(("gate", "max_segment_s"), text, reads=tuple(("gate", key) for key in keys))


def _session(settings: RoomSettings) -> Iterator[Problem]:
    session = settings.session
    yield from map(_limit, unusable(session))
    if not session.lenient:
        yield from map(_limit, _written(session, not_taken(session)))
    if session.provider == "local" and isinstance(session.auth, AuthUrl):
        text = "is not for provider local, which mints its own: delete it, or use provider custom with the server's url"
        yield Problem(("session", "auth", "url"), text, reads=(("session", "provider"),))
    if session.least_confidence is not None and not (session.include and session.transcription):
        text = "needs a transcription and `include: [item.input_audio_transcription.logprobs]`, where it is told"
        yield Problem(
            ("session", "least_confidence"), text, reads=(("session", "include"), ("session", "transcription"))
        )
    names = [tool.name for tool in settings.tools]
    if session.tool_choice not in (*_TOOL_CHOICES, *names):
        text = f"must be {one_of(_TOOL_CHOICES)}, or the name of a tool of this file, not {shown(session.tool_choice)}"
        yield Problem(("session", "tool_choice"), text, reads=(("tools",),))


def _written(session: SessionSettings, limits: Iterable[Limit]) -> Iterator[Limit]:
    return (limit for limit in limits if is_written(session, limit.key))


def _limit(limit: Limit) -> Problem:
    keys = ("provider", "dialect", "type", "model", "transcription")
    reads = tuple(("session", key) for key in keys if key != limit.key[0])
    path: KeyPath = ("session", *(int(part) if part.isdigit() else part for part in limit.key))
    return Problem(path, limit.text, reads=reads)


def _broker(settings: RoomSettings) -> Iterator[Problem]:
    tls = settings.mqtt.tls
    if tls is not None and (tls.cert is None) != (tls.key is None):
        given, absent = ("cert", "key") if tls.key is None else ("key", "cert")
        text = f"needs `{absent}` beside it: the certificate and its key belong together"
        yield Problem(("mqtt", "tls", given), text, reads=(("mqtt", "tls", absent),))


def _tool_servers(settings: RoomSettings) -> Iterator[Problem]:
    taken = {_credential(tool.server_label): "session.tools" for tool in settings.session.tools}
    for index, server in enumerate(settings.mcp):
        place: KeyPath = ("mcp", index)
        owner = taken.setdefault(_credential(server.name), "mcp")
        if owner == "session.tools" or any(server.name == other.name for other in settings.mcp[:index]):
            text = f"{shown(server.name)} is taken by a server of {owner}: the two would be given the same token"
            yield Problem((*place, "name"), text, reads=(("session", "tools"),))
        if settings.session.transcription is None and server.confirmations & {"voice", "pin"}:
            text = "voice and pin need session.transcription: the node must know what was answered"
            yield Problem((*place, "confirm"), text, reads=(("session", "transcription"),))


def _credential(label: str) -> str:
    return label.lower().replace("-", "_")


def _parameters(tool: Tool, place: KeyPath) -> Iterator[Problem]:
    """The slips that people make; the router's JSON Schema library knows the rest."""
    place = (*place, "parameters")
    properties = tool.parameters.get("properties", {})
    if not isinstance(properties, dict):
        yield Problem(
            (*place, "properties"), f"must be the parameters' names with a schema each, not {shown(properties)}"
        )
        return
    for name, schema in properties.items():
        if not isinstance(schema, dict):
            yield Problem(
                (*place, "properties", name), f"must be a schema such as {{type: string}}, not {shown(schema)}"
            )
            continue
        kinds = schema.get("type", "string")
        for kind in kinds if isinstance(kinds, list) else [kinds]:
            if kind not in _JSON_TYPES:
                text = f"must be {one_of(_JSON_TYPES)}, not {shown(kind)}"
                yield Problem((*place, "properties", name, "type"), text)
        if "enum" in schema and not (isinstance(schema["enum"], list) and schema["enum"]):
            text = f"must be a list of the values that are allowed, not {shown(schema['enum'])}"
            yield Problem((*place, "properties", name, "enum"), text)
    required = tool.parameters.get("required", [])
    if not isinstance(required, list):
        yield Problem((*place, "required"), f"must be a list of parameters, not {shown(required)}")
        return
    for index, name in enumerate(required):
        if not isinstance(name, str) or name not in properties:
            yield Problem(
                (*place, "required", index), f"{shown(name)} is none of the properties: {_listed(properties)}"
            )


def _confirmation(tool: Tool, place: KeyPath, settings: RoomSettings) -> Iterator[Problem]:
    if tool.policy in ("voice", "pin") and settings.session.transcription is None:
        text = f"{tool.policy} needs session.transcription: the node must know what was answered"
        yield Problem((*place, "confirm"), text, reads=(("session", "transcription"),))


def _templates(tool: Tool, place: KeyPath) -> Iterator[Problem]:
    properties = tool.parameters.get("properties", {})
    if not isinstance(properties, dict):
        return
    reads = ((*place, "parameters"),)
    texts: list[tuple[KeyPath, str]] = []
    if tool.say is not None:
        texts.append(((*place, "say"), tool.say))
    if tool.publish is not None:
        texts.append(((*place, "publish", "topic"), tool.publish.topic))
        texts.extend(strings(tool.publish.payload, (*place, "publish", "payload")))
    if tool.expect is not None:
        texts.append(((*place, "expect", "topic"), tool.expect.topic))
    for path, text in texts:
        for name in dict.fromkeys(_PLACEHOLDER.findall(text)):
            if name not in properties:
                yield Problem(path, f"{{{name}}} is no parameter of this tool: {_listed(properties)}", reads=reads)
    for index, sentence in enumerate(tool.sentences):
        path = (*place, "sentences", index)
        fault = _bracket_fault(sentence)
        if fault is not None:
            yield Problem(path, fault)
            continue
        for slot in dict.fromkeys(_SLOT.findall(sentence)):
            name = slot.rpartition(":")[2].strip()
            if name not in properties:
                yield Problem(path, f"{{{slot}}} is no parameter of this tool: {_listed(properties)}", reads=reads)


def _listed(properties: Mapping[str, Any]) -> str:
    return f"it has {', '.join(map(str, properties))}" if properties else "it has none"


def _bracket_fault(sentence: str) -> str | None:
    opened: list[str] = []
    for char in sentence:
        if char in _BRACKETS.values():
            opened.append(char)
        elif char in _BRACKETS and (not opened or opened.pop() != _BRACKETS[char]):
            return f"`{char}` closes nothing: each ( [ {{ needs its own ) ] }}"
    return f"`{opened[-1]}` is never closed: each ( [ {{ needs its own ) ] }}" if opened else None


def _file(path: KeyPath, name: str, folder: Path) -> Iterator[Problem]:
    file = folder / name
    try:
        if not file.is_file():
            yield Problem(path, f"there is no file {shown(name)}; a relative name begins at the room file's folder")
    except OSError:
        yield Problem(path, f"the file {shown(name)} cannot be reached by this user")
