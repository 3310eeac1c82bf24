"""The device of a speaker: how it is chosen, that it comes, goes and hangs, and that no turn hangs with it."""

import asyncio
from pathlib import Path

import pytest

from tests.fakes.sound_card import SoundCard, limit_cards
from tests.fakes.tone import tone
from tests.fakes.until import until
from tests.playback.room import drained, next_reply_is_heard, open_speaker
from voice_node.playback.queue import RATE_HZ
from voice_node.runtime.portaudio import PortAudio
from voice_node.settings.schema import PlaybackSettings


async def test_an_idle_device_is_freed(sound_card: SoundCard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voice_node.playback.speaker._IDLE_S", 0.2)
    async with open_speaker() as (speaker, told):
        speaker.play("item_1", tone(1000, RATE_HZ, 100))
        await drained(speaker)
        await until(lambda: sound_card.players() == 0)
        assert speaker.problem is None
        speaker.play("item_2", tone(1000, RATE_HZ, 100))
        await until(lambda: sound_card.players() == 1)
        await drained(speaker)
        assert [is_speaking for is_speaking, _ in told] == [True, False] * 2


async def test_without_its_device_a_reply_ends_at_its_pace_and_the_next_one_tries_again(sound_card: SoundCard) -> None:
    sound_card.kill()
    async with open_speaker() as (speaker, told):
        speaker.play("item_1", tone(1000, RATE_HZ, 500))
        await drained(speaker)
        assert speaker.problem is not None
        assert speaker.problem.startswith("speaker default: there is no output device here at all")
        assert told[1][1] - told[0][1] >= 0.4

        sound_card.start()
        speaker.play("item_2", tone(1000, RATE_HZ, 100))
        await until(lambda: sound_card.players() == 1)
        await drained(speaker)
        assert speaker.problem is None


async def test_a_missing_device_is_told_once_until_that_changes(
    sound_card: SoundCard, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_speaker() as (speaker, _):
        for round_number in (1, 2):
            sound_card.kill()
            for item in ("a", "b"):
                speaker.play(f"{item}{round_number}", tone(1000, RATE_HZ, 50))
                await drained(speaker)
                assert speaker.problem is not None
            warnings = [record for record in caplog.records if "there is no output device" in record.message]
            assert len(warnings) == round_number
            sound_card.start()
            speaker.play(f"c{round_number}", tone(1000, RATE_HZ, 50))
            await drained(speaker)
            assert speaker.problem is None


async def test_a_device_that_vanishes_under_a_reply_ends_nothing(sound_card: SoundCard) -> None:
    async with open_speaker() as (speaker, told):
        speaker.play("item_1", tone(1000, RATE_HZ, 1500))
        await until(lambda: speaker._queue.played_ms("item_1") > 0)
        sound_card.kill()
        await drained(speaker)
        assert speaker.problem == "speaker default: it went away"
        assert [is_speaking for is_speaking, _ in told] == [True, False]
        assert told[1][1] - told[0][1] >= 1.4

        sound_card.start()
        speaker.play("item_2", tone(1000, RATE_HZ, 100))
        await until(lambda: speaker.problem is None)
        await drained(speaker)


async def test_a_driver_that_hangs_is_left_alone_and_turns_still_end(
    sound_card: SoundCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_speaker() as (speaker, told):
        speaker.play("item_1", tone(1000, RATE_HZ, 3000))
        await until(lambda: speaker._queue.played_ms("item_1") > 0)
        monkeypatch.setattr("voice_node.playback.speaker._FROZEN_S", 0.5)
        monkeypatch.setattr("voice_node.playback.speaker._DRIVER_S", 0.5)
        sound_card.freeze()
        try:
            await drained(speaker)
            assert speaker.problem == "speaker default: its driver does not answer"
            speaker.play("item_2", tone(1000, RATE_HZ, 100))
            await drained(speaker)
            assert [is_speaking for is_speaking, _ in told] == [True, False] * 2
        finally:
            # the hanging thread ends with the freeze; whoever opens PortAudio next waits for it
            sound_card.thaw()
        await asyncio.to_thread(lambda: PortAudio.open().close())


@pytest.mark.slow
async def test_a_card_that_is_pulled_and_comes_back_under_another_index_sounds_within_5_s(
    sound_card: SoundCard, tmp_path: Path
) -> None:
    sound_card.plug("other")
    sound_card.plug("usb")
    with PortAudio.open() as library:
        index = library.find("usb", "output").index
    for device in ("usb", index):
        async with open_speaker(PlaybackSettings(device=device, volume=100)) as (speaker, _):
            await next_reply_is_heard(sound_card, speaker, tmp_path)
            speaker.play("long", tone(300, RATE_HZ, 2000))
            sound_card.unplug("usb")
            await until(lambda: speaker.problem is not None)
            sound_card.unplug("other")
            sound_card.plug("usb")
            assert await next_reply_is_heard(sound_card, speaker, tmp_path) < 5
            assert speaker.problem is None
        sound_card.unplug("usb")
        sound_card.plug("other")
        sound_card.plug("usb")


async def test_a_long_reply_goes_on_when_its_card_is_back(sound_card: SoundCard, tmp_path: Path) -> None:
    sound_card.plug("usb")
    async with open_speaker(PlaybackSettings(device="usb", volume=100)) as (speaker, told):
        speaker.play("item_1", tone(1000, RATE_HZ, 10_000))
        await until(lambda: speaker._queue.played_ms("item_1") > 0)
        sound_card.unplug("usb")
        await until(lambda: speaker.problem is not None)
        sound_card.plug("usb")
        await until(lambda: speaker.problem is None)
        assert speaker.is_speaking
        speaker.stop()
    assert len(told) <= 2


async def test_a_microphone_that_is_open_does_not_keep_a_new_speaker_from_being_seen(
    sound_card: SoundCard, tmp_path: Path, new_patience: None
) -> None:
    """PortAudio's list of devices is made anew only when nobody holds it."""
    with PortAudio.open() as library:
        async with open_speaker(PlaybackSettings(device="usb", volume=100)) as (speaker, _):
            speaker.play("item_1", tone(1000, RATE_HZ, 100))
            await drained(speaker)
            assert speaker.problem is not None
            assert library.should_let_go
            library.close()
            sound_card.plug("usb")
            assert await next_reply_is_heard(sound_card, speaker, tmp_path) < 5


@pytest.mark.parametrize(
    ("rates_hz", "channels"), [([44100], [1, 2]), ([16000], [1]), ([48000], [2]), ([44100, 48000], [6])]
)
async def test_what_the_card_takes_is_negotiated(
    sound_card: SoundCard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rates_hz: list[int], channels: list[int]
) -> None:
    sound_card.plug("usb", rates_hz[0], channels[0])
    limit_cards(monkeypatch, rates_hz, channels)
    async with open_speaker(PlaybackSettings(device="usb", volume=100)) as (speaker, _):
        await next_reply_is_heard(sound_card, speaker, tmp_path)
        assert speaker.problem is None


async def test_a_card_that_takes_nothing_says_what_was_tried(
    sound_card: SoundCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound_card.plug("usb")
    limit_cards(monkeypatch, [192000], [2])
    async with open_speaker(PlaybackSettings(device="usb")) as (speaker, _):
        speaker.play("item_1", tone(1000, RATE_HZ, 100))
        await drained(speaker)
        assert speaker.problem == (
            "speaker usb: usb cannot be opened at 24000 or 44100 or 48000 or 32000 or 16000 or 8000 Hz "
            "with 2 or 1 channels: Invalid sample rate"
        )


async def test_a_sink_is_chosen_by_its_name_in_pulseaudio(sound_card: SoundCard, tmp_path: Path) -> None:
    for device in ("pulse:stage", "stage"):
        async with open_speaker(PlaybackSettings(device=device, volume=100)) as (speaker, _):
            assert await next_reply_is_heard(sound_card, speaker, tmp_path, "stage") < 5
            assert speaker.problem is None
            assert sound_card.players() == 1


async def test_another_sink_never_sounds_in_the_place_of_the_one_that_was_named(
    sound_card: SoundCard, tmp_path: Path
) -> None:
    """PulseAudio would move the stream to its default."""
    sound_card.load("usb")
    async with open_speaker(PlaybackSettings(device="pulse:usb", volume=100)) as (speaker, _):
        await next_reply_is_heard(sound_card, speaker, tmp_path)
        speaker.play("long", tone(300, RATE_HZ, 8000))
        await until(lambda: speaker._queue.played_ms("long") > 0)
        sound_card.unload("usb")
        await until(lambda: speaker.problem is not None)
        assert sound_card.players() == 0
        sound_card.load("usb")
        await until(lambda: speaker.problem is None)
        speaker.stop()
        assert await next_reply_is_heard(sound_card, speaker, tmp_path) < 5
