"""The process that asks a service for its models, run as one."""

import asyncio
import json
import sys
from typing import Any

import pytest

from tests.fakes.http_server import Answer, HttpServer
from voice_node.session.model_watch import COMMAND

KEY = "sk-canary-0123456789abcdef"


async def asked(port: int, **section: Any) -> Any:
    """What it prints, and nothing else."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*COMMAND, stdin=pipe, stdout=pipe, stderr=pipe)
    url = {"provider": "custom", "url": f"ws://127.0.0.1:{port}/v1/realtime"}
    question = json.dumps({"session": url | section, "key": KEY})
    printed, complaints = await process.communicate(question.encode())
    assert (process.returncode, complaints) == (0, b"")
    assert KEY not in printed.decode()
    return json.loads(printed)


async def test_it_prints_what_a_person_should_know() -> None:
    listed = {"data": [{"id": "old", "shutdown_date": "2020-01-01"}]}
    async with HttpServer(Answer(listed)) as server:
        found = await asked(server.port, model="old", transcription={"model": "new"})
    assert found == {
        "troubles": [
            "session.model: old was shut down on 2020-01-01",
            "session.transcription.model: the service does not list new",
        ]
    }
    assert server.asked[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("status", [401, 404, 500])
async def test_it_prints_why_nothing_was_told(status: int) -> None:
    async with HttpServer(Answer(status=status)) as server:
        assert f"HTTP {status}" in (await asked(server.port))["unlisted"]


def test_it_is_python_itself() -> None:
    assert COMMAND[0] == sys.executable
