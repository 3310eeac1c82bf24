import asyncio
import logging
from pathlib import Path

import pytest

from tests.fakes.tone import noise, write_wav
from voice_node.capture import recording as module
from voice_node.capture.recording import Recording


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    return write_wav(tmp_path / "noise.wav", noise(16000, 200, 10), rate_hz=16000)


async def started(path: Path, broker_came: asyncio.Event) -> Recording:
    source = Recording(broker_came, (path,), frame_ms=20, is_realtime=False, silence_after_ms=0)
    await source.start()
    return source


async def test_a_recording_waits_for_the_broker(recording: Path) -> None:
    broker_came = asyncio.Event()
    source = await started(recording, broker_came)
    first = asyncio.ensure_future(anext(source))
    await asyncio.sleep(0.05)
    assert not first.done()
    broker_came.set()
    assert (await first).index == 0
    assert len([frame async for frame in source]) == 9


async def test_a_recording_does_not_wait_for_ever(recording: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BROKER_PATIENCE_S", 0.05)
    source = await started(recording, asyncio.Event())
    assert (await anext(source)).index == 0


async def test_a_recording_that_is_closed_waits_no_longer(recording: Path) -> None:
    source = await started(recording, asyncio.Event())
    first = asyncio.create_task(anext(source))
    await asyncio.sleep(0)
    await source.close()
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(first, 5)


@pytest.mark.parametrize("is_closed", [False, True])
async def test_the_end_of_a_recording_is_told_unless_it_was_stopped(
    recording: Path, is_closed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    broker_came = asyncio.Event()
    broker_came.set()
    source = await started(recording, broker_came)
    assert (await anext(source)).index == 0
    if is_closed:
        await source.close()
    assert len([frame async for frame in source]) == (0 if is_closed else 9)
    told = [line.partition(":")[0] for line in caplog.messages]
    assert told == ([] if is_closed else ["the recording is over"])
