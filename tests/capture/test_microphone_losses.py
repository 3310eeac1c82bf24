"""A microphone that goes away, hangs, or was never there, and what is heard when it is back."""

import asyncio
import time
from pathlib import Path

import pytest

from tests.capture.microphones import (
    NAMED,
    drain,
    last_told,
    next_after_hole,
    open_microphone,
    played_into,
    take,
)
from tests.fakes.sound_card import SoundCard
from tests.fakes.tone import loudness_of
from tests.fakes.until import until
from voice_node.model.errors import CaptureLost
from voice_node.runtime.portaudio import PortAudio
from voice_node.runtime.sound_devices import DeviceMissing
from voice_node.settings.schema import CaptureSettings


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
    async with open_microphone() as (microphone, told):
        await take(microphone, 40)
        await last_told(told, is_open=True)
        monkeypatch.setattr("voice_node.capture.microphone._FROZEN_S", 0.5)
        monkeypatch.setattr("voice_node.capture.microphone._DRIVER_S", 0.5)
        sound_card.freeze()
        try:
            with pytest.raises(CaptureLost, match="microphone default: its driver does not answer"):
                await asyncio.wait_for(drain(microphone), 30)
            with pytest.raises(CaptureLost):
                await microphone.pause()
            await microphone.close()
        finally:
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


async def test_a_source_that_pulseaudio_does_not_have_is_told_and_used_when_it_comes(sound_card: SoundCard) -> None:
    async with open_microphone(CaptureSettings(device="pulse:usb.monitor")) as (microphone, told):
        missing = await last_told(told, is_open=False)
        assert "pulse:usb.monitor cannot be opened" in missing.detail
        sound_card.load("usb")
        frames = await take(microphone, 60)
        await last_told(told, is_open=True)
    assert frames[0].index == 0
    assert [change.is_open for change in told] == [False, True]


@pytest.mark.slow
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


@pytest.mark.slow
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
