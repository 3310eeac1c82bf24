import numpy as np
import pytest

from tests.fakes.tone import noise, tone
from voice_node.audio.level import SILENCE_DBFS, level_dbfs
from voice_node.audio.loudness import (
    FRAME_MS,
    active_frames,
    levels_dbfs,
    measure_noise,
    measure_voice,
    parts,
    peak,
)

RATE_HZ = 16000
QUIET = noise(RATE_HZ, 3000, amplitude=20)


def silence(ms: int) -> bytes:
    return bytes(2 * RATE_HZ * ms // 1000)


def mixed(*sounds: bytes) -> bytes:
    total = sum(np.frombuffer(sound, "<i2").astype(np.int32) for sound in sounds)
    out: bytes = np.clip(total, -32768, 32767).astype("<i2").tobytes()
    return out


def test_the_levels_of_frames_are_those_of_the_gate() -> None:
    pcm = tone(440, RATE_HZ, 100) + silence(40) + b"\1\2\3\4"
    size = RATE_HZ * FRAME_MS // 1000 * 2
    expected = [level_dbfs(pcm[start : start + size]) for start in range(0, len(pcm) - size + 1, size)]
    assert levels_dbfs(pcm, RATE_HZ) == pytest.approx(expected, abs=0.01)


def test_steady_noise_has_a_level_a_floor_near_it_and_no_hum() -> None:
    found = measure_noise(QUIET, RATE_HZ)
    assert found.level_dbfs == pytest.approx(level_dbfs(QUIET), abs=0.5)
    assert found.level_dbfs - 3 < found.floor_dbfs <= found.level_dbfs
    assert 0 < found.swing_db < 4
    assert found.hum_hz is None
    assert abs(found.offset) < 0.001


def test_the_gaps_of_a_driver_are_no_part_of_the_room() -> None:
    whole, holed = measure_noise(QUIET, RATE_HZ), measure_noise(QUIET[:32000] + silence(500) + QUIET[32000:], RATE_HZ)
    assert holed.floor_dbfs == pytest.approx(whole.floor_dbfs, abs=0.5)
    assert holed.swing_db == pytest.approx(whole.swing_db, abs=0.5)
    assert measure_noise(silence(500), RATE_HZ).level_dbfs == SILENCE_DBFS


@pytest.mark.parametrize("mains", [50, 60])
def test_the_mains_are_heard_with_their_frequency(mains: int) -> None:
    hum = mixed(tone(mains, RATE_HZ, 3000, 200), tone(3 * mains, RATE_HZ, 3000, 100), QUIET)
    found = measure_noise(hum, RATE_HZ)
    assert found.hum_hz == mains
    assert found.hum_dbfs == pytest.approx(level_dbfs(hum), abs=1.5)


def test_a_tone_that_is_no_mains_is_no_hum() -> None:
    assert measure_noise(mixed(tone(440, RATE_HZ, 3000, 300), QUIET), RATE_HZ).hum_hz is None


def test_a_constant_offset_is_told_and_is_no_noise() -> None:
    shifted = (np.frombuffer(QUIET, "<i2") + 3277).astype("<i2").tobytes()
    found = measure_noise(shifted, RATE_HZ)
    assert found.offset == pytest.approx(0.1, abs=0.001)
    assert found.level_dbfs == pytest.approx(measure_noise(QUIET, RATE_HZ).level_dbfs, abs=0.01)


def test_pauses_make_no_voice_quiet() -> None:
    room = measure_noise(QUIET, RATE_HZ)
    word = tone(300, RATE_HZ, 500, 8000)
    sentence = silence(1000) + word + silence(400) + word + silence(1000)
    voice = measure_voice(sentence, RATE_HZ, room)
    assert voice.level_dbfs == pytest.approx(level_dbfs(word), abs=0.1)
    assert voice.active_s == pytest.approx(1.0)
    assert voice.longest_pause_ms == 400
    assert voice.clipped == 0
    assert voice.peak_dbfs == pytest.approx(-12.2, abs=0.1)
    assert voice.faint_dbfs == pytest.approx(voice.level_dbfs, abs=0.1)


def test_what_comes_long_after_is_no_pause_of_the_sentence() -> None:
    word = tone(300, RATE_HZ, 500, 8000)
    voice = measure_voice(word + silence(300) + word + silence(2000) + word, RATE_HZ, measure_noise(QUIET, RATE_HZ))
    assert voice.longest_pause_ms == 300


def test_a_clipped_voice_is_counted() -> None:
    loud = mixed(tone(300, RATE_HZ, 1000, 30000), tone(300, RATE_HZ, 1000, 30000))
    voice = measure_voice(loud, RATE_HZ, measure_noise(QUIET, RATE_HZ))
    assert voice.clipped > 1000
    assert voice.peak_dbfs == pytest.approx(0, abs=0.01)


def test_noise_alone_is_no_voice() -> None:
    room = measure_noise(QUIET, RATE_HZ)
    assert active_frames(levels_dbfs(QUIET, RATE_HZ), room).mean() < 0.1
    dead = measure_voice(silence(1000), RATE_HZ, measure_noise(silence(1000), RATE_HZ))
    assert (dead.level_dbfs, dead.peak_dbfs, dead.active_s) == (SILENCE_DBFS, SILENCE_DBFS, 0)


def test_the_peak_has_no_sign() -> None:
    assert peak(np.array([3, -32768, 7], "<i2").tobytes()) == 32768
    assert peak(b"") == 0


def test_a_recording_falls_into_room_and_speech() -> None:
    pcm = mixed(silence(1000) + tone(300, RATE_HZ, 1000, 8000) + silence(1000), QUIET)
    verdicts = [50 <= index < 100 or index == 10 for index in range(150)]  # and one that is mistaken
    room, speech = parts(levels_dbfs(pcm, RATE_HZ), verdicts)
    assert 44 <= np.flatnonzero(speech)[0] <= 50
    assert 99 <= np.flatnonzero(speech)[-1] <= 105
    assert room[10]
    assert not (room & speech).any()
    assert 30 <= np.flatnonzero(~room)[0] <= 40
    assert [part.size for part in parts(levels_dbfs(b"", RATE_HZ), [])] == [0, 0]
