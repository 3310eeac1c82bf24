"""Which device a microphone is, and what is agreed with it."""

import asyncio
import os
from pathlib import Path

import pytest

from tests.capture.microphones import NAMED, last_told, open_microphone, played_into, take
from tests.fakes.sound_card import SoundCard, limit_cards
from tests.fakes.tone import loudness_of
from voice_node.model.errors import CaptureLost
from voice_node.settings.schema import CaptureSettings


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
