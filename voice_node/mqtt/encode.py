"""Reports to messages, exactly as the MQTT contract has them."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, assert_never

from voice_node.model.report import (
    CallReport,
    Claim,
    DeviceOrder,
    Discovery,
    EventType,
    GateOpen,
    Happening,
    Health,
    Info,
    LastWords,
    Report,
    Response,
    SettingState,
    State,
    Usages,
)
from voice_node.model.turn import Transcript
from voice_node.mqtt.message import LARGEST_ASIDE, LARGEST_PAYLOAD, Message
from voice_node.mqtt.topics import SETTINGS, Topics

_ROOM_FOR_DELAY = 32
"""Bytes that `"delayed_ms"` may add to a message that waits."""


@dataclass(frozen=True, slots=True)
class Unencodable:
    """A report that no MQTT message can carry; nothing of it was sent."""

    place: str
    """The kind of report."""
    why: str
    """For people; never the content."""
    aside: Message | None = None
    """What may wait is not lost: this is to be set aside. It has a flaw, and at most `LARGEST_ASIDE` bytes."""


def encode(report: Report, topics: Topics, now: datetime) -> tuple[Message, ...] | Unencodable:
    """The messages that tell `report`, in the order in which they leave.

    Args:
        report: what the router tells.
        topics: the room's topics; their room stands in every JSON of a turn.
        now: with a time zone; a tool call expires by the time that is left.
    """
    try:
        return _messages(report, topics, now)
    except UnicodeEncodeError:  # a ValueError, but its text repeats the content
        why = "a text holds half of a surrogate pair, which UTF-8 cannot carry"
    except RecursionError:
        why = "a value is nested too deeply"
    except (ValueError, TypeError) as error:
        why = error.args[0] if isinstance(error, _FlawError) else "a value cannot be written as JSON"
    return Unencodable(type(report).__name__, why, _aside(report, topics, why))


def delayed(message: Message, delayed_ms: int) -> Message:
    """The kept `message` with the time that it waited in its JSON."""
    return replace(message, payload=_json({**json.loads(message.payload), "delayed_ms": delayed_ms}))


class _FlawError(ValueError):
    """A flaw whose text is ours and repeats nothing."""


def _messages(report: Report, topics: Topics, now: datetime) -> tuple[Message, ...]:
    match report:
        case Transcript():
            return (_transcript(report, topics),)
        case State():
            content: dict[str, Any] = {"state": report.state, "since": _timestamp(report.since)}
            if report.turn_id is not None:
                content |= {"turn_id": report.turn_id, "room": topics.room}
            return (_latest(topics.state, _json(content)),)
        case Info():
            return (_latest(topics.info, _json(report.content)),)
        case Usages():
            return (_latest(topics.usage, _json(report.content)),)
        case Health():
            return (replace(_latest(topics.health, _json(report.content)), qos=0),)
        case GateOpen():
            return (Message(topics.speech, b"ON" if report.is_open else b"OFF", qos=0),)
        case Happening():
            return (_happening(report, topics),)
        case Claim():
            return (_claim(report, topics),)
        case CallReport():
            return (_call(report, topics, now),)
        case DeviceOrder(_, _, topic, payload, expires_at):
            return (Message(topic, payload, qos=1, expiry_s=_seconds_to(expires_at, now)),)
        case Response():
            return _response(report, topics)
        case SettingState():
            if report.name not in SETTINGS:
                raise _FlawError("there is no such setting")
            return (_latest(topics.setting_state(report.name), _setting(report)),)
        case LastWords():
            return (_last_words(report, topics),)
        case Discovery():
            return (_latest(topics.discovery, b"" if report.content is None else _json(report.content)),)
        case _:
            assert_never(report)


def _aside(report: Report, topics: Topics, why: str) -> Message | None:
    """What of a report that may wait can be kept of it at all."""
    match report:
        case Transcript(is_final=True):
            return _set_aside(topics.transcript, lambda: _words(report, topics), why)
        case Happening(event_type=EventType.TURN_FINISHED):
            return _set_aside(topics.event, lambda: _told(report, topics), why)
        case _:
            return None


def _set_aside(topic: str, content: Callable[[], Mapping[str, Any]], why: str) -> Message:
    try:
        text = json.dumps(content(), ensure_ascii=False, default=_plain)
        payload = text.encode(errors="backslashreplace")[:LARGEST_ASIDE]  # in JSON that escapes half a character
    except (ValueError, TypeError, RecursionError):
        payload = b""
    return Message(topic, payload, qos=1, is_kept=True, flaw=why)


def _transcript(transcript: Transcript, topics: Topics) -> Message:
    if not transcript.is_final:
        return _message(topics.partial_transcript, _words(transcript, topics), qos=0)
    return _message(topics.transcript, _words(transcript, topics), is_kept=True)


def _words(transcript: Transcript, topics: Topics) -> dict[str, Any]:
    content: dict[str, Any] = {
        "turn_id": transcript.turn_id,
        "item_id": transcript.item_id,
        "room": topics.room,
        "role": transcript.role,
        "text": transcript.text,
        "final": transcript.is_final,
        "started_at": _timestamp(transcript.started_at),
        "ended_at": _timestamp(transcript.ended_at),
        "duration_ms": max(0, (transcript.ended_at - transcript.started_at) // timedelta(milliseconds=1)),
    }
    if transcript.language is not None:
        content["language"] = transcript.language
    if transcript.confidence is not None:
        content["confidence"] = transcript.confidence
    if transcript.provider is not None:
        content["provider"] = transcript.provider
    return content


def _last_words(words: LastWords, topics: Topics) -> Message:
    topic = topics.last_words(words.role)
    if words.transcript is None:
        return _latest(topic, b"")
    content = _words(words.transcript, topics)
    return _latest(topic, _json(content)) if words.is_retained else _message(topic, content)


def _told(happening: Happening, topics: Topics) -> dict[str, Any]:
    content: dict[str, Any] = {**happening.fields, "event_type": happening.event_type, "room": topics.room}
    if happening.turn_id is not None:
        content["turn_id"] = happening.turn_id
    return content


def _happening(happening: Happening, topics: Topics) -> Message:
    content = _told(happening, topics)
    return _message(topics.event, content, is_kept=happening.event_type is EventType.TURN_FINISHED)


def _claim(claim: Claim, topics: Topics) -> Message:
    content: dict[str, Any] = {"room": topics.room, "claim_id": claim.claim_id}
    if claim.gives_way_to is not None:
        content["gives_way_to"] = claim.gives_way_to
    return _message(topics.claim, content, qos=0, expiry_s=1)


def _call(call: CallReport, topics: Topics, now: datetime) -> Message:
    content = {
        "call_id": call.call_id,
        "turn_id": call.turn_id,
        "room": topics.room,
        "name": call.name,
        "arguments": call.arguments,
        "issued_at": _timestamp(call.issued_at),
        "expires_at": _timestamp(call.expires_at),
    }
    return _message(
        topics.call(call.name),
        content,
        expiry_s=_seconds_to(call.expires_at, now),
        response_topic=topics.result(call.name),
        correlation=call.call_id.encode(),
    )


def _seconds_to(expires_at: datetime, now: datetime) -> float:
    return (expires_at - now).total_seconds()


def _response(response: Response, topics: Topics) -> tuple[Message, ...]:
    content: dict[str, Any] = {"status": "ok" if response.error is None else "error", "data": response.data}
    if response.error is not None:
        content["error"] = response.error
    if response.reply_to.transaction is not None:
        content["transaction"] = response.reply_to.transaction
    public = _message(topics.response(response.command), content)
    asked_for = response.reply_to.topic
    if asked_for is None:
        return (public,)
    private = replace(public, topic=asked_for, correlation=response.reply_to.correlation)
    return (private,) if asked_for == public.topic else (public, private)


def _setting(setting: SettingState) -> bytes:
    if setting.name == "mute" and setting.value not in ("ON", "OFF"):
        raise _FlawError("mute is `ON` or `OFF`")
    return setting.value.encode() if isinstance(setting.value, str) else _json(setting.value)


def _latest(topic: str, payload: bytes) -> Message:
    _check_size(topic, payload, LARGEST_PAYLOAD)
    return Message(topic, payload, qos=1, is_retained=True, is_latest=True)


def _message(
    topic: str,
    content: Mapping[str, Any],
    *,
    qos: Literal[0, 1] = 1,
    is_kept: bool = False,
    expiry_s: float | None = None,
    response_topic: str | None = None,
    correlation: bytes | None = None,
) -> Message:
    payload = _json(content)
    _check_size(topic, payload, LARGEST_PAYLOAD - _ROOM_FOR_DELAY)
    return Message(
        topic,
        payload,
        qos,
        is_kept=is_kept,
        expiry_s=expiry_s,
        response_topic=response_topic,
        correlation=correlation,
    )


def _check_size(topic: str, payload: bytes, largest: int) -> None:
    if len(payload) > largest:
        raise _FlawError(f"the message to {topic} has {len(payload)} bytes, and may have {largest}")


def _json(value: Any) -> bytes:
    # Not as ASCII: an escaped half of a surrogate pair would pass here and break the reader.
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain)
    return text.encode()


def _plain(value: object) -> Any:
    if isinstance(value, datetime):
        return _timestamp(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError


def _timestamp(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise _FlawError("a time has no time zone")
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
