import pytest

from voice_node.local.refusal import Refused
from voice_node.local.sound_buffer import BYTES_PER_MS, LONGEST_S, SoundBuffer


def silence(ms: int) -> bytes:
    return bytes(BYTES_PER_MS * ms)


def test_what_goes_in_comes_out_and_the_clock_goes_on() -> None:
    buffer = SoundBuffer()
    buffer.append(silence(200))
    assert (buffer.start_ms, buffer.end_ms, buffer.duration_ms) == (0, 200, 200)
    assert buffer.take() == silence(200)
    assert (buffer.start_ms, buffer.end_ms, buffer.duration_ms) == (200, 200, 0)


def test_too_little_cannot_be_taken_and_stays() -> None:
    buffer = SoundBuffer()
    buffer.append(silence(99))
    with pytest.raises(Refused, match=r"99\.00ms"):
        buffer.take()
    buffer.append(silence(1))
    assert len(buffer.take()) == len(silence(100))


def test_a_part_is_taken_and_the_rest_stays() -> None:
    buffer = SoundBuffer()
    buffer.append(silence(500))
    buffer.forget_before(200)
    assert buffer.take_until(300) == silence(100)
    assert (buffer.start_ms, buffer.end_ms) == (300, 500)
    buffer.forget_before(100)
    assert buffer.take_until(50) == b""
    assert buffer.take_until(9000) == silence(200)


def test_it_is_bounded_and_forgets_the_oldest() -> None:
    buffer = SoundBuffer()
    buffer.append(silence(1000 * LONGEST_S))
    assert not buffer.has_room(silence(1))
    buffer.append(b"\1" * BYTES_PER_MS)
    assert (buffer.start_ms, buffer.duration_ms) == (1, 1000 * LONGEST_S)
    assert buffer.take().endswith(b"\1")
    buffer.clear()
    assert buffer.has_room(silence(1))
