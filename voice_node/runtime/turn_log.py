"""The journal's side of what home automation is told: each turn's end and its troubles with the turn's id, so that a
person finds in the log what the broker told. Spoken words stand in it only where the room file says so.
"""

import logging
import re
from collections.abc import Mapping
from typing import Any

from voice_node.model.report import EventType, Happening, Report

log = logging.getLogger(__name__)

_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_LOST = re.compile(r"the turn was lost: [a-z]{1,16}")
"""What follows it may be the service's."""
_UNUSED_RESULT = re.compile(r"[a-z0-9_-]{1,64}: the result is not used \([a-z]{1,16}\)")
"""It belongs to no turn; the service may use our codes, but not for words of that shape."""
_TOLD = frozenset(
    {
        "abandoned",
        "bad_arguments",
        "confirmed_unused",
        "denied",
        "late_call",
        "muted",
        "not_confirmed",
        "outside_hours",
        "pin_locked",
        "repeated_call",
        "same_call",
        "service_tool_failed",
        "stopped",
        "timeout",
        "too_many_calls",
        "too_often",
        "transcript_missing",
        "unknown_tool",
        "unreachable",
    }
)
"""Troubles of a turn whose text is ours alone: names of tools and servers, no spoken words and no arguments."""


def log_report(report: Report) -> None:
    """One line a turn at INFO, its troubles at WARNING, its calls at DEBUG; the rest is not for the journal."""
    match report:
        case Happening(event_type, fields, str(turn_id)):
            _log_happening(event_type, fields, turn_id)
        case Happening(EventType.ERROR, {"detail": str(detail)}, None) if _UNUSED_RESULT.fullmatch(detail):
            log.warning("%s", detail)
        case _:
            pass


def _log_happening(event_type: EventType, fields: Mapping[str, Any], turn_id: str) -> None:
    match event_type:
        case EventType.TURN_FINISHED:
            times = ", ".join(f"{stage} {ms} ms" for stage, ms in fields["timings_ms"].items())
            log.info("turn %s: %s; %s", turn_id, fields["status"], times or "no times")
        case EventType.ERROR:
            log.warning("turn %s: %s", turn_id, _trouble(fields["code"], fields["detail"]))
        case EventType.TOOL_CALL:
            log.debug("turn %s: calls %s", turn_id, fields["name"])
        case EventType.TOOL_RESULT:
            outcome = "done" if fields["is_ok"] else "failed"
            log.debug("turn %s: %s %s after %d ms", turn_id, fields["name"], outcome, fields["duration_ms"])
        case EventType.YIELDED:
            log.debug("turn %s: the room %s answers", turn_id, fields["to"])
        case EventType.SEGMENT:
            log.debug("turn %s: %d ms of sound", turn_id, fields["duration_ms"])
        case _:
            pass


def _trouble(code: str, detail: str) -> str:
    """The text where it is ours, with the code."""
    if code in _TOLD:
        return f"{detail} ({code})"
    lost = _LOST.match(detail) if code == "turn_lost" else None
    return _plain(code) if lost is None else f"{lost[0]} ({code})"


def _plain(code: str) -> str:
    """A code of ours; a service may put anything in the place of its own."""
    return code if _CODE.fullmatch(code) else "a code that is none"
