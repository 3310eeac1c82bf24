"""JSON from strangers, within bounds."""

from typing import Any

from voice_node.local.refusal import Refused
from voice_node.model.json_text import BadJson, read_json

_MOST_STRUCTURE = 20_000
"""Commas and brackets in one text: sound has none, everything else has fewer."""


def read_object(text: str) -> dict[str, Any]:
    """One JSON object, of finite numbers and a bounded number and depth of parts. Raises Refused."""
    if sum(text.count(sign) for sign in ",[{") > _MOST_STRUCTURE:
        raise Refused("invalid_event", "The JSON has too many parts.")
    try:
        value = read_json(text)
    except BadJson as error:
        raise Refused("invalid_json", f"The event cannot be read: {error}.") from None
    if not isinstance(value, dict):
        raise Refused("invalid_event", "Expected one JSON object.")
    return value
