"""What makes two calls the same."""

import json
from collections.abc import Mapping
from typing import Any


def identity(name: str, arguments: Mapping[str, Any]) -> str:
    """The same text for the same tool with the same arguments, in whichever order they were written."""
    return f"{name} {json.dumps(arguments, sort_keys=True, ensure_ascii=False, default=dict)}"
