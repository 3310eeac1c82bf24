"""What the local engine answers: calls for what it understood, plain words for what came of them.

The rules, over the items of a conversation in their order:

1. Outputs of calls after the last message are spoken, one sentence each: the tool's `say` where the output is a
   success, what went wrong where it is not.
2. Else the last message of a person is read, together with what the engine asked just before:
   - asked whether it heard a sentence rightly: yes calls, no lets it be;
   - asked for what a sentence lacked: the answer completes it, and the next lack is asked for;
   - home asked for a confirmation of calls: whatever was said, the same calls are made again, since home knows what a
     yes is; a stop lets them be.
3. Words that are a sentence by themselves are called, whatever was asked; a sentence that lacks something is asked
   about; one that was heard badly is read back before anything happens.
4. The time, the date, "say that again", "stop" and "never mind" are the engine's own; a tool's sentence goes first. A
   question that is said again may still be answered.
5. Else the engine says that it did not understand. It never guesses and never calls on a guess.

What was asked is not kept: it follows from the items before, by the same rules. Tools that ask for confirmation are not
offered, unless the room file says `offline: true`.
"""

import contextlib
import json
import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, assert_never

from voice_node.local.phrases import Phrase, date_in_words, time_in_words
from voice_node.local.slots import spoken
from voice_node.settings.tools import Tool

NOT_UNDERSTOOD = "Sorry, I did not understand that."
NO_ANSWER = "No answer from home."
STILL_WAITING = "I am still waiting for your home."
DONE = "Done."
_DID_YOU_SAY = "Did you say: {}?"
REALLY = "Shall I really do that?"
LET_BE = "All right."
_LONGEST_DETAIL = 160
_DEEPEST = 4
"""Questions in a row that are remembered."""
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
    is_doubtful: bool = False
    """It was heard, but badly."""


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


@dataclass(frozen=True, slots=True)
class Lack:
    """A call that lacks something."""

    call: Call
    missing: str
    """The parameter."""
    question: str


class Understanding(Protocol):
    """What words mean."""

    def read(self, text: str, offered: Collection[str]) -> Sequence[Call] | Lack:
        """The calls that this text asks for; none where it is not understood."""

    def fill(self, lack: Lack, text: str) -> Call | Lack | None:
        """The answer to a question put in; None where this is none."""

    def phrase(self, text: str) -> Phrase | None:
        """What is said to the engine itself."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question, and the calls that a yes to it makes, or the call that its answer completes."""

    text: str
    about: tuple[Call, ...] | Lack


class Dialogue:
    """Answers conversations about `tools`."""

    def __init__(self, tools: Mapping[str, Tool], understanding: Understanding) -> None:
        self._tools = tools
        self._understanding = understanding

    def answer(self, entries: Sequence[Entry], offered: Collection[str], now: datetime) -> Answer:
        """What to answer to this conversation; `offered` are the tools that may be called now, `now` is local time."""
        decided = self._decide(entries, offered, now, _DEEPEST)
        return Say(decided.text) if isinstance(decided, _Asked) else decided

    def _decide(self, entries: Sequence[Entry], offered: Collection[str], now: datetime, depth: int) -> Answer | _Asked:
        tail = list(_after_last_message(entries))
        calls = {entry.call_id: entry for entry in entries if isinstance(entry, Called)}
        results = [entry for entry in tail if isinstance(entry, CameBack)]
        if results:
            sentences = [_report(result, calls.get(result.call_id), self._tools) for result in results]
            return Say(" ".join(dict.fromkeys(sentences)))
        if tail:
            return Say(STILL_WAITING)
        last = entries[-1] if entries else None
        if not isinstance(last, UserSaid):
            return Say(NOT_UNDERSTOOD)
        phrase = self._understanding.phrase(last.text)
        before = entries[:-2] if len(entries) > 1 and isinstance(entries[-2], EngineSaid) else []
        asked = self._decide(before, offered, now, depth - 1) if before and depth else None
        answered = self._answer_to(asked, last, phrase) if isinstance(asked, _Asked) else None
        if answered is not None and (not isinstance(answered, CallAll) or _are_offered(answered.calls, offered)):
            return answered
        understood = self._read(last, offered)
        if understood is not None:
            return understood
        unconfirmed = [call for call in _unconfirmed(before) if call.tool in offered]
        if unconfirmed and phrase is not Phrase.STOP:
            return CallAll(tuple(unconfirmed))
        return self._own(phrase, entries[:-1], offered, now, depth)

    def _answer_to(self, asked: _Asked, said: UserSaid, phrase: Phrase | None) -> Answer | _Asked | None:
        """What follows from the answer to a question; None where it is none."""
        if phrase in (Phrase.NO, Phrase.STOP):
            return Say(LET_BE)
        if not isinstance(asked.about, Lack):
            return CallAll(asked.about) if phrase is Phrase.YES and not said.is_doubtful else None
        match self._understanding.fill(asked.about, said.text):
            case Lack() as lack:
                return _Asked(lack.question, lack)
            case Call() as call if said.is_doubtful:
                return _Asked(_DID_YOU_SAY.format(said.text), (call,))
            case Call() as call:
                return CallAll((call,))
            case None:
                return None

    def _read(self, said: UserSaid, offered: Collection[str]) -> Answer | _Asked | None:
        match self._understanding.read(said.text, offered):
            case Lack() if said.is_doubtful:
                return None
            case Lack() as lack:
                return _Asked(lack.question, lack)
            case []:
                return None
            case calls if said.is_doubtful:
                return _Asked(_DID_YOU_SAY.format(said.text), tuple(calls))
            case calls:
                return CallAll(tuple(calls))

    def _own(
        self, phrase: Phrase | None, before: Sequence[Entry], offered: Collection[str], now: datetime, depth: int
    ) -> Answer | _Asked:
        """What the engine answers by itself."""
        match phrase:
            case Phrase.TIME:
                return Say(time_in_words(now))
            case Phrase.DATE:
                return Say(date_in_words(now))
            case Phrase.STOP | Phrase.NO:
                return Say(LET_BE)
            case Phrase.REPEAT:
                said = [index for index, entry in enumerate(before) if isinstance(entry, EngineSaid)]
                again = self._decide(before[: said[-1]], offered, now, depth - 1) if said and depth else None
                return Say(NOT_UNDERSTOOD) if again is None or isinstance(again, CallAll) else again
            case Phrase.YES | None:
                return Say(NOT_UNDERSTOOD)
            case _:
                assert_never(phrase)


def _are_offered(calls: Sequence[Call], offered: Collection[str]) -> bool:
    return all(call.tool in offered for call in calls)


def _after_last_message(entries: Sequence[Entry]) -> Sequence[Entry]:
    for index in range(len(entries) - 1, -1, -1):
        if isinstance(entries[index], UserSaid | EngineSaid):
            return entries[index + 1 :]
    return entries


def _unconfirmed(entries: Sequence[Entry]) -> Iterator[Call]:
    """The calls at the end of `entries` that home wants confirmed."""
    calls = {entry.call_id: entry for entry in entries if isinstance(entry, Called)}
    for entry in _after_last_message(entries):
        if isinstance(entry, CameBack) and entry.call_id in calls and _wants_confirmation(entry.output):
            yield Call(calls[entry.call_id].tool, _arguments(calls[entry.call_id]))


def _wants_confirmation(output: str) -> bool:
    content = _decoded(output)
    return isinstance(content, dict) and content.get("status") == "confirmation_needed"


def _decoded(output: str) -> Any:
    """What a tool gave, as JSON or as text; some clients put an object's JSON into JSON once more."""
    content: Any = output
    with contextlib.suppress(ValueError, RecursionError):
        content = json.loads(output)
        if isinstance(content, str) and content.startswith("{"):
            content = json.loads(content)
    return content


def _report(result: CameBack, call: Called | None, tools: Mapping[str, Tool]) -> str:
    output = _decoded(result.output)
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
