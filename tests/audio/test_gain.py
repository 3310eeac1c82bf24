import wave

import numpy as np
import pytest

from tests.system.house import RECORDING
from voice_node.audio.gain import FALL_DB_PER_S, MOST_DB, RISE_DB_PER_S, AutomaticGain

RATE_HZ = 24000


def speech(gain_db: float) -> bytes:
    """The first sentence of the shipped recording."""
    with wave.open(str(RECORDING)) as file:
        rate_hz = file.getframerate()
        pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2")[int(0.5 * rate_hz) : int(2.7 * rate_hz)]
    sound = np.interp(np.arange(0, len(pcm), rate_hz / RATE_HZ), np.arange(len(pcm)), pcm)
    out: bytes = np.clip(np.rint(sound * 10 ** (gain_db / 20)), -32768, 32767).astype("<i2").tobytes()
    return out


def loudest_dbfs(pcm: bytes) -> float:
    """Of the stretches of 20 ms."""
    stretches = np.frombuffer(pcm, "<i2").astype(float)[: len(pcm) // 2 // 480 * 480].reshape(-1, 480)
    return float(10 * np.log10((stretches**2).mean(axis=1).max() / 32768**2))


def amplified(gain: AutomaticGain, pcm: bytes, first_ms: int = 800) -> bytes:
    """As the gate sends it: a long piece, then frames of 20 ms."""
    first = first_ms * RATE_HZ // 1000 * 2
    rest = [pcm[start : start + 960] for start in range(first, len(pcm), 960)]
    return b"".join([gain.process(pcm[:first]), *(gain.process(piece) for piece in rest)])


@pytest.mark.parametrize("distance_db", [0, -10, -20, -30])
def test_near_and_far_become_as_loud_from_the_first_word(distance_db: float) -> None:
    pcm = speech(distance_db)
    out = amplified(AutomaticGain(RATE_HZ), pcm)

    assert len(out) == len(pcm)
    assert loudest_dbfs(out) - loudest_dbfs(pcm) <= MOST_DB + 0.1
    assert loudest_dbfs(out) == pytest.approx(max(-20, loudest_dbfs(pcm)), abs=6) or distance_db == -30


def test_loud_speech_leaves_as_it_came() -> None:
    pcm = speech(0)
    loud = speech(-10 - loudest_dbfs(pcm))

    assert amplified(AutomaticGain(RATE_HZ), loud) == loud


def test_nothing_is_cut_off_even_when_a_shout_follows_a_whisper() -> None:
    gain = AutomaticGain(RATE_HZ)
    amplified(gain, speech(-30))
    shout = speech(-1 - 20 * np.log10(np.abs(np.frombuffer(speech(0), "<i2").astype(int)).max() / 32768))
    out = np.frombuffer(amplified(gain, shout), "<i2").astype(int)

    assert np.abs(out).max() < 32767


def test_it_is_slow() -> None:
    """A louder person is not pumped, and a quieter one is reached in seconds."""
    gain = AutomaticGain(RATE_HZ)
    amplified(gain, speech(-25))
    before = gain.gain_db
    loud = speech(0)
    for start in range(0, len(loud), 960):
        gain.process(loud[start : start + 960])
        step = gain.gain_db - before
        assert -FALL_DB_PER_S * 0.021 <= step <= RISE_DB_PER_S * 0.021
        before = gain.gain_db


def test_pauses_are_not_taken_for_quiet_speech() -> None:
    gain = AutomaticGain(RATE_HZ)
    amplified(gain, speech(-10))
    before = gain.gain_db
    noise = np.random.default_rng(2).normal(0, 20, RATE_HZ // 2).astype("<i2").tobytes()
    amplified(gain, noise, 20)

    assert gain.gain_db - before < 1.5


def test_the_next_segment_begins_as_the_last_ended() -> None:
    gain = AutomaticGain(RATE_HZ)
    amplified(gain, speech(-20))
    before = gain.gain_db
    gain.process(speech(-20)[:960])

    assert gain.gain_db == pytest.approx(before, abs=0.2)


def test_silence_and_nothing_stay_what_they_are() -> None:
    gain = AutomaticGain(RATE_HZ)

    assert gain.process(b"") == b""
    assert gain.process(bytes(9600)) == bytes(9600)
    assert gain.gain_db == 0
