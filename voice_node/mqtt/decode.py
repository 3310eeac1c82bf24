"""Messages to commands. Whatever comes, the answer is a command, a `BadInput`, or None; never an exception."""

from collections.abc import Callable, Mapping
from typing import Any

from voice_node.model.command import (
    Ask,
    BadInput,
    Command,
    Decide,
    DeviceReport,
    Diagnose,
    HomeAssistantStatus,
    Listen,
    Reload,
    ReplyTo,
    Request,
    Reset,
    RoomClaims,
    Say,
    SetMute,
    SetSetting,
    Stop,
    ToolResult,
)
from voice_node.model.json_text import BadJson, read_json
from voice_node.mqtt.message import LARGEST_CORRELATION, LARGEST_PAYLOAD, Incoming
from voice_node.mqtt.topics import SETTINGS, Topics, is_level
from voice_node.settings.tunable import span

_LONGEST_ID = 256
_LONGEST_PLACE = 128
_LONGEST_LISTEN_MS = 60_000


def decode(incoming: Incoming, topics: Topics) -> Command | None:
    """What `incoming` asks of the node.

    None: it was retained, so it is an old command which must not act, or it came on a topic that is not ours.
    `BadInput.detail` says what is wrong and what would be right, and never repeats the payload.
    """
    if incoming.is_retained:
        return None
    place = topics.below(incoming.topic).encode(errors="replace").decode()[:_LONGEST_PLACE]
    reply_to = _reply_to(incoming, topics)
    try:
        return _command(incoming, topics, reply_to)
    except _UnreadableError as error:
        kind, _, name = place.partition("/")
        command = name if kind == "request" and is_level(name) else None
        return BadInput(place, error.detail, command, error.reply_to or reply_to)


class _UnreadableError(Exception):
    """The payload cannot be used; the detail is for people and does not repeat it."""

    def __init__(self, detail: str, reply_to: ReplyTo | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.reply_to = reply_to


def _command(incoming: Incoming, topics: Topics, reply_to: ReplyTo) -> Command | None:
    if incoming.topic == topics.claim and topics.is_arbitrated:
        return _claim(_object(_text(incoming.payload)))
    if incoming.topic != topics.home_assistant_status and not incoming.topic.startswith(topics.branch):
        is_taken = topics.is_of_device(incoming.topic) and len(incoming.payload) <= LARGEST_PAYLOAD
        return DeviceReport(incoming.topic, incoming.payload) if is_taken else None
    text = _text(incoming.payload)
    if incoming.topic == topics.home_assistant_status:
        return HomeAssistantStatus(_one_of(text, online=True, offline=False))
    match topics.below(incoming.topic).split("/"):
        case ["tool", name, "result"]:
            return _result(name, text)
        case ["request", name]:
            return _request(name, text, reply_to)
        case ["mute", "set"]:
            return SetMute(_one_of(text, ON=True, OFF=False))
        case [name, "set"] if name in SETTINGS:
            return SetSetting(name, _setting(name, text))
        case _:
            return None


def _reply_to(incoming: Incoming, topics: Topics) -> ReplyTo:
    """Where the response goes. What cannot be honoured is left out: `response/<command>` always answers."""
    topic, correlation = incoming.response_topic, incoming.correlation
    if topic is None or not topics.takes_replies(topic) or len(correlation or b"") > LARGEST_CORRELATION:
        return ReplyTo()
    return ReplyTo(topic, correlation)


def _result(name: str, text: str) -> ToolResult:
    if not is_level(name):
        raise _UnreadableError("the tool's name must be 1 to 64 of a-z, 0-9, `_` and `-`")
    fields = _object(text)
    call_id = _string(fields, "call_id", _LONGEST_ID)
    if ("output" in fields) == ("error" in fields):
        raise _UnreadableError("give either `output` or `error`")
    if "error" in fields:
        return ToolResult(name, call_id, error=_string(fields, "error", LARGEST_PAYLOAD))
    return ToolResult(name, call_id, fields["output"])


def _claim(fields: Mapping[str, Any]) -> RoomClaims:
    rooms = [_string(fields, "room", _LONGEST_ID)]
    if fields.get("gives_way_to") is not None:
        rooms.append(_string(fields, "gives_way_to", _LONGEST_ID))
    if not all(map(is_level, rooms)):
        raise _UnreadableError("a room's id must be 1 to 64 of a-z, 0-9, `_` and `-`")
    return RoomClaims(rooms[0], _string(fields, "claim_id", _LONGEST_ID), *rooms[1:])


def _request(name: str, text: str, reply_to: ReplyTo) -> Request:
    if name not in _REQUESTS:
        raise _UnreadableError(f"there is no such request; there are {', '.join(_REQUESTS)}")
    if name in ("say", "ask") and not text.lstrip().startswith("{"):  # plain words
        return Say(_spoken(text), reply_to=reply_to) if name == "say" else Ask(_spoken(text), reply_to=reply_to)
    allowed, build = _REQUESTS[name]
    fields = _object(text) if text.strip() else {}
    if "transaction" in fields:
        reply_to = ReplyTo(reply_to.topic, reply_to.correlation, _string(fields, "transaction", _LONGEST_ID))
    try:
        _refuse_others(fields, (*allowed, "transaction"))
        return build(fields, reply_to)
    except _UnreadableError as error:
        raise _UnreadableError(error.detail, reply_to) from None


def _listen(fields: Mapping[str, Any], reply_to: ReplyTo) -> Listen:
    timeout_ms = fields.get("timeout_ms")
    if timeout_ms is not None and not (_is_integer(timeout_ms) and 1 <= timeout_ms <= _LONGEST_LISTEN_MS):
        raise _UnreadableError(f"`timeout_ms` must be an integer from 1 to {_LONGEST_LISTEN_MS}")
    return Listen(timeout_ms, reply_to)


def _say(fields: Mapping[str, Any], reply_to: ReplyTo) -> Say:
    listen_after, volume = fields.get("listen_after", False), fields.get("volume")
    if not isinstance(listen_after, bool):
        raise _UnreadableError("`listen_after` must be true or false")
    if volume is not None and not (_is_integer(volume) and 0 <= volume <= 100):
        raise _UnreadableError("`volume` must be an integer from 0 to 100")
    return Say(_spoken(_string(fields, "text", LARGEST_PAYLOAD)), listen_after, volume, reply_to)


def _ask(fields: Mapping[str, Any], reply_to: ReplyTo) -> Ask:
    instructions = _string(fields, "instructions", LARGEST_PAYLOAD) if "instructions" in fields else None
    return Ask(_spoken(_string(fields, "text", LARGEST_PAYLOAD)), instructions, reply_to)


def _approve(fields: Mapping[str, Any], reply_to: ReplyTo) -> Decide:
    return Decide(_string(fields, "call_id", _LONGEST_ID), is_approved=True, reply_to=reply_to)


def _deny(fields: Mapping[str, Any], reply_to: ReplyTo) -> Decide:
    return Decide(_string(fields, "call_id", _LONGEST_ID), is_approved=False, reply_to=reply_to)


_REQUESTS: Mapping[str, tuple[tuple[str, ...], Callable[[Mapping[str, Any], ReplyTo], Request]]] = {
    "listen": (("timeout_ms",), _listen),
    "stop": ((), lambda _, reply_to: Stop(reply_to)),
    "say": (("text", "listen_after", "volume"), _say),
    "ask": (("text", "instructions"), _ask),
    "approve": (("call_id",), _approve),
    "deny": (("call_id",), _deny),
    "reset": ((), lambda _, reply_to: Reset(reply_to)),
    "reload": ((), lambda _, reply_to: Reload(reply_to)),
    "diagnose": ((), lambda _, reply_to: Diagnose(reply_to)),
}


def _setting(name: str, text: str) -> float | int | str:
    if name == "wake_word":
        word = text.strip()
        if not (1 <= len(word) <= 256 and word.isprintable()):
            raise _UnreadableError("must be a text of 1 to 256 printable characters")
        return word
    value = _json(text)
    if not span(name).holds(value):
        raise _UnreadableError(f"must be {span(name)}")
    number: float | int = value
    return number


def _text(payload: bytes) -> str:
    if len(payload) > LARGEST_PAYLOAD:
        raise _UnreadableError(f"larger than {LARGEST_PAYLOAD} bytes")
    try:
        return payload.decode()
    except UnicodeDecodeError:
        raise _UnreadableError("not UTF-8") from None


def _one_of(text: str, **meanings: bool) -> bool:
    if text not in meanings:
        raise _UnreadableError(f"must be {' or '.join(meanings)}")
    return meanings[text]


def _object(text: str) -> dict[str, Any]:
    value = _json(text)
    if not isinstance(value, dict):
        raise _UnreadableError("must be a JSON object")
    return value


def _string(fields: Mapping[str, Any], name: str, longest: int) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= longest:
        raise _UnreadableError(f"`{name}` must be a text of 1 to {longest} characters")
    return value


def _refuse_others(fields: Mapping[str, Any], allowed: tuple[str, ...]) -> None:
    if not fields.keys() <= set(allowed):
        raise _UnreadableError(f"an unknown field; allowed: {', '.join(allowed)}")


def _spoken(text: str) -> str:
    if not text.strip():
        raise _UnreadableError("there is no text")
    return text.strip()


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _json(text: str) -> Any:
    try:
        return read_json(text)
    except BadJson as error:
        raise _UnreadableError(str(error)) from None
