import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voice_node.runtime.pipe import Pipe

T = TypeVar("T")


async def turns(count: int = 5) -> None:
    """Let everybody else run."""
    for _ in range(count):
        await asyncio.sleep(0)


async def soon(awaitable: Awaitable[T]) -> T:
    async with asyncio.timeout(5):
        return await awaitable


async def test_what_goes_in_comes_out_in_order_and_ends_with_the_pipe() -> None:
    pipe: Pipe[int] = Pipe(10)
    for number in range(5):
        assert pipe.offer(number)
    assert len(pipe) == 5
    pipe.close()
    assert pipe.is_closed
    assert [number async for number in pipe] == [0, 1, 2, 3, 4]
    with pytest.raises(StopAsyncIteration):
        await anext(pipe)
    assert pipe.lost == 0


async def test_a_full_pipe_refuses_what_is_offered_and_counts_it() -> None:
    pipe: Pipe[int] = Pipe(2)
    assert [pipe.offer(number) for number in range(4)] == [True, True, False, False]
    assert pipe.lost == 2
    assert await anext(pipe) == 0
    assert pipe.offer(9)
    assert [await anext(pipe), await anext(pipe)] == [1, 9]


async def test_a_closed_pipe_takes_nothing() -> None:
    pipe: Pipe[int] = Pipe(2)
    pipe.close()
    pipe.close()
    assert not pipe.offer(1)
    await soon(pipe.put(2))
    assert pipe.lost == 2
    assert [number async for number in pipe] == []


async def test_a_writer_waits_for_room() -> None:
    pipe: Pipe[int] = Pipe(1)
    await pipe.put(1)
    writer = asyncio.create_task(pipe.put(2))
    await turns()
    assert not writer.done()
    assert await anext(pipe) == 1
    await soon(writer)
    assert await anext(pipe) == 2
    assert pipe.lost == 0


async def test_closing_frees_a_writer_that_waits_and_counts_what_it_had() -> None:
    pipe: Pipe[int] = Pipe(1)
    await pipe.put(1)
    writers = [asyncio.create_task(pipe.put(number)) for number in (2, 3)]
    await turns()
    pipe.close()
    await soon(asyncio.gather(*writers))
    assert pipe.lost == 2
    assert [number async for number in pipe] == [1]


async def test_closing_frees_a_reader_that_waits() -> None:
    pipe: Pipe[int] = Pipe(1)

    async def read() -> list[int]:
        return [number async for number in pipe]

    reader = asyncio.create_task(read())
    await turns()
    pipe.close()
    assert await soon(reader) == []


async def test_a_reader_that_is_cancelled_loses_nothing_and_can_read_on() -> None:
    pipe: Pipe[int] = Pipe(10)
    for number in range(5):
        reader = asyncio.ensure_future(anext(pipe))
        await turns()
        pipe.offer(number)
        reader.cancel()  # the item and the cancellation come in the same turn of the loop
        await turns()
        assert reader.cancelled()
        assert await anext(pipe) == number
    assert len(pipe) == 0


async def test_a_deadline_that_passes_while_an_item_comes_loses_nothing() -> None:
    pipe: Pipe[int] = Pipe(1000)
    got: list[int] = []

    async def read() -> None:
        while True:
            try:
                async with asyncio.timeout(0.0005):
                    got.append(await anext(pipe))
            except TimeoutError:
                continue
            except StopAsyncIteration:
                return

    reader = asyncio.create_task(read())
    for number in range(200):
        await pipe.put(number)
        await asyncio.sleep(0.0005 if number % 3 else 0)
    pipe.close()
    await soon(reader)
    assert got == list(range(200))


async def test_a_writer_that_is_cancelled_has_put_nothing_and_blocks_nobody() -> None:
    pipe: Pipe[int] = Pipe(1)
    await pipe.put(1)
    first, second = asyncio.create_task(pipe.put(2)), asyncio.create_task(pipe.put(3))
    await turns()
    first.cancel()
    assert await anext(pipe) == 1
    await soon(second)
    assert await anext(pipe) == 3
    assert len(pipe) == 0


async def test_several_writers_fill_no_more_than_there_is_room() -> None:
    pipe: Pipe[int] = Pipe(3)
    writers = [asyncio.create_task(pipe.put(number)) for number in range(30)]
    got = []
    for _ in range(30):
        await turns(2)
        assert len(pipe) <= 3
        got.append(await soon(anext(pipe)))
    await asyncio.gather(*writers)
    assert sorted(got) == list(range(30))
    assert pipe.lost == 0


async def test_reserved_places_are_for_those_who_cannot_wait() -> None:
    pipe: Pipe[str] = Pipe(4, reserved=2)
    await pipe.put("sound 1")
    await pipe.put("sound 2")
    writer = asyncio.create_task(pipe.put("sound 3"))
    await turns()
    assert [pipe.offer(f"answer {number}") for number in (1, 2, 3)] == [True, True, False]
    assert not writer.done()
    assert [await anext(pipe) for _ in range(2)] == ["sound 1", "sound 2"]
    await turns()
    assert not writer.done(), "what was offered fills its places still"
    assert await anext(pipe) == "answer 1"
    await soon(writer)
    assert [await anext(pipe) for _ in range(2)] == ["answer 2", "sound 3"]


async def test_what_overtakes_is_read_first_and_takes_no_more_room_than_there_is() -> None:
    pipe: Pipe[str] = Pipe(3, reserved=1)
    await pipe.put("sound 1")
    await pipe.put("sound 2")
    assert pipe.overtake("stop")
    assert not pipe.overtake("one too many")
    assert pipe.lost == 1
    assert [await anext(pipe) for _ in range(3)] == ["stop", "sound 1", "sound 2"]
    reader = asyncio.ensure_future(anext(pipe))
    await turns()
    assert pipe.overtake("stop")
    assert await soon(reader) == "stop"
    pipe.close()
    assert not pipe.overtake("too late")


async def test_who_wants_to_know_is_told_before_the_reader() -> None:
    order: list[str] = []
    pipe: Pipe[str] = Pipe(2, taken=lambda item: order.append(f"taken {item}"))
    pipe.offer("a")
    order.append(f"read {await anext(pipe)}")
    assert order == ["taken a", "read a"]


@given(st.lists(st.sampled_from(["put", "offer", "read", "cancel", "turn"]), max_size=60), st.integers(1, 4))
@settings(max_examples=100, deadline=None)
def test_no_order_of_events_loses_doubles_or_swaps(script: list[str], capacity: int) -> None:
    async def play() -> None:
        pipe: Pipe[int] = Pipe(capacity)
        readers: list[asyncio.Future[int]] = []
        refused: list[int] = []
        sent = 0
        writer: asyncio.Task[None] | None = None
        got: list[int] = []
        for step in script:
            reader = readers[-1] if readers else None
            if step == "put" and (writer is None or writer.done()):
                writer = asyncio.create_task(pipe.put(sent))
                sent += 1
                await turns(1)
            elif step == "offer" and (writer is None or writer.done()):
                if not pipe.offer(sent):
                    refused.append(sent)
                sent += 1
            elif step == "read" and (reader is None or reader.done()):
                readers.append(asyncio.ensure_future(anext(pipe)))
            elif step == "cancel" and reader is not None:
                reader.cancel()
            else:
                await turns()
        await turns()
        if readers and not readers[-1].done():
            readers[-1].cancel()
        await asyncio.gather(*readers, return_exceptions=True)
        got = [reader.result() for reader in readers if not reader.cancelled()]
        while writer is not None and not writer.done():
            got.append(await anext(pipe))
            await turns()
        pipe.close()
        got += [number async for number in pipe]
        assert got == [number for number in range(sent) if number not in refused]
        assert pipe.lost == len(refused)

    asyncio.run(play())
