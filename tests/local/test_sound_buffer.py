import base64

import pytest

from voice_node.local.refusal import Refused
from voice_node.local.sound_buffer import SoundBuffer


def silence(ms: int) -> str:
    return base64.b64encode(bytes(48 * ms)).decode()


def test_what_goes_in_comes_out_at_16_khz() -> None:
    buffer = SoundBuffer()
    for _ in range(10):
        buffer.append(silence(20))
    assert buffer.duration_ms == 200
    assert len(buffer.take()) == pytest.approx(32 * 200, abs=8)
    assert buffer.duration_ms == 0


def test_too_little_cannot_be_taken_and_stays() -> None:
    buffer = SoundBuffer()
    buffer.append(silence(99))
    with pytest.raises(Refused, match=r"99\.00ms"):
        buffer.take()
    buffer.append(silence(1))
    assert buffer.take()


def test_an_append_too_many_is_refused_whole() -> None:
    buffer = SoundBuffer()
    for _ in range(12):
        buffer.append(silence(10_000))
    with pytest.raises(Refused, match="120 s"):
        buffer.append(silence(20))
    assert buffer.duration_ms == 120_000
    buffer.clear()
    buffer.append(silence(20))


@pytest.mark.parametrize("audio", [None, 5, "?", "AAAA", "A" * (22 * 1024 * 1024), "é"])
def test_what_is_no_sound_is_refused(audio: object) -> None:
    buffer = SoundBuffer()
    with pytest.raises(Refused):
        buffer.append(audio)
    assert buffer.duration_ms == 0


@pytest.mark.parametrize("kind", ["audio/pcmu", "audio/pcma"])
def test_g711_is_taken_at_8_khz(kind: str) -> None:
    buffer = SoundBuffer(kind)
    buffer.append(base64.b64encode(b"\xd5" * 801).decode())
    assert buffer.duration_ms == 100.125
    assert len(buffer.take()) == pytest.approx(3204, abs=8)
