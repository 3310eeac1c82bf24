import asyncio
import itertools
import time
from pathlib import Path

import numpy as np
import pytest

from tests.fakes.sound_card import SoundCard
from tests.fakes.tone import likeness, noise, tone
from tests.fakes.until import until
from tests.playback.room import LOUD, drained, gaps_in, open_speaker, recorded, samples_of
from voice_node.model.audio import PlayedBlock
from voice_node.model.turn import PlaybackChanged
from voice_node.playback.queue import RATE_HZ
from voice_node.playback.speaker import NullSpeaker, Speaker
from voice_node.runtime.portaudio import StreamFormat


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

    assert gaps_in(samples_of(room.read_bytes()), samples_of(reply)) <= speaker.underruns
    assert [is_speaking for is_speaking, _ in told] == [True, False]
    assert told[1][1] - told[0][1] >= 0.7


async def test_two_items_sound_one_after_the_other(sound_card: SoundCard, tmp_path: Path) -> None:
    first, second = noise(RATE_HZ, 300), noise(RATE_HZ, 700)[14400:]
    async with open_speaker() as (speaker, told), recorded(sound_card, tmp_path / "room.raw") as room:
        speaker.play("item_1", first)
        speaker.play("item_2", second)
        await drained(speaker)

    assert gaps_in(samples_of(room.read_bytes()), samples_of(first + second)) <= speaker.underruns
    assert len(told) == 2


async def test_stop_is_silence_at_once_and_the_truth_about_what_was_heard(
    sound_card: SoundCard, tmp_path: Path
) -> None:
    reply = noise(RATE_HZ, 3000)
    async with open_speaker() as (speaker, _told), recorded(sound_card, tmp_path / "room.raw") as room:
        speaker.play("item_1", reply)
        await until(lambda: speaker._queue.played_ms("item_1") > 400)
        played = speaker.stop()
        await drained(speaker, deadline_s=2)
        assert speaker.stop() is None

    assert played is not None
    heard = samples_of(room.read_bytes())
    untouched = heard[: -RATE_HZ // 100]  # its end fades out
    assert gaps_in(untouched, samples_of(reply)) <= speaker.underruns + 1, "its rest was not played"
    heard_ms = len(heard) * 1000 / RATE_HZ
    assert played.item_id == "item_1"
    assert played.played_ms + played.queued_ms in (2999, 3000)
    assert abs(played.played_ms - heard_ms) <= 40 + 10 * speaker.underruns


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
    """A recorder hears it a little late, so the tail seems a little shorter than it is.

    Sample by sample the recording keeps the sound server's time; it began when the piece that was late least says.
    """
    begins = []
    async with open_speaker(tail_ms=500) as (speaker, told), recorded(sound_card, tmp_path / "room.raw") as room:

        async def listen() -> None:
            while True:
                await asyncio.sleep(0.005)
                begins.append(time.monotonic() - room.stat().st_size / (2 * RATE_HZ))

        listening = asyncio.create_task(listen())
        speaker.play("item_1", noise(RATE_HZ, 400))
        await drained(speaker)
        listening.cancel()

    loud = np.flatnonzero(np.frombuffer(room.read_bytes(), np.int16))
    holes_s = (loud[-1] - loud[0] - len(loud)) / RATE_HZ  # of a busy machine: by so much the end was late
    assert told[1][1] - (min(begins) + loud[-1] / RATE_HZ) >= 0.3 - holes_s


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
