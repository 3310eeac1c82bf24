"""What the local engine answers: calls for what it understood, plain words for what came of them.

The rules, over the items of a conversation in their order:

1. Outputs of calls after the last message are spoken, one sentence each: the tool's `say` where the output is a
   success, what went wrong where it is not.
2. Else the last message of a person is matched: each part that was understood is called.
3. Else, where home asked for a confirmation of calls and this is what was said to it, the same calls are made again:
   home knows what a yes is.
4. Else the engine says that it did not understand. It never guesses and never calls on a guess.

Tools that ask for confirmation are not offered, unless the room file says `offline: true`.
"""

import json
import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from voice_node.local.slots import spoken
from voice_node.settings.tools import Tool

NOT_UNDERSTOOD = "Sorry, I did not understand that."
NO_ANSWER = "No answer from home."
STILL_WAITING = "I am still waiting for your home."
DONE = "Done."
REALLY = "Shall I really do that?"
_LONGEST_DETAIL = 160
_NOBODY_ANSWERED = re.compile(r"unreachable|time(d)?[ _-]?out|no answer|not answer|offline", re.IGNORECASE)
_FIELD = re.compile(r"\{([A-Za-z0-9_-]+)\}")


@dataclass(frozen=True, slots=True)
class Say:
    """Answer in these words."""

    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """Call this tool."""

    tool: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CallAll:
    """Call these tools, in one response."""

    calls: tuple[Call, ...]


Answer = Say | CallAll
"""Closed: match it with `assert_never`."""


@dataclass(frozen=True, slots=True)
class UserSaid:
    """A message of a person; "" where nothing was understood."""

    text: str


@dataclass(frozen=True, slots=True)
class EngineSaid:
    """A message of the engine."""


@dataclass(frozen=True, slots=True)
class Called:
    """A call that the engine made."""

    call_id: str
    tool: str
    arguments: str
    """JSON text."""


@dataclass(frozen=True, slots=True)
class CameBack:
    """What home automation answered to a call."""

    call_id: str
    output: str
    """Text, usually JSON."""


Entry = UserSaid | EngineSaid | Called | CameBack
"""Closed: one item of a conversation."""

Understand = Callable[[str, Collection[str]], Sequence[Call]]
"""Words and the offered tools -> calls; none where it is not understood."""


def is_offline_allowed(tool: Tool) -> bool:
    """Whether the local engine may call this tool."""
    return tool.policy == "never" if tool.offline is None else tool.offline


def answer(
    entries: Sequence[Entry], offered: Collection[str], tools: Mapping[str, Tool], understand: Understand
) -> Answer:
    """What to answer to this conversation; `offered` are the tools that may be called now."""
    tail = list(_after_last_message(entries))
    calls = {entry.call_id: entry for entry in entries if isinstance(entry, Called)}
    results = [entry for entry in tail if isinstance(entry, CameBack)]
    if results:
        sentences = [_report(result, calls.get(result.call_id), tools) for result in results]
        return Say(" ".join(dict.fromkeys(sentences)))
    if tail:
        return Say(STILL_WAITING)
    last = entries[-1] if entries else None
    understood = understand(last.text, offered) if isinstance(last, UserSaid) else ()
    understood = understood or [call for call in _unconfirmed(entries) if call.tool in offered]
    return CallAll(tuple(understood)) if understood else Say(NOT_UNDERSTOOD)


def _after_last_message(entries: Sequence[Entry]) -> Sequence[Entry]:
    for index in range(len(entries) - 1, -1, -1):
        if isinstance(entries[index], UserSaid | EngineSaid):
            return entries[index + 1 :]
    return entries


def _unconfirmed(entries: Sequence[Entry]) -> Iterator[Call]:
    """The calls that the last message but one was the question for."""
    if len(entries) < 2 or not isinstance(entries[-2], EngineSaid):
        return
    calls = {entry.call_id: entry for entry in entries if isinstance(entry, Called)}
    for entry in _after_last_message(entries[:-2]):
        if isinstance(entry, CameBack) and entry.call_id in calls and _wants_confirmation(entry.output):
            yield Call(calls[entry.call_id].tool, _arguments(calls[entry.call_id]))


def _wants_confirmation(output: str) -> bool:
    try:
        content = json.loads(output)
    except (ValueError, RecursionError):
        return False
    return isinstance(content, dict) and content.get("status") == "confirmation_needed"


def _report(result: CameBack, call: Called | None, tools: Mapping[str, Tool]) -> str:
    try:
        output = json.loads(result.output)
    except (ValueError, RecursionError):
        output = result.output
    if _wants_confirmation(result.output):
        return REALLY
    error = _error(output)
    if error is not None:
        if _NOBODY_ANSWERED.search(error):
            return NO_ANSWER
        return f"That did not work: {error}." if error else "That did not work."
    tool = tools.get(call.tool) if call is not None else None
    if tool is not None and tool.say is not None and call is not None:
        said = _fill(tool.say, _arguments(call), output)
        if said is not None:
            return said
    match output:
        case str() if output.strip() and output.strip().lower() not in ("ok", "done", "success"):
            return _sentence(output)
        case int() | float() if not isinstance(output, bool) and math.isfinite(output):
            return _sentence(spoken(output))
        case _:
            return DONE


def _error(output: object) -> str | None:
    """What went wrong, as a part of a sentence; None where nothing did."""
    if not isinstance(output, dict):
        return None
    error = output.get("error")
    if isinstance(error, dict):
        error = error.get("message", "")
    if error:
        return " ".join(str(error).split())[:_LONGEST_DETAIL].rstrip(" .!")
    if output.get("success") is False or output.get("ok") is False:
        return ""
    return None


def _arguments(call: Called) -> dict[str, Any]:
    try:
        arguments = json.loads(call.arguments)
    except (ValueError, RecursionError):
        return {}
    return arguments if isinstance(arguments, dict) else {}


def _fill(template: str, arguments: Mapping[str, Any], output: object) -> str | None:
    """The template with arguments, and fields of the output, put in; None where one is missing."""
    values = {**arguments, **(output if isinstance(output, dict) else {"output": output})}
    if any(values.get(name) is None for name in _FIELD.findall(template)):
        return None
    return _FIELD.sub(lambda field: spoken(values[field[1]])[:_LONGEST_DETAIL], template)


def _sentence(text: str) -> str:
    text = " ".join(text.split())[:_LONGEST_DETAIL]
    return text if text.endswith((".", "!", "?")) else f"{text}."
