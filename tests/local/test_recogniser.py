import asyncio
import contextlib
import logging
import sys
from collections.abc import AsyncIterator

import psutil
import pytest

from tests.fakes.until import until
from voice_node.local.grammar import Grammar, SpokenSentence
from voice_node.local.recogniser import Heard, Recogniser, WorkerLost

GRAMMAR = Grammar((SpokenSentence("t", "x", "x"),), {})
PROTOCOL = """
import json, os, sys
from voice_node.local.frames import HEADER, Kind, pack
def read():
    length, _ = HEADER.unpack(sys.stdin.buffer.read(HEADER.size))
    return sys.stdin.buffer.read(length)
def write(kind, content):
    sys.stdout.buffer.write(pack(kind, json.dumps(content).encode())); sys.stdout.buffer.flush()
read()
write(Kind.READY, ["tool t: a warning"])
while True:
    pcm = read()
"""
ANSWERS = PROTOCOL + "    write(Kind.HEARD, {'text': str(len(pcm)), 'is_command': True})\n"
HANGS = PROTOCOL + "    import time; time.sleep(60)\n"
DIES_ONCE_IN_TWO = (
    PROTOCOL + "    os._exit(9) if pcm == b'die!' else write(Kind.HEARD, {'text': '', 'is_command': 0})\n"
)
BABBLES = PROTOCOL + "    write(Kind.HEARD, [1])\n"


@contextlib.asynccontextmanager
async def listening(code: str, decode_s: float = 5) -> AsyncIterator[Recogniser]:
    recogniser = Recogniser(GRAMMAR, (sys.executable, "-c", code), decode_s)
    recogniser.start()
    try:
        yield recogniser
    finally:
        await recogniser.close()


async def test_segments_are_heard_one_after_the_other(caplog: pytest.LogCaptureFixture) -> None:
    async with listening(ANSWERS) as recogniser:
        heard = await asyncio.gather(*(recogniser.recognise(bytes(2 * size)) for size in range(1, 5)))
        assert heard == [Heard(str(2 * size), is_command=True) for size in range(1, 5)]
        pid = recogniser.pid
    assert "tool t: a warning" in caplog.text
    assert pid is not None
    assert not psutil.pid_exists(pid)


async def test_a_worker_that_is_late_is_killed() -> None:
    async with listening(HANGS, decode_s=0.2) as recogniser:
        await until(lambda: recogniser.pid is not None)
        with pytest.raises(WorkerLost, match="too long"):
            await recogniser.recognise(bytes(320))
        assert recogniser.pid is None


async def test_a_worker_that_died_is_started_again() -> None:
    async with listening(DIES_ONCE_IN_TWO) as recogniser:
        with pytest.raises(WorkerLost, match="died"):
            await recogniser.recognise(b"die!")
        assert await recogniser.recognise(b"okay") == Heard("", is_command=False)


async def test_nonsense_is_no_answer() -> None:
    async with listening(BABBLES) as recogniser:
        with pytest.raises(WorkerLost):
            await recogniser.recognise(bytes(2))


async def test_a_segment_that_is_given_up_leaves_nothing_behind() -> None:
    async with listening(HANGS) as recogniser:
        task = asyncio.create_task(recogniser.recognise(bytes(2)))
        await until(lambda: recogniser.pid is not None)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_too_many_do_not_wait() -> None:
    async with listening(HANGS, decode_s=0.5) as recogniser:
        waiting = [asyncio.create_task(recogniser.recognise(bytes(2))) for _ in range(8)]
        await asyncio.sleep(0)
        with pytest.raises(WorkerLost, match="too many"):
            await recogniser.recognise(bytes(2))
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_what_is_longer_than_any_command_is_not_listened_to() -> None:
    async with listening(ANSWERS) as recogniser:
        with pytest.raises(WorkerLost, match="longer than 30 s"):
            await recogniser.recognise(bytes(32000 * 30 + 2))
        assert (await recogniser.recognise(bytes(32000 * 30))).text == "960000"


async def test_a_missing_library_is_said_once_with_its_remedy(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    async with listening("import sys; sys.exit(69)") as recogniser:
        for _ in range(2):
            with pytest.raises(WorkerLost):
                await recogniser.recognise(bytes(2))
    assert caplog.text.count("pip install 'voice-node[local]'") == 1


async def test_a_worker_that_cannot_be_started_is_no_disaster() -> None:
    recogniser = Recogniser(GRAMMAR, ("/nonexistent/worker",))
    recogniser.start()
    with pytest.raises(WorkerLost):
        await recogniser.recognise(bytes(2))
    await recogniser.close()
