import numpy as np
import pytest

from tests.fakes.tone import sinad_db, tone
from voice_node.model.control import Chime
from voice_node.playback.chimes import samples
from voice_node.playback.queue import RATE_HZ, PlaybackQueue, Played
from voice_node.playback.renderer import Renderer, gain_of


def loaded(pcm: bytes, volume: int = 100) -> tuple[Renderer, PlaybackQueue]:
    queue = PlaybackQueue()
    queue.push("a", pcm)
    return Renderer(queue, volume), queue


def run(renderer: Renderer, rate_hz: int, channels: int = 1) -> bytes:
    """Everything until it is silent, in blocks of 10 ms."""
    out = b""
    for _ in range(1000):
        pcm, is_sound = renderer.render(rate_hz // 100, rate_hz, channels)
        assert len(pcm) == rate_hz // 100 * 2 * channels
        if not is_sound:
            assert not any(pcm)
            return out
        out += pcm
    raise AssertionError("it never falls silent")


def test_at_full_volume_and_24_khz_samples_are_untouched() -> None:
    sound = tone(1000, RATE_HZ, 100)

    assert run(loaded(sound)[0], RATE_HZ) == sound


@pytest.mark.parametrize("rate_hz", [16000, 44100, 48000])
def test_another_rate_has_the_same_sound_and_length(rate_hz: int) -> None:
    renderer, queue = loaded(tone(1000, RATE_HZ, 1000))
    queue.end("a")
    out = run(renderer, rate_hz)

    assert sinad_db(out[: rate_hz * 2], rate_hz, 1000) >= 60
    assert rate_hz * 2 <= len(out) <= rate_hz * 2 + rate_hz // 50
    assert queue.clear() is None


@pytest.mark.parametrize("rate_hz", [24000, 48000])
def test_no_more_is_taken_from_the_queue_than_the_device_asked_for(rate_hz: int) -> None:
    """So what counts as played is what was played, but for what the resampler holds."""
    renderer, queue = loaded(tone(1000, RATE_HZ, 1000))
    for _ in range(10):
        renderer.render(rate_hz // 100, rate_hz, 1)

    assert 100 <= queue.played_ms("a") <= 140


def test_two_channels_get_the_same() -> None:
    sound = np.frombuffer(tone(1000, RATE_HZ, 100), np.int16)
    out = np.frombuffer(run(loaded(sound.tobytes())[0], RATE_HZ, channels=2), np.int16)

    assert (out[::2] == sound).all()
    assert (out[1::2] == sound).all()


def test_volume_is_loudness() -> None:
    assert [round(gain_of(volume), 2) for volume in (0, 50, 70, 100)] == [0, 0.31, 0.55, 1]
    out = np.frombuffer(run(loaded(tone(1000, RATE_HZ, 100), volume=50)[0], RATE_HZ), np.int16)

    assert abs(out.max() - 10000 * gain_of(50)) < 50


def test_a_change_of_volume_does_not_click() -> None:
    """No step between two samples is larger than the tone's own."""
    renderer, _ = loaded(np.full(4800, 10000, np.int16).tobytes())
    first, _ = renderer.render(480, RATE_HZ, 1)
    renderer.set_volume(0)
    second, _ = renderer.render(480, RATE_HZ, 1)
    third, _ = renderer.render(480, RATE_HZ, 1)

    steps = np.abs(np.diff(np.frombuffer(first + second + third, np.int16).astype(int)))
    assert steps.max() < 50
    assert not any(third)


@pytest.mark.parametrize("rate_hz", [24000, 48000])
def test_stop_fades_out_within_5_ms_and_counts_them(rate_hz: int) -> None:
    renderer, queue = loaded(np.full(24000, 10000, np.int16).tobytes())
    for _ in range(10):
        renderer.render(rate_hz // 100, rate_hz, 1)
    before = queue.played_ms("a")
    played = renderer.stop()
    rest = np.frombuffer(run(renderer, rate_hz), np.int16).astype(int)

    assert played is not None
    assert played.played_ms == before + 5
    assert played.played_ms + played.queued_ms in (999, 1000)
    assert np.abs(np.diff(rest)).max() < 200
    assert rest[-1] == 0
    assert len(rest) <= rate_hz * 0.06


def test_stop_before_the_device_is_open_drops_everything() -> None:
    renderer, _ = loaded(tone(1000, RATE_HZ, 100))

    assert renderer.stop() == Played("a", 0, 100)
    assert run(renderer, RATE_HZ) == b""


def test_silence_costs_no_state() -> None:
    renderer, queue = loaded(b"")
    assert run(renderer, 48000) == b""
    queue.push("a", tone(1000, RATE_HZ, 50))
    assert len(run(renderer, 48000)) > 0
    assert run(renderer, 48000) == b""


def test_a_chime_sounds_alone_and_is_no_sound_of_the_queue() -> None:
    renderer = Renderer(PlaybackQueue(), 100)
    renderer.chime(Chime.WAKE)
    wanted = samples(Chime.WAKE, 48000).tobytes()
    out = b""
    while renderer.is_chiming:
        pcm, is_sound = renderer.render(480, 48000, 1)
        assert not is_sound
        out += pcm
    assert out[: len(wanted)] == wanted
    assert not any(out[len(wanted) :])


def test_the_chime_of_an_error_counts_as_a_voice() -> None:
    """A room that hears it would take it for a turn, which comes to nothing, which sounds it again."""
    renderer = Renderer(PlaybackQueue(), 100)
    renderer.chime(Chime.ERROR)
    assert run(renderer, 48000)[: 2 * 4800] == samples(Chime.ERROR, 48000)[:4800].tobytes()


def test_a_chime_is_heard_beside_a_reply_and_follows_the_volume() -> None:
    reply = bytes(2 * RATE_HZ)
    renderer, queue = loaded(reply, volume=50)
    renderer.chime(Chime.ERROR)
    out = run(renderer, RATE_HZ)
    heard = np.frombuffer(out, np.int16)[: len(samples(Chime.ERROR, RATE_HZ))]
    assert np.abs(heard - samples(Chime.ERROR, RATE_HZ) * gain_of(50)).max() <= 1
    assert queue.played_ms("a") == 1000


def test_a_chime_over_a_loud_reply_does_not_wrap_around() -> None:
    renderer, _ = loaded(b"\xff\x7f" * RATE_HZ)
    renderer.chime(Chime.WAKE)
    assert np.frombuffer(run(renderer, RATE_HZ), np.int16).min() > 0
