"""What is wrong with a room file, and how keys and values are written in messages.

Messages are one line each, in the words of a person who edits YAML, and hold no secret.
"""

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

KeyPath = tuple[str | int, ...]
"""Where a value stands: `("tools", 2, "name")`. The empty path is the whole file."""

_LONGEST = 40
_LOOKS_SECRET = re.compile(
    r"(?<![A-Za-z0-9])(sk-|ek_|xai-)[A-Za-z0-9_-]{12,}|-----BEGIN |(?<![A-Za-z0-9])eyJ[\w-]{16,}\."
)
_NEVER_SHOWN = {("session", "auth"), ("session", "url"), ("mqtt", "username")}
"""Keys under which people paste secrets by mistake."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, or that is worth a warning."""

    path: KeyPath
    """The key to mend; it may be one that is missing."""
    text: str
    """What is wrong and what would be right."""
    reads: tuple[KeyPath, ...] = ()
    """Other keys that led to this: if one of them is wrong itself, this problem may be a mere consequence."""
    line: int | None = None
    """Where the line is not that of `path`, from 1. With no path and no line, it is about the file as a whole."""


def looks_secret(text: str) -> bool:
    """Whether a part of `text` has the form of an API key, a client secret, a token or a private key."""
    return _LOOKS_SECRET.search(text) is not None


def is_touched(path: KeyPath, others: Collection[KeyPath]) -> bool:
    """Whether `path` stands above, at or below one of `others`."""
    return any(path[: len(other)] == other[: len(path)] for other in others)


def key_name(path: KeyPath, values: Any) -> str:
    """`path` as people read it: `gate.frame_ms`, `tools[set_light].confirm`. `values` is the file's content."""
    words = ""
    for depth, part in enumerate(path):
        if isinstance(part, int):
            words += f"[{_tool_name(values, part) if path[:depth] == ('tools',) else part}]"
        else:
            words += ("." if words else "") + _clean(part)
    return words


def shown(value: Any, path: KeyPath = ()) -> str:
    """`value` in a message: short, on one line, and only what it is where it may be a secret."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case str():
            if path[:2] in _NEVER_SHOWN or looks_secret(value):
                return "what stands there"
            return json.dumps(_cut(value), ensure_ascii=False)
        case list():
            return "a list"
        case _:
            return "keys with values"


def one_of(words: Sequence[str]) -> str:
    """`a`, `a or b`, `a, b or c`."""
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _tool_name(values: Any, index: int) -> str:
    """The name of a tool where it tells the tool from all others, else its place in the list, from 0."""
    tools = values.get("tools") if isinstance(values, dict) else None
    names = [tool.get("name") if isinstance(tool, dict) else None for tool in tools] if isinstance(tools, list) else []
    name = names[index] if index < len(names) else None
    is_telling = isinstance(name, str) and re.fullmatch(r"[a-z0-9_-]{1,64}", name) and names.count(name) == 1
    return str(name) if is_telling and not looks_secret(str(name)) else str(index)


def _clean(word: str) -> str:
    return "(hidden)" if looks_secret(word) else json.dumps(_cut(word), ensure_ascii=False)[1:-1]


def _cut(text: str) -> str:
    visible = "".join(char if char.isprintable() or char in "\n\t" else "?" for char in text)
    return visible if len(visible) <= _LONGEST else visible[: _LONGEST - 1] + "…"
