"""Calls that go straight to a device's topic: the templates of `publish` and `expect`.

Rules

1. `{argument}` stands for the value of a checked argument. All are put in at once: a value that looks like a
   placeholder stays text.
2. In a topic a value must be a part of one level: 1 to 64 letters, digits, spaces, `_`, `-` and `.`. So a model can
   never reach another level, a wildcard or `$SYS`.
3. In a payload, a text that is one placeholder alone becomes the value itself, with its JSON type; an argument that the
   model left out leaves its key out. In any longer text the value is put in as words, and must be there.
4. The next message on the `expect` topic confirms the call; without `expect` the broker's acknowledgement does. The
   subscription takes `+` for each level with a placeholder. Retained messages say nothing about this call.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from voice_node.model.json_text import BadJson, read_json
from voice_node.router.tools import BadArguments
from voice_node.settings.tools import Tool

LARGEST_ORDER = 64 * 1024
"""Bytes that a message may have."""
LONGEST_REPORT = 2048
"""Characters of a device's message that the model is shown."""

_FIELD = re.compile(r"\{([A-Za-z0-9_-]+)\}")
_LEVEL = re.compile(r"[\w-][\w .-]{0,63}")


@dataclass(frozen=True, slots=True)
class Order:
    """What is sent for a call."""

    topic: str
    payload: bytes
    expected: str | None
    """The topic whose next message confirms it."""
    timeout_s: float


def order(tool: Tool, arguments: Mapping[str, Any]) -> Order | None:
    """What a call of this tool publishes; None where an automation answers it. Raises BadArguments."""
    if tool.publish is None:
        return None
    template = tool.publish.payload
    if isinstance(template, str):
        text = _text(template, arguments)
    else:
        text = json.dumps(_filled(template, arguments), ensure_ascii=False, allow_nan=False)
    expected, timeout_s = None, tool.timeout_s
    if tool.expect is not None:
        expected, timeout_s = _topic(tool.expect.topic, arguments), tool.expect.timeout_s
    payload = text.encode()
    if len(payload) > LARGEST_ORDER:
        raise BadArguments("the arguments are too long for this tool's message")
    return Order(_topic(tool.publish.topic, arguments), payload, expected, timeout_s)


def confirmation(payload: bytes) -> dict[str, Any]:
    """What the model is told of the device's message."""
    text = payload.decode(errors="replace")
    if len(text) > LONGEST_REPORT:
        return {"result": "done"}
    try:
        state = read_json(text)
    except BadJson:
        state = text
    return {"result": "done", "state": state} if text else {"result": "done"}


def expected_filters(tools: Iterable[Tool]) -> tuple[str, ...]:
    """What must be subscribed to, so that devices are heard."""
    topics = (tool.expect.topic for tool in tools if tool.expect is not None)
    return tuple(dict.fromkeys("/".join(_wildcard(level) for level in topic.split("/")) for topic in topics))


def _wildcard(level: str) -> str:
    return "+" if _FIELD.search(level) else level


def _topic(template: str, arguments: Mapping[str, Any]) -> str:
    def level(field: re.Match[str]) -> str:
        text = _word(field[1], arguments)
        if _LEVEL.fullmatch(text) is None:
            raise BadArguments(f"{field[1]}: must be 1 to 64 letters, digits, spaces, `_`, `-` or `.`")
        return text

    return _FIELD.sub(level, template)


def _filled(value: Any, arguments: Mapping[str, Any]) -> Any:
    match value:
        case str():
            alone = _FIELD.fullmatch(value)
            return arguments[alone[1]] if alone else _text(value, arguments)
        case dict():
            return {key: _filled(item, arguments) for key, item in value.items() if not _is_left_out(item, arguments)}
        case list():
            return [_filled(item, arguments) for item in value if not _is_left_out(item, arguments)]
        case _:
            return value


def _is_left_out(value: Any, arguments: Mapping[str, Any]) -> bool:
    alone = _FIELD.fullmatch(value) if isinstance(value, str) else None
    return alone is not None and alone[1] not in arguments


def _text(template: str, arguments: Mapping[str, Any]) -> str:
    return _FIELD.sub(lambda field: _word(field[1], arguments), template)


def _word(name: str, arguments: Mapping[str, Any]) -> str:
    value = arguments.get(name)
    if value is None:
        raise BadArguments(f"{name}: is needed for this call")
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
