"""JSON from strangers, within bounds."""

import json
from typing import Any

from voice_node.local.refusal import Refused

_MOST_STRUCTURE = 20_000
"""Commas and brackets in one text: sound has none, everything else has fewer."""
_DEEPEST = 64


def read_object(text: str) -> dict[str, Any]:
    """One JSON object, of finite numbers and a bounded number and depth of parts. Raises Refused."""
    if sum(text.count(sign) for sign in ",[{") > _MOST_STRUCTURE:
        raise Refused("invalid_event", "The JSON has too many parts.")
    try:
        value = json.loads(text, parse_constant=_no_number, parse_float=_finite)
    except (ValueError, RecursionError):
        raise Refused("invalid_json", "This is not JSON, or is nested too deeply.") from None
    if not isinstance(value, dict):
        raise Refused("invalid_event", "Expected one JSON object.")
    if _depth_exceeds(value, _DEEPEST):
        raise Refused("invalid_event", "The JSON is nested too deeply.")
    return value


def _no_number(_text: str) -> float:
    raise ValueError


def _finite(text: str) -> float:
    value = float(text)
    if value - value != 0:
        raise ValueError
    return value


def _depth_exceeds(value: object, most: int) -> bool:
    level: list[object] = [value]
    for _ in range(most):
        level = [
            item
            for outer in level
            if isinstance(outer, dict | list)
            for item in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(item, dict | list)
        ]
        if not level:
            return False
    return True
