"""A process that stands for `voice-node doctor`."""

import json
import sys
from pathlib import Path

import pytest

from voice_node.model.errors import NotExamined
from voice_node.runtime.examination import examine

ROOM = Path("kitchen.yaml")
FINDING = {"subject": "disk", "status": "fault", "text": "full", "advice": "Delete something."}


def program(text: str) -> tuple[str, ...]:
    return (sys.executable, "-c", text)


async def test_what_it_finds_counts_although_it_ends_with_1() -> None:
    text = f"import sys; assert sys.argv[1] == 'kitchen.yaml'; print({json.dumps([FINDING])!r}); sys.exit(1)"
    assert await examine(ROOM, program(text)) == [FINDING]


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (("/nonexistent/python",), "cannot be run"),
        (program("import time; time.sleep(60)"), "did not end within 1 s"),
        (program("print('Traceback')"), "failed"),
        (program("print('{}')"), "failed"),
        (program("print('[' + '1,' * 1000000)"), "failed"),
    ],
)
async def test_where_it_finds_nothing_it_is_said_why(command: tuple[str, ...], why: str) -> None:
    with pytest.raises(NotExamined, match=why):
        await examine(ROOM, command, longest_s=1.0 if "did not" in why else 20.0)
