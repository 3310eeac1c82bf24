import asyncio
import os
import signal
import threading
import time

import psutil
import pytest

from voice_node.runtime.child import end


async def sleeper() -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec("sleep", "60")


async def test_a_child_is_killed() -> None:
    process = await sleeper()
    assert await end(process) == -signal.SIGKILL
    assert not psutil.pid_exists(process.pid)


async def test_a_child_is_asked_to_end() -> None:
    assert await end(await sleeper(), signal.SIGTERM) == -signal.SIGTERM


async def test_a_child_that_is_gone_keeps_its_exit_code() -> None:
    process = await asyncio.create_subprocess_exec("false")
    await process.wait()
    assert await end(process) == 1


async def test_a_child_that_ends_this_very_moment_keeps_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real, may_reap = os.waitpid, threading.Event()

    def late(pid: int, options: int) -> tuple[int, int]:
        """asyncio's thread gets the processor a little later than it might."""
        if threading.current_thread() is not threading.main_thread():
            may_reap.wait(10)
        return real(pid, options)

    monkeypatch.setattr(os, "waitpid", late)
    process = await asyncio.create_subprocess_exec("false")
    deadline = time.monotonic() + 10
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
        time.sleep(0.005)  # noqa: ASYNC251 - the event loop must not learn of the end yet
    assert process.returncode is None
    asyncio.get_running_loop().call_soon(may_reap.set)
    assert await end(process) == 1
    assert "Unknown child" not in caplog.text


async def test_a_child_whose_output_nobody_takes() -> None:
    """asyncio stops reading a full pipe, and would wait for its end for ever."""
    process = await asyncio.create_subprocess_exec("yes", stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    await process.stdout.read(1)
    await asyncio.sleep(0.3)  # until far more has come than the reader holds
    async with asyncio.timeout(5):
        assert await end(process) == -9
