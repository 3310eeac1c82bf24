import asyncio

import pytest

from voice_node.local.shortest_first import ShortestFirst


async def come(queue: ShortestFirst, length: int, served: list[int]) -> None:
    async with queue.turn(length):
        served.append(length)
        await asyncio.sleep(0)


async def test_the_shortest_is_served_next_and_nobody_meanwhile() -> None:
    queue, served = ShortestFirst(), list[int]()
    async with asyncio.TaskGroup() as group:
        for length in (9, 5, 7, 1):
            group.create_task(come(queue, length, served))
    assert served == [9, 1, 5, 7]  # the first found nobody there


async def test_who_gives_up_keeps_nobody_waiting() -> None:
    queue, served = ShortestFirst(), list[int]()
    async with queue.turn(0):
        tasks = [asyncio.create_task(come(queue, length, served)) for length in (1, 2, 3)]
        await asyncio.sleep(0)
        tasks[0].cancel()
    tasks[1].cancel()  # just called
    with pytest.raises(asyncio.CancelledError):
        await tasks[1]
    await tasks[2]
    assert served == [3]
    await come(queue, 4, served)
    assert served == [3, 4]
