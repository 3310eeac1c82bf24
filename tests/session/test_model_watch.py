"""A room that runs asks which of its models its service ends: by processes that stand for the one that asks."""

import asyncio
import json
import logging
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.until import until
from tests.session.room import settings
from voice_node.session import model_watch
from voice_node.session.model_watch import ModelWatch, Unanswered, ask, needed

KEY = "sk-canary-0123456789abcdef"
GONE = "session.model: old was shut down on 2020-01-01"
ABSENT = "session.model: the service does not list old"


def program(text: str) -> tuple[str, ...]:
    return (sys.executable, "-c", text)


def says(folder: Path, *answers: Any) -> tuple[str, ...]:
    """A process that gives one answer after the other, the last one for good."""
    for number, answer in enumerate(answers):
        (folder / str(number)).write_text(json.dumps(answer))
    return program(f"""
import pathlib
folder = pathlib.Path({str(folder)!r})
answers = sorted(folder.iterdir())
print(answers[0].read_text())
if len(answers) > 1:
    answers[0].unlink()
""")


class Watched:
    """A watch at work, and what it told."""

    def __init__(self, command: tuple[str, ...], **values: Any) -> None:
        self.told: list[str] = []
        self.watch = ModelWatch(command, settle_s=0.0, day_s=0.05)
        self._values = {"model": "old", **values}

    async def tell(self, text: str) -> None:
        self.told.append(text)

    async def run(self) -> None:
        await self.watch.run(settings(**self._values), KEY, self.tell)


async def test_what_is_found_is_told_once_however_often_it_is_asked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    troubles, both = {"troubles": [GONE]}, {"troubles": [GONE, ABSENT]}
    room = Watched(says(tmp_path, troubles, troubles, both, {"troubles": []}, troubles, {"troubles": []}))
    task = asyncio.create_task(room.run())
    try:
        await until(lambda: len(room.told) == 3, 20)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert room.told == [GONE, ABSENT, GONE], "what was gone in between is news"
    assert [line.message for line in caplog.records if line.levelno == logging.WARNING] == room.told
    assert KEY not in caplog.text


async def test_a_reload_tells_nothing_twice(tmp_path: Path) -> None:
    room = Watched(says(tmp_path, {"troubles": [GONE]}))
    for _ in range(2):
        task = asyncio.create_task(room.run())
        await until(lambda: bool(room.told), 20)
        await asyncio.sleep(0.2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert room.told == [GONE]


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (("/nonexistent/python",), "cannot be asked"),
        (program("import time; time.sleep(60)"), "not asked within 1 s"),
        (program("raise SystemExit(1)"), "failed"),
        (program("print('[]')"), "failed"),
        (program("print('{\"troubles\": 5}')"), "failed"),
        (program('print(\'{"unlisted": "HTTP 404"}\')'), "HTTP 404"),
    ],
)
async def test_no_answer_says_why(command: tuple[str, ...], why: str) -> None:
    found = await ask(settings(), KEY, command, longest_s=1.0 if "within" in why else 20.0)
    assert isinstance(found, Unanswered)
    assert why in found.detail


async def test_no_answer_is_no_trouble_and_is_asked_for_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_watch, "AGAIN_S", 0.01)
    caplog.set_level(logging.INFO)
    room = Watched(says(tmp_path, {"unlisted": "HTTP 401"}, {"unlisted": "HTTP 404"}, {"troubles": [GONE]}))
    task = asyncio.create_task(room.run())
    try:
        await until(lambda: bool(room.told), 20)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    levels = [line.levelname for line in caplog.records if line.name == model_watch.__name__]
    assert levels == ["INFO", "INFO", "WARNING"]


async def test_the_key_goes_by_a_pipe_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    seen = tmp_path / "seen"
    found = await ask(
        settings(model="old"),
        KEY,
        program(f"""
import json, os, pathlib, sys
me = pathlib.Path("/proc/self")
outside = (me / "environ").read_bytes() + (me / "cmdline").read_bytes()
asked = json.load(sys.stdin)
pathlib.Path({str(seen)!r}).write_text(json.dumps([outside.decode(), asked, dict(os.environ)]))
print(json.dumps(dict(troubles=[])))
"""),
    )
    assert found == []
    outside, asked, environ = json.loads(seen.read_text())
    assert KEY not in outside
    assert asked["key"] == KEY
    assert asked["session"]["model"] == "old"
    assert environ["HTTPS_PROXY"] == "http://proxy:3128"


def test_of_the_environment_it_gets_what_it_needs() -> None:
    environ = {"PATH": "/bin", "http_proxy": "p", "PYTHONPATH": "q", "MQTT_PASSWORD": "r", "CREDENTIALS_DIRECTORY": "s"}
    assert needed(environ) == {"PATH": "/bin", "http_proxy": "p", "PYTHONPATH": "q"}


@pytest.mark.parametrize(
    "values",
    [
        {"provider": "local", "url": None},
        {"provider": "azure", "url": "https://a.example"},
        {"provider": "speaches", "url": "http://nas"},
        {"auth": {"url": "http://nas/mint"}},
    ],
)
async def test_who_need_not_be_asked_is_not(values: dict[str, Any]) -> None:
    room = Watched(("/nonexistent/python",), **values)
    await asyncio.wait_for(room.run(), 1)
    assert room.told == []


async def test_a_room_that_stops_leaves_no_process_behind(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    room = Watched(program(f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(60)"))

    def lives() -> bool:
        return Path(f"/proc/{pid.read_text()}").exists()

    task = asyncio.create_task(room.run())
    await until(lambda: pid.exists() and pid.read_text() != "", 20)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not lives()
