"""What a server lists -> the tools that the model is offered.

Rules

1. Only what `allow` names is offered. A name there, or in `tools`, may leave out what stands before the first `__`:
   Home Assistant put `homeassistant__` before its own names, and a policy must not fall away with such a change.
2. The model's name for a tool is its server's in small letters, words apart: `HassTurnOn` is `hass_turn_on`, so that
   the rules for names that look dangerous see the words. Whatever is no letter, digit, `_` or `-` becomes `_`. What is
   too long, or comes out alike, ends in a part of a hash of its own name.
3. A tool that cannot be offered is left out and told; one whose name cannot be printed is left out. The others are in
   the order of their names: a server that lists the same tools in another order has not changed.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from voice_node.mcp.schema import UnusableSchema, clean, usable_schema
from voice_node.settings.mcp import McpRule, McpServer, RemoteTool
from voice_node.settings.tools import Tool

LONGEST_NAME = 64
MOST_TOOLS = 64
"""Of one server; the model reads them all in every turn."""
LONGEST_DESCRIPTION = 1024

_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_STRANGE = re.compile(r"[^a-z0-9_-]")


@dataclass(frozen=True, slots=True)
class Listed:
    """A tool as its server describes it."""

    name: str
    description: str
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What is offered of one server."""

    tools: tuple[RemoteTool, ...] = ()
    problems: tuple[str, ...] = ()
    """What is not, and why; for people."""


def catalogue(
    server: McpServer, listed: Iterable[Listed], fault: Callable[[Tool], str | None] = lambda _: None
) -> Catalogue:
    """The tools of a server; `fault` says what is wrong with one's schema."""
    by_name: dict[str, Listed] = {}
    for tool in listed:
        if tool.name.isprintable() and _allows(server.allow, tool.name):
            by_name.setdefault(tool.name, tool)
    problems = [f"{clean(pattern, 64)}: it lists no such tool" for pattern in _idle(server, by_name)]
    if len(by_name) > MOST_TOOLS:
        problems.append(f"it lists {len(by_name)} tools that are allowed; only the first {MOST_TOOLS} are offered")
    wanted = list(by_name.values())[:MOST_TOOLS]
    names = safe_names([tool.name for tool in wanted])
    tools: list[RemoteTool] = []
    for name, tool in zip(names, wanted, strict=True):
        if name in [other.name for other in tools]:
            problems.append(f"{name}: another tool is called so")
            continue
        try:
            offered = _offered(server, name, tool)
        except UnusableSchema as error:
            problems.append(f"{name}: its schema cannot be used: {error}")
            continue
        wrong = fault(offered)
        if wrong is not None:
            problems.append(f"{name}: its schema cannot be used: {clean(wrong, 200)}")
            continue
        tools.append(offered)
        if offered.policy == "deny":
            likeness = "a lock, a door, a gate, an alarm or an oven"
            problems.append(f"{name}: looks like {likeness}: never called without a `confirm`")
    return Catalogue(tuple(sorted(tools, key=lambda tool: tool.name)), tuple(problems))


def safe_names(names: Sequence[str]) -> list[str]:
    """A name for each that a tool may have here."""
    plain = [_STRANGE.sub("_", _WORD.sub("_", name).lower()) for name in names]
    count = Counter(plain)
    return [
        short if short and len(short) <= LONGEST_NAME and (count[short] == 1 or short == name) else _hashed(short, name)
        for short, name in zip(plain, names, strict=True)
    ]


def _hashed(short: str, name: str) -> str:
    digest = hashlib.sha256(name.encode(errors="backslashreplace")).hexdigest()[:8]
    return f"{short[: LONGEST_NAME - 9]}_{digest}"


def _offered(server: McpServer, name: str, tool: Listed) -> RemoteTool:
    rule = next((rule for rule in server.tools if _fits(rule.name, tool.name)), McpRule(name="*"))
    return RemoteTool(
        name=name,
        description=clean(tool.description, LONGEST_DESCRIPTION) or name,
        parameters=usable_schema(tool.schema),
        timeout_s=server.timeout_s,
        confirm=rule.confirm or server.confirm,
        max_per_minute=rule.max_per_minute or server.max_per_minute,
        hours=rule.hours or server.hours,
        server=server.name,
        remote_name=tool.name,
    )


def _allows(patterns: Iterable[str], name: str) -> bool:
    return any(_fits(pattern, name) for pattern in patterns)


def _fits(pattern: str, name: str) -> bool:
    return fnmatchcase(name, pattern) or fnmatchcase(name.partition("__")[2] or name, pattern)


def _idle(server: McpServer, names: Iterable[str]) -> list[str]:
    """What the room file names, and the server does not list."""
    patterns = dict.fromkeys([*server.allow, *(rule.name for rule in server.tools)])
    return [pattern for pattern in patterns if not any(_fits(pattern, name) for name in names)]
