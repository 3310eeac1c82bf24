"""The items of one conversation, in order and bounded.

At most `MOST_ITEMS` are kept, with `MOST_TEXT` characters in all: one more, and the oldest is forgotten. Sound is not
kept: a retrieved item has the transcript alone.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from voice_node.local.checks import missing
from voice_node.local.dialogue import Called, CameBack, EngineSaid, Entry, UserSaid
from voice_node.local.refusal import Refused
from voice_node.local.wire import new_id

MOST_ITEMS = 200
MOST_TEXT = 1_000_000
_LONGEST_TEXT = 65536
_MOST_PARTS = 32
_LONGEST_ID = 128
_CONTENT = {
    "user": ("input_text", "input_audio"),
    "system": ("input_text",),
    "assistant": ("output_text", "text"),
}
_AFTER = ("item_create_invalid_previous_item_id", "adding item: the previous item")
_RETRIEVE = ("item_retrieve_invalid_item_id", "retrieving item: the item")
_DELETE = ("item_delete_invalid_item_id", "deleting item: the item")
_TRUNCATE = ("item_truncate_invalid_item_id", "truncating item: the item")
"""OpenAI's codes and words for an item that is not there. Clients go on after these: they race with truncation."""


@dataclass(slots=True)
class Item:
    """One item: what the client sees of it, and what the engine knows besides."""

    content: dict[str, Any]
    """As on the wire."""
    words: str = ""
    """What a person said, as far as it may be obeyed."""
    is_doubtful: bool = False
    """It was heard badly: to be read back before it is obeyed."""
    audio_ms: float = 0.0
    """Sound that was sent for it: the most that it can be truncated to."""
    sound: str | None = None
    """Base64 of what came with it and was not listened to yet."""
    is_cut: bool = False
    """What was not played is forgotten."""

    @property
    def id(self) -> str:
        item_id: str = self.content["id"]
        return item_id


class Conversation:
    """The default conversation of one session."""

    def __init__(self) -> None:
        self.id = new_id("conv")
        self._items: list[Item] = []

    def add(self, item: Item, previous_item_id: str | None = None) -> str | None:
        """Put the item last, or after another (`root`: first, "": last); the id of the one before. Raises Refused."""
        if any(other.id == item.id for other in self._items):
            words = f"Error adding item: an item with id '{item.id}' already exists."
            raise Refused("item_create_duplicate_item_id", words)
        if previous_item_id == "root":
            index = 0
        elif not previous_item_id:
            index = len(self._items)
        else:
            index = self._index(previous_item_id, _AFTER, "previous_item_id") + 1
        self._items.insert(index, item)
        before = self._items[index - 1].id if index else None
        length = sum(_length(other.content) for other in self._items)
        while len(self._items) > MOST_ITEMS or (length > MOST_TEXT and len(self._items) > 1):
            length -= _length(self._items.pop(0).content)
        return before

    def get(self, item_id: object) -> Item:
        """Raises Refused where it is not there."""
        return self._items[self._index(item_id, _RETRIEVE)]

    def replace(self, content: dict[str, Any]) -> None:
        """Give the item of this id its final content; nothing where it was deleted meanwhile."""
        for item in self._items:
            if item.id == content["id"]:
                item.content = content
                if item.is_cut:
                    _forget_words(content)

    def delete(self, item_id: object) -> None:
        """Raises Refused where it is not there."""
        del self._items[self._index(item_id, _DELETE)]

    def truncate(self, item_id: object, content_index: object, audio_end_ms: object) -> tuple[int, int]:
        """Forget what was not played of a spoken item; index and milliseconds as they are now. Raises Refused."""
        item = self._items[self._index(item_id, _TRUNCATE)]
        parts = item.content.get("content", [])
        is_spoken = parts[0]["type"] == "output_audio" if parts else item.audio_ms > 0  # it may still be in work
        if item.content.get("role") != "assistant" or not is_spoken:
            raise Refused("unsupported_content_type", "Only model output audio messages can be truncated.", "item_id")
        if content_index != 0 or isinstance(content_index, bool):
            raise Refused("invalid_value", "Expected 0 for 'content_index'.", "content_index")
        if audio_end_ms is None:
            raise missing("audio_end_ms")
        if isinstance(audio_end_ms, bool) or not isinstance(audio_end_ms, int) or audio_end_ms < 0:
            raise Refused("invalid_type", "Expected a whole number of at least 0 for 'audio_end_ms'.", "audio_end_ms")
        if audio_end_ms > item.audio_ms:
            message = f"Audio content of {item.audio_ms:.0f}ms is already shorter than {audio_end_ms}ms"
            raise Refused("invalid_value", message, "audio_end_ms")
        item.audio_ms, item.is_cut = audio_end_ms, True
        _forget_words(item.content)
        return 0, audio_end_ms

    def entries(self) -> list[Entry]:
        """The conversation as the dialogue sees it."""
        return list(entries_of(self._items))

    def has_call(self, call_id: str) -> bool:
        """Whether a call of this id was made."""
        return any(item.content.get("call_id") == call_id for item in self._items)

    def last_id(self) -> str | None:
        """The newest item's."""
        return self._items[-1].id if self._items else None

    def _index(self, item_id: object, absent: tuple[str, str], param: str = "item_id") -> int:
        if item_id is None:
            raise missing(param)
        if not isinstance(item_id, str):
            raise Refused("invalid_type", f"Expected a string for '{param}'.", param)
        for index, item in enumerate(self._items):
            if item.id == item_id:
                return index
        code, words = absent
        raise Refused(code, f"Error {words} with id '{item_id[:_LONGEST_ID]}' does not exist.")


def entries_of(items: Sequence[Item]) -> Iterator[Entry]:
    """Items as the dialogue sees them; system messages mean nothing to it."""
    for item in items:
        content = item.content
        match content["type"], content.get("role"):
            case "message", "user":
                yield UserSaid(item.words, item.is_doubtful)
            case "message", "assistant":
                yield EngineSaid()
            case "function_call", _:
                yield Called(content["call_id"], content["name"], content["arguments"])
            case "function_call_output", _:
                yield CameBack(content["call_id"], content["output"])


def read_item(raw: Any, place: str = "item") -> Item:
    """A client's item, checked. Raises Refused."""
    if raw is None:
        raise missing(place)
    if not isinstance(raw, dict):
        raise Refused("invalid_type", f"Expected an object for '{place}'.", place)
    item_id = _text(raw, "id", place, default=new_id("item"))
    if not 0 < len(item_id) <= _LONGEST_ID or item_id == "root":
        raise Refused("invalid_value", f"'{place}.id' must have 1 to {_LONGEST_ID} characters.", f"{place}.id")
    base = {"id": item_id, "object": "realtime.item", "type": raw.get("type"), "status": "completed"}
    match raw.get("type"):
        case "message":
            return _message(raw, base, place)
        case "function_call":
            call = {"name": _text(raw, "name", place), "arguments": _text(raw, "arguments", place)}
            return Item({**base, **call, "call_id": _text(raw, "call_id", place, default=new_id("call"))})
        case "function_call_output":
            return Item({**base, "call_id": _text(raw, "call_id", place), "output": _text(raw, "output", place)})
        case _:
            expected = "'message', 'function_call' or 'function_call_output'"
            raise Refused("invalid_value", f"Invalid value for '{place}.type': expected {expected}.", f"{place}.type")


def spoken_item(item_id: str) -> Item:
    """A person's message that was spoken."""
    return Item(message(item_id, "user", [{"type": "input_audio", "transcript": None}], "completed"))


def message(item_id: str, role: str, parts: list[dict[str, Any]], status: str) -> dict[str, Any]:
    """A message as on the wire."""
    base = {"id": item_id, "object": "realtime.item", "type": "message", "status": status}
    return {**base, "role": role, "content": parts}


def function_call(item_id: str, call_id: str, name: str, arguments: str, status: str) -> dict[str, Any]:
    """A call as on the wire; `arguments` is JSON text."""
    base = {"id": item_id, "object": "realtime.item", "type": "function_call", "status": status}
    return {**base, "name": name, "call_id": call_id, "arguments": arguments}


def to_json(arguments: Any) -> str:
    """Arguments as text."""
    return json.dumps(arguments, ensure_ascii=False)


def _length(content: Any) -> int:
    """Characters of an item's texts."""
    match content:
        case str():
            return len(content)
        case dict():
            return sum(map(_length, content.values()))
        case list():
            return sum(map(_length, content))
        case _:
            return 0


def _forget_words(content: dict[str, Any]) -> None:
    for part in content["content"]:
        part["transcript"] = ""


def _message(raw: dict[str, Any], base: dict[str, Any], place: str) -> Item:
    role = raw.get("role")
    if not isinstance(role, str) or role not in _CONTENT:
        raise Refused("invalid_value", f"Invalid value for '{place}.role': user, system or assistant.", f"{place}.role")
    parts = raw.get("content")
    if not isinstance(parts, list) or len(parts) > _MOST_PARTS:
        where = f"{place}.content"
        raise Refused("invalid_type", f"Expected an array of at most {_MOST_PARTS} parts for '{where}'.", where)
    kept: list[dict[str, Any]] = []
    item = Item({**base, "role": role, "content": kept})
    for index, part in enumerate(parts):
        where = f"{place}.content[{index}]"
        kind = part.get("type") if isinstance(part, dict) else None
        if kind not in _CONTENT[role]:
            expected = " or ".join(repr(name) for name in _CONTENT[role])
            raise Refused("invalid_value", f"Invalid value for '{where}.type': expected {expected}.", f"{where}.type")
        if kind == "input_audio":
            if item.sound is not None:
                raise Refused("invalid_value", "Only one part of an item may be sound.", where)
            item.sound = _text(part, "audio", where, longest=16 * 1024 * 1024)
            kept.append({"type": kind, "transcript": None})
        else:
            kept.append({"type": "output_text" if kind == "text" else kind, "text": _text(part, "text", where)})
    if sum(len(part.get("text", "")) for part in kept) > _LONGEST_TEXT:
        where = f"{place}.content"
        raise Refused("string_above_max_length", f"'{where}' is longer than {_LONGEST_TEXT} characters.", where)
    if role == "user":
        item.words = " ".join(part["text"] for part in kept if "text" in part)
    return item


def _text(
    raw: dict[str, Any], name: str, place: str, *, default: str | None = None, longest: int = _LONGEST_TEXT
) -> str:
    value = raw.get(name, default)
    if value is None and default is not None:
        value = default
    if value is None:
        raise missing(f"{place}.{name}")
    if not isinstance(value, str):
        raise Refused("invalid_type", f"Expected a string for '{place}.{name}'.", f"{place}.{name}")
    if len(value) > longest:
        message = f"'{place}.{name}' is longer than {longest} characters."
        raise Refused("string_above_max_length", message, f"{place}.{name}")
    return value
