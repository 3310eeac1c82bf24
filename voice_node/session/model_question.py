"""Asks a service for its models, as a process of its own: `python -m voice_node.session.model_question`.

Reads one JSON object from standard input, {"session": the section, "key": the key or null}, so that the key stands in
no list of processes. Prints one: {"troubles": texts for people}, or {"unlisted": why the service told nothing}.
"""

import asyncio
import json
import os
import sys
from contextlib import suppress
from datetime import UTC, datetime

from voice_node.session.models import Unlisted, list_models, troubles
from voice_node.settings.session import SessionSettings

IDLE = 19
"""The room hears and speaks meanwhile."""


def answer(question: str) -> str:
    """What is to be printed for what was read."""
    asked = json.loads(question)
    settings = SessionSettings.model_validate(asked["session"])
    models = asyncio.run(list_models(settings, asked["key"]))
    if isinstance(models, Unlisted):
        return json.dumps({"unlisted": models.detail})
    return json.dumps({"troubles": list(troubles(settings, models, datetime.now(UTC).date()))})


if __name__ == "__main__":
    with suppress(OSError):
        os.nice(IDLE)
    sys.stdout.write(answer(sys.stdin.read()))
