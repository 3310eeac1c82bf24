import asyncio
import time
from pathlib import Path

import pytest

from tests.fakes.tone import loudness_of, sinad_db, tone, write_wav
from voice_node.capture.wav_file import WavFile
from voice_node.model.audio import Frame
from voice_node.model.errors import ConfigError


async def read(*paths: Path, frame_ms: int = 20, silence_after_ms: int = 0, channel: int = 0) -> list[Frame]:
    file = WavFile(paths, frame_ms, channel, is_realtime=False, silence_after_ms=silence_after_ms)
    await file.start()
    frames = [frame async for frame in file]
    await file.close()
    return frames


async def test_a_recording_comes_out_as_it_is_in_numbered_frames(tmp_path: Path) -> None:
    sound = tone(1000, 48000, 1010)
    frames = await read(write_wav(tmp_path / "a.wav", sound))

    assert [frame.index for frame in frames] == list(range(51))
    assert {(frame.rate_hz, frame.duration_ms) for frame in frames} == {(48000, 20)}
    assert b"".join(frame.pcm for frame in frames) == sound + bytes(960)


@pytest.mark.parametrize(
    ("rate_hz", "expected_hz"),
    [(8000, 8000), (11025, 16000), (24000, 32000), (32000, 32000), (44100, 48000), (96000, 48000)],
)
@pytest.mark.parametrize("frame_ms", [10, 20, 30])
async def test_every_rate_becomes_one_that_webrtcvad_takes(
    tmp_path: Path, rate_hz: int, expected_hz: int, frame_ms: int
) -> None:
    frames = await read(write_wav(tmp_path / "a.wav", tone(1000, rate_hz, 900), rate_hz=rate_hz), frame_ms=frame_ms)

    assert {(frame.rate_hz, frame.duration_ms) for frame in frames} == {(expected_hz, frame_ms)}
    assert len(frames) * frame_ms == 900
    assert sinad_db(b"".join(frame.pcm for frame in frames), expected_hz, 1000) >= 60


async def test_recordings_of_different_rates_get_one_rate_and_silence_after_each(tmp_path: Path) -> None:
    first = write_wav(tmp_path / "a.wav", tone(1000, 16000, 200), rate_hz=16000)
    second = write_wav(tmp_path / "b.wav", tone(1000, 48000, 200))
    frames = await read(first, second, silence_after_ms=100)

    assert {frame.rate_hz for frame in frames} == {48000}
    assert [any(frame.pcm) for frame in frames] == [*[True] * 10, *[False] * 5] * 2


async def test_a_channel_is_picked(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", tone(500, 48000, 500), tone(1700, 48000, 500))
    pcm = b"".join([frame.pcm for frame in await read(path, channel=1)])

    assert loudness_of(1700, pcm, 48000) > 9900
    assert loudness_of(500, pcm, 48000) < 10


async def test_gain_is_applied(tmp_path: Path) -> None:
    file = WavFile([write_wav(tmp_path / "a.wav", b"\xe8\x03" * 960)], 20, gain_db=-20, is_realtime=False)
    await file.start()

    assert (await anext(file)).pcm == b"\x64\0" * 960


async def test_all_recordings_are_looked_at_before_the_first_frame(tmp_path: Path) -> None:
    good = write_wav(tmp_path / "good.wav", tone(1000, 48000, 100))
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"no")
    file = WavFile([good, bad, tmp_path / "missing.wav"], 20)
    with pytest.raises(ConfigError) as caught:
        await file.start()

    assert [line.split(": ")[0] for line in str(caught.value).splitlines()] == [str(bad), str(tmp_path / "missing.wav")]


async def test_a_channel_that_a_recording_does_not_have_is_named(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "mono.wav", tone(1000, 48000, 100))
    with pytest.raises(ConfigError, match=r"mono\.wav: has 1 channels, so no channel 1"):
        await WavFile([path], 20, channel=1).start()


async def test_in_real_time_frames_come_when_a_microphone_would_give_them(tmp_path: Path) -> None:
    file = WavFile([write_wav(tmp_path / "a.wav", tone(1000, 48000, 300))], 20, silence_after_ms=0)
    began = time.monotonic()
    await file.start()
    early = [frame.index async for frame in file if time.monotonic() - began < (frame.index + 1) * 0.02 - 0.001]

    assert early == []
    assert time.monotonic() - began >= 0.29


async def test_a_consumer_that_was_late_catches_up_so_that_the_clock_does_not_drift(tmp_path: Path) -> None:
    file = WavFile([write_wav(tmp_path / "a.wav", tone(1000, 48000, 1000))], 20, silence_after_ms=0)
    await file.start()
    await anext(file)
    await asyncio.sleep(0.2)
    waits = []
    for _ in range(5):
        began = time.monotonic()
        await anext(file)
        waits.append(time.monotonic() - began)

    assert max(waits) < 0.02


async def test_a_consumer_that_let_the_recording_wait_is_not_hurried_afterwards(tmp_path: Path) -> None:
    file = WavFile([write_wav(tmp_path / "a.wav", tone(1000, 48000, 1000))], 20, silence_after_ms=0)
    await file.start()
    await anext(file)
    await asyncio.sleep(1.3)
    began = time.monotonic()
    for _ in range(6):
        await anext(file)

    assert time.monotonic() - began >= 0.09


async def test_fast_reading_gives_the_loop_turns(tmp_path: Path) -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    await read(write_wav(tmp_path / "a.wav", tone(1000, 48000, 2000)))
    counting.cancel()

    assert turns >= 10


@pytest.mark.parametrize("is_realtime", [True, False])
async def test_a_pause_is_a_gap_and_what_follows_is_still_there(tmp_path: Path, is_realtime: bool) -> None:
    file = WavFile(
        [write_wav(tmp_path / "a.wav", tone(1000, 48000, 200))], 20, is_realtime=is_realtime, silence_after_ms=0
    )
    await file.start()
    first = [(await anext(file)).index for _ in range(3)]
    await file.pause()
    waiting = asyncio.ensure_future(anext(file))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    await file.resume()
    rest = [(await waiting).index, *[frame.index async for frame in file]]

    assert first == [0, 1, 2]
    assert rest == list(range(4, 11))


async def test_close_ends_the_iteration_even_while_paused(tmp_path: Path) -> None:
    file = WavFile([write_wav(tmp_path / "a.wav", tone(1000, 48000, 200))], 20)
    await file.start()
    await file.pause()
    waiting = asyncio.ensure_future(anext(file))
    await asyncio.sleep(0.01)
    await file.close()
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(waiting, 5)


async def test_a_recording_that_begins_muted_is_heard_from_its_beginning(tmp_path: Path) -> None:
    file = WavFile([write_wav(tmp_path / "a.wav", tone(1000, 48000, 100))], 20, is_realtime=False, silence_after_ms=0)
    await file.resume()
    assert len([frame async for frame in file]) == 5
    nothing = WavFile([tmp_path / "missing.wav"], 20)
    with pytest.raises(ConfigError):
        await nothing.resume()
