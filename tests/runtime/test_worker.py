import asyncio
import logging
import threading

import pytest

from voice_node.runtime.worker import Worker


async def test_a_worker_makes_calls_in_order_and_hands_back_results_and_errors() -> None:
    worker = Worker("test")
    done: list[int] = []
    calls = [worker.call(lambda n=n: done.append(n)) for n in range(5)]  # type: ignore[misc]  # mypy: default of a lambda
    await asyncio.gather(*calls)
    with pytest.raises(OSError, match="gone"):
        await worker.call(lambda: (_ for _ in ()).throw(OSError("gone")))

    assert done == [0, 1, 2, 3, 4]
    assert await worker.call(lambda: 7) == 7
    worker.stop()


async def test_a_cancelled_call_runs_to_its_end_before_the_next() -> None:
    worker = Worker("test")
    may_end = threading.Event()
    done: list[str] = []

    def first() -> None:
        may_end.wait(10)
        done.append("first")

    call = asyncio.ensure_future(worker.call(first))
    await asyncio.sleep(0.01)
    call.cancel()
    may_end.set()
    await worker.call(lambda: done.append("second"))
    worker.stop()

    assert done == ["first", "second"]


def test_a_worker_whose_loop_ended_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    worker = Worker("of a loop that ended")
    may_end = threading.Event()

    async def leave() -> None:
        call = asyncio.ensure_future(worker.call(lambda: may_end.wait(10)))
        await asyncio.sleep(0.01)
        call.cancel()

    with caplog.at_level(logging.DEBUG):
        asyncio.run(leave())
        threads = [thread for thread in threading.enumerate() if thread.name == "of a loop that ended"]
        may_end.set()
        worker.stop()
        for thread in threads:
            thread.join(10)
    assert [thread.is_alive() for thread in threads] == [False]
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []
