"""Plain values into settings, and every mistake at once.

A schema stops at its first rounds of mistakes: what depends on several keys is only looked at when all of them are
right. So the parts that are wrong are cut out, which leaves their defaults, and what is left is looked at again. A
complaint about keys that were wrong already is withheld, because it may be a mere consequence.
"""

import copy
import itertools
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from voice_node.settings.problem import KeyPath, Problem, is_touched
from voice_node.settings.schema import RoomSettings
from voice_node.settings.wording import problems_of

Check = Callable[[RoomSettings], Iterable[Problem]]
"""Looks at what depends on several keys. Indices of tools are those of `RoomSettings.tools`."""

_STAND_IN = "room"
_MOST_ROUNDS = 20


def validate(
    values: dict[str, Any], broken: Collection[KeyPath], checks: Iterable[Check]
) -> tuple[RoomSettings | None, list[Problem]]:
    """Settings of `values`, and what is wrong with them; with problems, the settings are for nothing but more checks.

    `broken` are places that were complained about before. Each check is spared what an earlier one complained about.
    """
    left = _Left(values)
    wrong = set(broken)
    problems: list[Problem] = []
    for _ in range(_MOST_ROUNDS):
        try:
            settings = RoomSettings.model_validate(left.values())
        except ValidationError as error:
            found = problems_of(error, left.values())
            origins = [left.origin(problem.path) for problem in found]
            problems += [
                replace(problem, path=origin)
                for problem, origin in zip(found, origins, strict=True)
                if not is_touched(origin, wrong)
            ]
            for origin in origins:
                wrong |= {origin, left.cut(origin)}
        else:
            for check in checks:
                complaints = list(_not_consequences(check(settings), left, wrong))
                problems += complaints
                wrong |= {problem.path for problem in complaints}
            return settings, problems
    return None, problems


def _not_consequences(found: Iterable[Problem], left: "_Left", wrong: Collection[KeyPath]) -> Iterable[Problem]:
    for problem in found:
        places = [left.origin(path) for path in (problem.path, *problem.reads)]
        if not any(is_touched(place, wrong) for place in places):
            yield replace(problem, path=places[0])


class _Left:
    """What is left of the file's values. Tools that are cut out leave their places to the next: see `origin`."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = copy.deepcopy(values)
        tools = self._values.get("tools")
        self._tools: dict[int, Any] | None = dict(enumerate(tools)) if isinstance(tools, list) else None

    def values(self) -> dict[str, Any]:
        if self._tools is not None:
            self._values["tools"] = list(self._tools.values())
        return self._values

    def origin(self, path: KeyPath) -> KeyPath:
        """`path` with the tool's index in the file."""
        if self._tools is not None and path[:1] == ("tools",) and len(path) > 1 and isinstance(path[1], int):
            return ("tools", list(self._tools)[path[1]], *path[2:])
        return path

    def cut(self, path: KeyPath) -> KeyPath:
        """Take out `path`, or what lacks it, and return what was taken. Of lists, `tools` alone loses single items."""
        if path[:1] == ("room",) or not path:
            self._values["room"] = _STAND_IN
            return path
        if self._tools is not None and path[0] == "tools" and len(path) > 1 and isinstance(path[1], int):
            taken = _take(self._tools.get(path[1]), path[2:])
            if not taken:
                self._tools.pop(path[1], None)
            return (*path[:2], *taken)
        if path == ("tools",):
            self._tools = None
        return _take(self._values, path)


def _take(container: Any, path: KeyPath) -> KeyPath:
    """Delete what stands at `path`, or the nearest above it that is there; the path of what was deleted."""
    keys = tuple(itertools.takewhile(lambda part: isinstance(part, str), path))
    while keys:
        holder = container
        for key in keys[:-1]:
            holder = holder.get(key) if isinstance(holder, dict) else None
        if isinstance(holder, dict) and keys[-1] in holder:
            del holder[keys[-1]]
            break
        keys = keys[:-1]
    return keys
