import asyncio
import os
import signal

import pytest

from voice_node.runtime.orders import Orders


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_told_to_stop(number: signal.Signals) -> None:
    orders = Orders()
    orders.listen()
    try:
        os.kill(os.getpid(), number)
        async with asyncio.timeout(10):
            await orders.stop.wait()
        assert not orders.reload.is_set()
    finally:
        forget()


async def test_each_hang_up_is_a_reload() -> None:
    orders = Orders()
    orders.listen()
    try:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGHUP)
            async with asyncio.timeout(10):
                await orders.reload.wait()
            orders.reload.clear()
        assert not orders.stop.is_set()
    finally:
        forget()


def forget() -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.remove_signal_handler(number)
