import numpy as np
import pytest

from tests.fakes.tone import sinad_db, tone
from voice_node.audio.framer import Framer, frame_rate_hz


@pytest.mark.parametrize(
    ("rate_hz", "expected"),
    [(8000, 8000), (11025, 16000), (16000, 16000), (22050, 32000), (44100, 48000), (48000, 48000), (192000, 48000)],
)
def test_the_rate_of_frames_is_one_that_webrtcvad_takes(rate_hz: int, expected: int) -> None:
    assert frame_rate_hz(rate_hz) == expected


def test_a_block_that_is_a_frame_passes_through_as_it_is() -> None:
    block = tone(1000, 48000, 20)

    assert Framer(48000, 48000, 0, 20).process(block)[0] is block


def test_blocks_of_any_size_are_cut_into_frames_and_the_last_is_filled_up() -> None:
    sound = tone(1000, 16000, 95)
    framer = Framer(16000, 16000, 0, 30)
    frames = [frame for start in range(0, len(sound), 333) for frame in framer.process(sound[start : start + 333])]
    last = framer.flush()

    assert [len(frame) for frame in frames + last] == [960] * 4
    assert b"".join(frames + last) == sound.ljust(4 * 960, b"\0")
    assert framer.flush() == []


def test_44100_hz_becomes_frames_of_48000_hz() -> None:
    framer = Framer(44100, 48000, 0, 10)
    sound = tone(1000, 44100, 1000)
    frames = [frame for start in range(0, len(sound), 882) for frame in framer.process(sound[start : start + 882])]

    assert {len(frame) for frame in frames} == {960}
    assert sinad_db(b"".join(frames), 48000, 1000) >= 60


def test_gain_saturates() -> None:
    framer = Framer(16000, 16000, 20, 10)
    samples = np.array([100, -100, 5000, -5000] * 40, np.int16)
    (frame,) = framer.process(samples.tobytes())

    assert np.frombuffer(frame, np.int16)[:4].tolist() == [1000, -1000, 32767, -32768]


def test_reset_forgets_what_does_not_continue() -> None:
    framer = Framer(16000, 16000, 0, 10)
    framer.process(b"\1\1" * 100)
    framer.reset()

    assert framer.process(b"\2\2" * 160) == [b"\2\2" * 160]


def test_a_high_pass_takes_hum_away_before_the_frames_are_cut() -> None:
    framer = Framer(16000, 16000, 0, 20, high_pass_hz=200)
    frames = framer.process(tone(20, 16000, 1000))

    assert {len(frame) for frame in frames} == {640}
    assert np.abs(np.frombuffer(b"".join(frames[5:]), np.int16).astype(int)).max() < 400
