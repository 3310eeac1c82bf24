"""What a server answers -> the output of the call: JSON for the model, bounded."""

import json
from typing import Any

from voice_node.model.json_text import BadJson, read_json

LONGEST = 16 * 1024
"""Characters of an answer that the model is given."""
LONGEST_ERROR = 500
CUT = " ... (the rest is left out)"


def output(texts: list[str], structured: Any) -> Any:
    """The texts of an answer together; where it is JSON, its value; without texts, the structured answer."""
    text = "\n".join(texts)
    if not text and structured is not None:
        text = json.dumps(structured, ensure_ascii=False)
    if not text:
        return "done"
    if len(text) > LONGEST:
        return text[:LONGEST] + CUT
    try:
        return read_json(text)
    except BadJson:
        return text


def error(texts: list[str]) -> str:
    """What went wrong, as the server says it."""
    text = "\n".join(texts)[: LONGEST_ERROR + 1]
    return text[:LONGEST_ERROR] or "the tool failed"
