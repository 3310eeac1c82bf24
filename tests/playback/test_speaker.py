import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.sound_card import SoundCard, limit_cards
from tests.fakes.tone import likeness, loudness_of, noise, tone
from tests.fakes.until import until
from voice_node.model.audio import PlayedBlock
from voice_node.model.turn import PlaybackChanged
from voice_node.playback.queue import RATE_HZ
from voice_node.playback.speaker import NullSpeaker, Speaker
from voice_node.runtime.portaudio import PortAudio, StreamFormat
from voice_node.settings.schema import PlaybackSettings
from voice_node.stages import Player

LOUD = PlaybackSettings(volume=100)
Told = list[tuple[bool, float]]
"""What was told, and when."""


@contextlib.asynccontextmanager
async def open_speaker(settings: PlaybackSettings = LOUD, tail_ms: int = 100) -> AsyncIterator[tuple[Speaker, Told]]:
    told: Told = []
    speaker = Speaker(settings, lambda change: told.append((change.is_speaking, time.monotonic())), tail_ms)
    await speaker.start()
    try:
        yield speaker, told
    finally:
        await speaker.close()


async def drained(player: Player, deadline_s: float = 15) -> None:
    async with asyncio.timeout(deadline_s):
        await player.drained()


@contextlib.asynccontextmanager
async def recorded(card: SoundCard, path: Path, rate_hz: int = RATE_HZ) -> AsyncIterator[Path]:
    """What the speaker sounds, from before until after, as mono s16le in `path`."""

    def size() -> int:
        return path.stat().st_size

    recorder = card.record(path, rate_hz)
    try:
        await until(lambda: size() > 0)
        yield path
        before = size()
        await until(lambda: size() > before + rate_hz // 2)
    finally:
        recorder.terminate()
        recorder.wait()


def assert_heard(reply: bytes, room: bytes) -> None:
    """Each 100 ms are there, in order; one may hold a hole, since a busy test machine starves the sound server."""
    size = RATE_HZ // 10 * 2
    found = [likeness(reply[start : start + size], room) for start in range(0, len(reply), size)]
    assert sum(correlation > 0.9 for correlation, _ in found) >= len(found) - 1
    places = [at for correlation, at in found if correlation > 0.9]
    assert places == sorted(places)


@pytest.mark.parametrize("piece", [333, 4800, 1_000_000])
async def test_what_is_played_is_heard(sound_card: SoundCard, tmp_path: Path, piece: int) -> None:
    """In tiny, odd and huge pieces."""
    reply = noise(RATE_HZ, 700)
    async with open_speaker() as (speaker, told), recorded(sound_card, tmp_path / "room.raw") as room:
        for start in range(0, len(reply), piece):
            speaker.play("item_1", reply[start : start + piece])
        speaker.end("item_1")
        assert speaker.is_speaking
        await drained(speaker)
        assert not speaker.is_speaking
        assert speaker.problem is None

    assert_heard(reply, room.read_bytes())
    assert [is_speaking for is_speaking, _ in told] == [True, False]
    assert told[1][1] - told[0][1] >= 0.7


async def test_two_items_sound_one_after_the_other(sound_card: SoundCard, tmp_path: Path) -> None:
    first, second = noise(RATE_HZ, 300), noise(RATE_HZ, 700)[14400:]
    async with open_speaker() as (speaker, told), recorded(sound_card, tmp_path / "room.raw") as room:
        speaker.play("item_1", first)
        speaker.play("item_2", second)
        await drained(speaker)

    assert_heard(first + second, room.read_bytes())
    assert len(told) == 2


async def test_stop_is_silence_at_once_and_the_truth_about_what_was_heard(
    sound_card: SoundCard, tmp_path: Path
) -> None:
    reply = noise(RATE_HZ, 3000)
    async with open_speaker() as (speaker, _told), recorded(sound_card, tmp_path / "room.raw") as room:
        speaker.play("item_1", reply)
        await until(lambda: speaker._queue.played_ms("item_1") > 0)
        await asyncio.sleep(0.4)
        played = speaker.stop()
        await drained(speaker, deadline_s=2)
        assert speaker.stop() is None

    assert played is not None
    heard = room.read_bytes()
    loud = [
        index
        for index in range(0, len(heard), 2)
        if abs(int.from_bytes(heard[index : index + 2], "little", signed=True)) > 300
    ]
    heard_ms = (loud[-1] - loud[0]) * 1000 / (2 * RATE_HZ)
    assert played.item_id == "item_1"
    assert played.played_ms + played.queued_ms in (2999, 3000)
    assert abs(played.played_ms - heard_ms) <= 40


async def test_the_tail_is_waited_for(sound_card: SoundCard) -> None:
    async with open_speaker(tail_ms=600) as (speaker, told):
        speaker.play("item_1", tone(1000, RATE_HZ, 200))
        await drained(speaker)

    assert told[1][1] - told[0][1] >= 0.7


async def test_a_second_reply_needs_no_opening(sound_card: SoundCard) -> None:
    async with open_speaker() as (speaker, told):
        for item_id in ("item_1", "item_2"):
            speaker.play(item_id, tone(1000, RATE_HZ, 100))
            await drained(speaker)
            assert sound_card.players() == 1

    assert [is_speaking for is_speaking, _ in told] == [True, False] * 2
    assert sound_card.players() == 0


async def test_an_idle_device_is_freed(sound_card: SoundCard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voice_node.playback.speaker._IDLE_S", 0.2)
    async with open_speaker() as (speaker, _):
        speaker.play("item_1", tone(1000, RATE_HZ, 100))
        await drained(speaker)
        await until(lambda: sound_card.players() == 0)


async def test_without_its_device_a_reply_ends_at_its_pace_and_the_next_one_tries_again(sound_card: SoundCard) -> None:
    sound_card.kill()
    async with open_speaker() as (speaker, told):
        speaker.play("item_1", tone(1000, RATE_HZ, 500))
        await drained(speaker)
        assert speaker.problem is not None
        assert speaker.problem.startswith("speaker default: there is no output device 'default'")
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
    monkeypatch.setattr("voice_node.playback.speaker._FROZEN_S", 0.5)
    monkeypatch.setattr("voice_node.playback.speaker._DRIVER_S", 0.5)
    async with open_speaker() as (speaker, told):
        speaker.play("item_1", tone(1000, RATE_HZ, 1500))
        await until(lambda: speaker._queue.played_ms("item_1") > 0)
        sound_card.freeze()
        await drained(speaker)
        assert speaker.problem == "speaker default: its driver does not answer"
        speaker.play("item_2", tone(1000, RATE_HZ, 100))
        await drained(speaker)
        assert [is_speaking for is_speaking, _ in told] == [True, False] * 2
        # the hanging thread ends with the freeze; whoever opens PortAudio next waits for it
        sound_card.thaw()
        await asyncio.to_thread(lambda: PortAudio.open().close())


async def test_too_much_is_refused_and_said_once(sound_card: SoundCard, caplog: pytest.LogCaptureFixture) -> None:
    async with open_speaker() as (speaker, _):
        for _ in range(12):
            speaker.play("item_1", bytes(60 * RATE_HZ * 2))
        assert caplog.text.count("the playback queue is full") == 1
        speaker.stop()


async def test_close_under_a_reply_is_silence(sound_card: SoundCard) -> None:
    async with open_speaker() as (speaker, _told):
        speaker.play("item_1", tone(1000, RATE_HZ, 60_000))
        await until(lambda: speaker._queue.played_ms("item_1") > 0)
        await speaker.close()
        assert sound_card.players() == 0
        await drained(speaker, deadline_s=1)


@pytest.mark.parametrize(("is_realtime", "at_least_s"), [(True, 0.3), (False, 0.0)])
async def test_a_room_without_a_speaker_keeps_its_turns(is_realtime: bool, at_least_s: float) -> None:
    told: list[PlaybackChanged] = []
    speaker = NullSpeaker(told.append, is_realtime)
    await speaker.start()
    began = time.monotonic()
    speaker.play("item_1", tone(1000, RATE_HZ, 300))
    speaker.end("item_1")
    assert speaker.is_speaking
    await drained(speaker)
    assert time.monotonic() - began >= at_least_s
    assert speaker.stop() is None
    speaker.set_volume(50)
    speaker.play("item_2", tone(1000, RATE_HZ, 300))
    await speaker.close()
    await drained(speaker)

    assert told[:2] == [PlaybackChanged(True), PlaybackChanged(False)]


async def next_reply_is_heard(card: SoundCard, speaker: Speaker, folder: Path, sink: str = "usb") -> float:
    """Play replies until one sounds; how many seconds that took."""
    began = time.monotonic()
    recorder = card.record(folder / f"{began}.raw", source=f"{sink}.monitor")
    try:
        for number in range(20):
            speaker.play(f"item_{began}_{number}", tone(1000, RATE_HZ, 300))
            await drained(speaker)
            heard = (folder / f"{began}.raw").read_bytes()
            if loudness_of(1000, heard[: len(heard) // 2 * 2], 48000) > 100:
                return time.monotonic() - began
    finally:
        recorder.terminate()
        recorder.wait()
    raise AssertionError("it stays silent")


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
        await until(lambda: speaker.problem is None, 5)
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
            await next_reply_is_heard(sound_card, speaker, tmp_path, "stage")


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
        await until(lambda: speaker.problem is None, 5)
        speaker.stop()
        await next_reply_is_heard(sound_card, speaker, tmp_path)


async def test_the_tail_begins_when_the_driver_says_that_the_last_sample_has_left() -> None:
    """However long its way to the device is, and by when sound came in."""
    speaker = Speaker(LOUD, lambda _: None, tail_ms=300)
    speaker._queue.push("item_1", tone(1000, RATE_HZ, 10))
    assert speaker.was_speaking(0)
    before = time.monotonic()
    speaker._fill(RATE_HZ // 100, StreamFormat(RATE_HZ, 1), 5.0, False)
    after = time.monotonic()

    assert speaker.is_speaking
    assert speaker.was_speaking(before + 5.0 + 0.01 + 0.3 - 0.001)
    assert not speaker.was_speaking(after + 5.0 + 0.01 + 0.3)


async def test_the_tail_is_over_after_the_last_sample_was_heard(sound_card: SoundCard, tmp_path: Path) -> None:
    """A recorder hears it a little late, so the tail seems a little shorter than it is."""
    loud_at = [0.0]
    async with open_speaker(tail_ms=500) as (speaker, told), recorded(sound_card, tmp_path / "room.raw") as room:

        async def listen() -> None:
            read = 0
            while True:
                await asyncio.sleep(0.005)
                piece = room.read_bytes()[read:]
                read += len(piece)
                if any(abs(value) > 300 for value in memoryview(piece[: len(piece) // 2 * 2]).cast("h")[::7]):
                    loud_at[0] = time.monotonic()

        listening = asyncio.create_task(listen())
        speaker.play("item_1", tone(1000, RATE_HZ, 400))
        await drained(speaker)
        listening.cancel()

    assert loud_at[0] > 0
    assert told[1][1] - loud_at[0] >= 0.3


async def test_what_is_handed_to_the_device_is_the_reference_and_its_place_goes_on_through_silence(
    sound_card: SoundCard,
) -> None:
    blocks: list[PlayedBlock] = []
    speaker = Speaker(LOUD, lambda _: None, tail_ms=100, give_reference=blocks.append)
    await speaker.start()
    first, second = noise(RATE_HZ, 300), noise(RATE_HZ, 500)[9600:]
    for item, sound in (("item_1", first), ("item_2", second)):
        speaker.play(item, sound)
        await drained(speaker)
    await speaker.close()

    rate_hz = blocks[0].rate_hz
    assert rate_hz == RATE_HZ, "PulseAudio takes any"
    heard = b"".join(block.pcm for block in blocks)
    assert likeness(first, heard)[0] > 0.999
    assert likeness(second, heard)[0] > 0.999
    gaps = [after.position - before.position - len(before.pcm) // 2 for before, after in itertools.pairwise(blocks)]
    assert [gap > 0 for gap in gaps].count(True) == 1
    assert sum(gaps) >= rate_hz // 10, "the tail lay between the two"
    origins = [block.at - block.position / rate_hz for block in blocks]
    assert max(origins) - min(origins) < 5
