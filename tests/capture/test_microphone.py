import asyncio
import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.capture.microphones import (
    NAMED,
    cleanest,
    last_told,
    open_microphone,
    sound,
    take,
    take_loud,
)
from tests.fakes.sound_card import SoundCard
from tests.fakes.tone import loudness_of, noise, tone, write_wav
from tests.fakes.until import until
from voice_node.capture.microphone import Microphone
from voice_node.model.turn import CaptureChanged, ServiceTrouble
from voice_node.settings.schema import CaptureSettings


async def test_what_is_played_in_the_room_is_heard_bit_by_bit(sound_card: SoundCard, tmp_path: Path) -> None:
    played = noise(48000, 600)
    async with open_microphone() as (microphone, told):
        await take(microphone, 100)
        player = sound_card.play(write_wav(tmp_path / "room.wav", played))
        frames = await take(microphone, 100)
        while player.poll() is None:
            frames += await take(microphone, 100)
        frames += await take(microphone, 500)  # what is still on its way through the sound server
        assert player.wait() == 0

    # Without silence: where the machine is busy the sound server runs dry, and puts some between two samples.
    heard, room = (np.frombuffer(pcm, np.int16) for pcm in (sound(frames), played))
    assert np.array_equal(heard[heard != 0], room[room != 0])
    assert {frame.rate_hz for frame in frames} == {48000}
    assert {len(frame.pcm) for frame in frames} == {1920}
    assert [frame.index for frame in frames] == list(range(frames[0].index, frames[0].index + len(frames)))
    assert told == [CaptureChanged(True, "default", "48000 Hz, channel 0 of 2")]
    assert microphone.lost_frames == 0


@pytest.mark.parametrize("channel", [0, 1])
async def test_a_channel_is_picked_and_not_mixed(sound_card: SoundCard, tmp_path: Path, channel: int) -> None:
    sound_card.listen_to("stage.monitor")
    recording = write_wav(tmp_path / "stage.wav", tone(500, 48000, 5000), tone(1700, 48000, 5000))
    async with open_microphone(CaptureSettings(channel=channel), 10) as (microphone, _):
        await take(microphone, 20)
        player = sound_card.play(recording, "stage")
        heard = await take_loud(microphone, 250)
        player.terminate()
        player.wait()

    here, there = ((500, 1700), (1700, 500))[channel]
    frame = cleanest(heard, here)
    assert loudness_of(here, frame.pcm, 48000) > 9000
    assert loudness_of(there, frame.pcm, 48000) < 100


async def test_44100_hz_is_resampled_to_what_webrtcvad_takes(sound_card: SoundCard, tmp_path: Path) -> None:
    recording = write_wav(tmp_path / "room.wav", tone(1000, 48000, 5000))
    async with open_microphone(CaptureSettings(sample_rate_hz=44100)) as (microphone, told):
        await take(microphone, 20)
        player = sound_card.play(recording)
        frames = await take_loud(microphone, 250)
        assert (await last_told(told, is_open=True)).detail == "44100 Hz, channel 0 of 2; resampled to 48000 Hz"
        player.terminate()
        player.wait()

    assert {(frame.rate_hz, len(frame.pcm)) for frame in frames} == {(48000, 1920)}
    assert loudness_of(1000, cleanest(frames, 1000).pcm, 48000) > 9000


async def test_pause_closes_the_device_and_forgets_what_it_heard(sound_card: SoundCard, tmp_path: Path) -> None:
    async with open_microphone() as (microphone, told):
        before = await take(microphone, 40)
        await last_told(told, is_open=True)
        assert sound_card.listeners() == 1
        player = sound_card.play(write_wav(tmp_path / "secret.wav", noise(48000, 300)))
        player.wait(10)
        await microphone.pause()
        assert sound_card.listeners() == 0
        await microphone.pause()

        waiting = asyncio.ensure_future(anext(microphone))
        await asyncio.sleep(0.1)
        assert not waiting.done()

        await microphone.resume()
        first = await asyncio.wait_for(waiting, 10)
        after = [first, *await take(microphone, 200)]

    assert first.index > before[-1].index + 1
    assert not any(sound(after))
    assert [change.is_open for change in told] == [True]


async def test_close_ends_the_iteration_and_frees_the_device(sound_card: SoundCard) -> None:
    async with open_microphone() as (microphone, _):
        await take(microphone, 40)
        await microphone.close()
        assert sound_card.listeners() == 0
        frames = [frame async for frame in microphone]

    assert all(frame.rate_hz == 48000 for frame in frames)


async def test_a_slow_consumer_sees_the_gap(sound_card: SoundCard) -> None:
    async with open_microphone(frame_ms=30) as (microphone, _):
        first = await take(microphone, 30)
        await until(lambda: microphone.lost_frames >= 3)
        frames = first + await take(microphone, 300)

    holes = [b.index - a.index for a, b in pairwise(frames) if b.index != a.index + 1]
    assert len(holes) == 1
    assert holes[0] >= 4


async def test_nothing_is_written_to_the_terminal(sound_card: SoundCard, capfd: pytest.CaptureFixture[str]) -> None:
    """Not even when a card is pulled out, of which PortAudio's own thread writes."""
    sound_card.plug("usb")
    async with open_microphone(NAMED) as (microphone, told):
        await take(microphone, 20)
        await last_told(told, is_open=True)
        sound_card.unplug("usb")
        await last_told(told, is_open=False)
        os.write(2, b"but what others write is kept\n")

    assert capfd.readouterr().err == "but what others write is kept\n"


@pytest.mark.slow
async def test_sound_that_is_cut_off_is_told_once(sound_card: SoundCard, tmp_path: Path) -> None:
    told: list[CaptureChanged | ServiceTrouble] = []
    microphone = Microphone(CaptureSettings(gain_db=20), 20, told.append)
    await microphone.start()
    player = sound_card.play(write_wav(tmp_path / "loud.wav", tone(300, 48000, 12000)))
    async with asyncio.timeout(30):
        async for _ in microphone:
            if microphone.problem is not None:
                break
    await microphone.close()
    player.terminate()
    player.wait()

    assert microphone.clipped_s >= 5
    (trouble,) = [change for change in told if isinstance(change, ServiceTrouble)]
    assert trouble == ServiceTrouble("clipping", microphone.problem or "")
    assert trouble.detail == "microphone default is too loud, its sound is cut off: lower capture.gain_db"
