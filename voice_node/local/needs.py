"""What tools need of a sentence: when it is whole, what it lacks, and how to ask for that."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from voice_node.local.slots import Sayable, Span, Values, required_of, spoken
from voice_node.settings.tools import Tool

_MOST_LISTED = 4
"""Values that a question names."""


@dataclass(frozen=True, slots=True)
class Match:
    """A sentence was understood."""

    tool: str
    arguments: dict[str, Any]
    """Typed as the tool's JSON Schema has them."""


@dataclass(frozen=True, slots=True)
class Incomplete:
    """A sentence was understood but for something that the tool cannot do without."""

    tool: str
    arguments: dict[str, Any]
    missing: str
    """The parameter to ask for; others may be missing too."""


class Needs:
    """Of all tools; `add` what can be said for each parameter."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self._required = {tool.name: required_of(tool) for tool in tools}
        self._choices: dict[str, dict[str, Sayable]] = {tool.name: {} for tool in tools}

    def add(self, tool: str, parameter: str, sayable: Sayable) -> None:
        """This can be said for it."""
        self._choices[tool][parameter] = sayable

    def sayable(self, tool: str) -> dict[str, Sayable]:
        """The parameters that can be said, as the schema orders them."""
        return self._choices[tool]

    def askable(self, tool: str) -> list[str]:
        """Of these, what the tool cannot do without."""
        _, required = self._required[tool]
        return [name for name in self._choices[tool] if name in required]

    def lacks(self, tool: str, arguments: Collection[str]) -> list[str]:
        """What may be asked for and is not among these."""
        return [name for name in self.askable(tool) if name not in arguments]

    def judge(self, tool: str, said: dict[str, Any]) -> Match | Incomplete | None:
        """What a sentence with these arguments is; None where something is missing that cannot be asked for."""
        fixed, required = self._required[tool]
        arguments = {**fixed, **said}
        lacks = self.lacks(tool, arguments)
        unsaid = required - arguments.keys()
        if not unsaid:
            return Match(tool, arguments)
        return Incomplete(tool, arguments, lacks[0]) if len(lacks) == len(unsaid) else None

    def question(self, incomplete: Incomplete) -> str:
        """What to ask for the missing parameter."""
        name = spoken(incomplete.missing)
        match self._choices[incomplete.tool][incomplete.missing]:
            case Values(choices):
                values = [" ".join(spoken(value).split()) for _, value in choices]
                if len(values) == 2:
                    return f"{values[0].capitalize()} or {values[1]}?"
                if 2 < len(values) <= _MOST_LISTED:
                    return f"Which {name}: {', '.join(values[:-1])} or {values[-1]}?"
                return f"Which {name}?"
            case Span(start, stop, _):
                return f"What {name}, from {start} to {stop}?"
            case unknown:
                assert_never(unknown)
