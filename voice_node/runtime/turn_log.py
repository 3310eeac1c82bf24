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


def log_report(report: Report) -> None:
    """One line a turn at INFO, its troubles at WARNING, its calls at DEBUG; the rest is not for the journal."""
    match report:
        case Happening(event_type, fields, str(turn_id)):
            _log_happening(event_type, fields, turn_id)
        case _:
            pass


def _log_happening(event_type: EventType, fields: Mapping[str, Any], turn_id: str) -> None:
    match event_type:
        case EventType.TURN_FINISHED:
            times = ", ".join(f"{stage} {ms} ms" for stage, ms in fields["timings_ms"].items())
            log.info("turn %s: %s; %s", turn_id, fields["status"], times or "no times")
        case EventType.ERROR:
            log.warning("turn %s: %s", turn_id, _plain(fields["code"]))
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


def _plain(code: str) -> str:
    """A code of ours; a service may put anything in the place of its own."""
    return code if _CODE.fullmatch(code) else "a code that is none"
