import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.fakes.sound_card import SoundCard, limit_cards
from tests.fakes.tone import likeness, loudness_of, noise, tone, write_wav
from tests.fakes.until import until
from voice_node.capture.microphone import Microphone
from voice_node.model.audio import Frame
from voice_node.model.errors import CaptureLost
from voice_node.model.turn import CaptureChanged, ServiceTrouble
from voice_node.runtime.portaudio import PortAudio
from voice_node.runtime.sound_devices import DeviceMissing
from voice_node.settings.schema import CaptureSettings

SETTINGS = CaptureSettings()
NAMED = CaptureSettings(device="usb")


@contextlib.asynccontextmanager
async def open_microphone(
    settings: CaptureSettings = SETTINGS, frame_ms: int = 20, **options: Any
) -> AsyncIterator[tuple[Microphone, list[CaptureChanged]]]:
    told: list[CaptureChanged] = []

    def tell(change: CaptureChanged | ServiceTrouble) -> None:
        assert isinstance(change, CaptureChanged)
        told.append(change)

    microphone = Microphone(settings, frame_ms, tell, **options)
    await microphone.start()
    try:
        yield microphone, told
    finally:
        await microphone.close()


async def take(microphone: Microphone, ms: int) -> list[Frame]:
    """So much sound, within a deadline."""
    frames: list[Frame] = []
    async with asyncio.timeout(20):
        async for frame in microphone:
            frames.append(frame)
            if sum(frame.duration_ms for frame in frames) >= ms:
                break
    return frames


async def take_loud(microphone: Microphone, ms: int) -> list[Frame]:
    """So much sound in one piece, none of it silent: a busy machine begins to play late, and with holes."""
    frames: list[Frame] = []
    async with asyncio.timeout(20):
        while sum(frame.duration_ms for frame in frames) < ms:
            frame = await anext(microphone)
            is_next = not frames or frame.index == frames[-1].index + 1
            is_loud = np.abs(np.frombuffer(frame.pcm, np.int16).astype(int)).max() > 9000
            frames = [*(frames if is_next else []), frame] if is_loud else []
    return frames


async def last_told(told: list[CaptureChanged], is_open: bool) -> CaptureChanged:
    """The last thing told, once it is this."""
    await until(lambda: bool(told) and told[-1].is_open is is_open)
    return told[-1]


async def drain(microphone: Microphone) -> None:
    """Read to the end."""
    async for _ in microphone:
        pass


def sound(frames: list[Frame]) -> bytes:
    return b"".join(frame.pcm for frame in frames)


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

    heard = sound(frames)
    correlation, at = likeness(played, heard)
    assert correlation > 0.999
    assert heard[2 * at : 2 * at + len(played)] == played
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
        heard = sound(await take_loud(microphone, 250))
        player.terminate()
        player.wait()

    here, there = ((500, 1700), (1700, 500))[channel]
    assert loudness_of(here, heard, 48000) > 9000
    assert loudness_of(there, heard, 48000) < 100


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
    assert loudness_of(1000, sound(frames), 48000) > 9000


async def test_a_pulled_plug_is_told_once_and_mended_within_5_s(sound_card: SoundCard) -> None:
    async with open_microphone() as (microphone, told):
        before = await take(microphone, 100)
        await last_told(told, is_open=True)
        sound_card.kill()
        loss = await last_told(told, is_open=False)
        sound_card.start()
        back_at = time.monotonic()
        # what was captured before the loss is still there; the hole comes after it
        frames = before + await take(microphone, 20)
        async with asyncio.timeout(10):
            while frames[-1].index == frames[-2].index + 1:
                frames.append(await anext(microphone))
        assert time.monotonic() - back_at < 5
        await last_told(told, is_open=True)

    assert loss.detail == "it went away"
    assert [change.is_open for change in told] == [True, False, True]
    assert microphone.lost_frames >= frames[-1].index - frames[-2].index - 1 > 5


async def test_a_card_that_freezes_is_opened_anew_when_it_thaws(
    sound_card: SoundCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voice_node.capture.microphone._FROZEN_S", 0.5)
    async with open_microphone() as (microphone, told):
        await take(microphone, 40)
        await last_told(told, is_open=True)
        sound_card.freeze()
        loss = await last_told(told, is_open=False)
        sound_card.thaw()
        await last_told(told, is_open=True)
        assert await take(microphone, 40)

    assert loss.detail == "it is open but gives no sound"


async def test_a_driver_that_hangs_ends_the_capture_so_that_the_process_starts_afresh(
    sound_card: SoundCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voice_node.capture.microphone._FROZEN_S", 0.5)
    monkeypatch.setattr("voice_node.capture.microphone._DRIVER_S", 0.5)
    async with open_microphone() as (microphone, told):
        await take(microphone, 40)
        await last_told(told, is_open=True)
        sound_card.freeze()
        with pytest.raises(CaptureLost, match="microphone default: its driver does not answer"):
            await asyncio.wait_for(drain(microphone), 10)
        with pytest.raises(CaptureLost):
            await microphone.pause()
        await microphone.close()
        # the hanging thread ends with the freeze; whoever opens PortAudio next waits for it
        sound_card.thaw()
        await asyncio.to_thread(lambda: PortAudio.open().close())


async def test_it_lets_go_for_others_who_miss_a_device_and_nobody_is_told(
    sound_card: SoundCard, new_patience: None
) -> None:
    """PortAudio's list of devices is made anew only when nobody holds it."""
    async with open_microphone() as (microphone, told):
        frames = await take(microphone, 40)
        await last_told(told, is_open=True)
        with PortAudio.open() as other, pytest.raises(DeviceMissing):
            other.find("plugged in later", "output")
        async with asyncio.timeout(10):
            while len(frames) < 2 or frames[-1].index == frames[-2].index + 1:
                frames.append(await anext(microphone))
        with PortAudio.open() as other:
            assert not other.should_let_go

    assert [change.is_open for change in told] == [True]


async def test_a_card_that_is_missing_at_the_start_is_waited_for(sound_card: SoundCard) -> None:
    sound_card.kill()
    async with open_microphone() as (microphone, told):
        await last_told(told, is_open=False)
        sound_card.start()
        frames = await take(microphone, 40)
        await last_told(told, is_open=True)

    assert [change.is_open for change in told] == [False, True]
    assert frames[0].index == 0


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        (CaptureSettings(device="no such card"), r"there is no input device 'no such card'; there are: 0 "),
        (CaptureSettings(device=77), r"there is no input device 77; there are: 0 "),
    ],
)
async def test_giving_up_names_the_device_and_what_is_there(
    sound_card: SoundCard, settings: CaptureSettings, complaint: str
) -> None:
    async with open_microphone(settings, give_up_after_s=0.1) as (microphone, told):
        with pytest.raises(CaptureLost, match=complaint):
            await asyncio.wait_for(anext(microphone), 10)

    assert [change.is_open for change in told] == [False]


async def test_a_channel_that_the_card_does_not_have_is_named(sound_card: SoundCard) -> None:
    async with open_microphone(CaptureSettings(channel=31), give_up_after_s=0.1) as (_, told):
        await last_told(told, is_open=True)
    assert told[0].detail.endswith("channel 31 of 32")


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


async def next_after_hole(microphone: Microphone, frames: list[Frame]) -> None:
    """Read up to the first frame behind a hole."""
    async with asyncio.timeout(10):
        while len(frames) < 2 or frames[-1].index == frames[-2].index + 1:
            frames.append(await anext(microphone))


async def played_into(card: SoundCard, microphone: Microphone, sink: str, path: Path) -> bytes:
    """What it hears while a tone of 1 kHz sounds there."""
    player = card.play(write_wav(path, tone(1000, 48000, 3000)), sink)
    await take(microphone, 700)
    heard = sound(await take(microphone, 300))
    player.terminate()
    player.wait()
    return heard


async def test_a_source_is_chosen_by_its_name_in_pulseaudio(sound_card: SoundCard, tmp_path: Path) -> None:
    """Without and with the prefix; the rest of the process goes on with the default source."""
    for device in ("pulse:stage.monitor", "mic"):
        async with open_microphone(CaptureSettings(device=device)) as (microphone, told):
            await take(microphone, 60)
            await last_told(told, is_open=True)
            sink = "stage" if "stage" in device else "room"
            assert loudness_of(1000, await played_into(sound_card, microphone, sink, tmp_path / "t.wav"), 48000) > 500
        assert told[0].device == "pulse:" + device.removeprefix("pulse:")
    assert "PULSE_SOURCE" not in os.environ


async def test_a_source_that_pulseaudio_does_not_have_is_told_and_used_when_it_comes(sound_card: SoundCard) -> None:
    async with open_microphone(CaptureSettings(device="pulse:usb.monitor")) as (microphone, told):
        missing = await last_told(told, is_open=False)
        assert "pulse:usb.monitor cannot be opened" in missing.detail
        sound_card.load("usb")
        await asyncio.wait_for(take(microphone, 60), 5)


async def test_a_card_that_is_pulled_and_comes_back_under_another_index_is_heard_within_5_s(
    sound_card: SoundCard, tmp_path: Path
) -> None:
    sound_card.plug("other")
    sound_card.plug("usb")
    with PortAudio.open() as library:
        index = library.find("usb", "input").index
    for device in ("usb", index):
        async with open_microphone(CaptureSettings(device=device)) as (microphone, told):
            frames = await take(microphone, 120)
            await last_told(told, is_open=True)
            sound_card.unplug("usb")
            await last_told(told, is_open=False)
            sound_card.unplug("other")
            sound_card.plug("usb")
            back_at = time.monotonic()
            await next_after_hole(microphone, frames)
            assert time.monotonic() - back_at < 5
            await last_told(told, is_open=True)
            assert loudness_of(1000, await played_into(sound_card, microphone, "usb", tmp_path / "t.wav"), 48000) > 500
        with PortAudio.open() as library:
            assert library.find("usb", "input").index == index - 1
        sound_card.unplug("usb")
        sound_card.plug("other")
        sound_card.plug("usb")


async def test_a_loose_plug_five_times(sound_card: SoundCard) -> None:
    sound_card.plug("usb")
    async with open_microphone(NAMED) as (microphone, told):
        frames = await take(microphone, 120)
        for _ in range(5):
            await last_told(told, is_open=True)
            sound_card.unplug("usb")
            await last_told(told, is_open=False)
            sound_card.plug("usb")
            back_at = time.monotonic()
            frames = frames[-1:]
            await next_after_hole(microphone, frames)
            assert time.monotonic() - back_at < 5


@pytest.mark.parametrize(
    ("rates_hz", "channels", "detail"),
    [
        ([44100], [1, 2], "44100 Hz, channel 0 of 2; it does not take 48000 Hz; resampled to 48000 Hz"),
        ([16000], [1], "16000 Hz, channel 0 of 1; it does not take 48000 Hz"),
        ([48000], [2], "48000 Hz, channel 0 of 2"),
        ([32000, 44100], [6], "44100 Hz, channel 0 of 6; it does not take 48000 Hz; resampled to 48000 Hz"),
    ],
)
async def test_what_the_card_takes_is_negotiated(
    sound_card: SoundCard,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    rates_hz: list[int],
    channels: list[int],
    detail: str,
) -> None:
    sound_card.plug("usb", rates_hz[-1], channels[-1])
    limit_cards(monkeypatch, rates_hz, channels)
    async with open_microphone(NAMED) as (microphone, told):
        (first, *_) = await take(microphone, 60)
        assert (await last_told(told, is_open=True)).detail == detail
        heard = await played_into(sound_card, microphone, "usb", tmp_path / "tone.wav")
    assert first.rate_hz == (16000 if rates_hz == [16000] else 48000)
    assert loudness_of(1000, heard, first.rate_hz) > 500


async def test_a_card_that_takes_nothing_says_what_was_tried(
    sound_card: SoundCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound_card.plug("usb")
    limit_cards(monkeypatch, [192000], [2])
    async with open_microphone(NAMED) as (_, told):
        missing = await last_told(told, is_open=False)
    assert missing.detail == (
        "usb cannot be opened at 48000 or 44100 or 32000 or 16000 or 8000 Hz with 2 or 1 channels: Invalid sample rate"
    )


async def test_a_channel_beyond_those_of_the_card_is_named(
    sound_card: SoundCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound_card.plug("usb")
    limit_cards(monkeypatch, [48000], [1])
    async with open_microphone(CaptureSettings(device="usb", channel=1)) as (_, told):
        missing = await last_told(told, is_open=False)
    assert missing.detail == "it has 1 channels, so there is no channel 1 (the first is 0)"


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


async def test_another_source_is_never_heard_in_the_place_of_the_one_that_was_named(sound_card: SoundCard) -> None:
    """PulseAudio would move the stream to its default."""
    sound_card.load("usb")
    async with open_microphone(CaptureSettings(device="pulse:usb.monitor")) as (microphone, told):
        frames = await take(microphone, 120)
        await last_told(told, is_open=True)
        await until(lambda: sound_card.clients() >= 2)  # the stream, and the watch
        sound_card.unload("usb")
        await last_told(told, is_open=False)
        assert sound_card.listeners() == 0
        sound_card.load("usb")
        back_at = time.monotonic()
        await next_after_hole(microphone, frames)
        assert time.monotonic() - back_at < 5
        await last_told(told, is_open=True)
