import numpy as np
import pytest

from tests.fakes.tone import tone
from voice_node.capture.shaper import Shaper
from voice_node.model.audio import Frame
from voice_node.settings.schema import CaptureSettings

BLOCK = tone(1000, 48000, 60)


@pytest.mark.parametrize(("frame_ms", "n"), [(10, 6), (20, 3), (30, 2)])
def test_a_block_is_so_many_frames_with_their_numbers_and_times(frame_ms: int, n: int) -> None:
    shaper = Shaper(CaptureSettings(), frame_ms, n)
    frames = shaper.shape(Frame(0, BLOCK, 48000, 100.0)) + shaper.shape(Frame(n, BLOCK, 48000, 100.06))

    assert [frame.index for frame in frames] == list(range(2 * n))
    assert b"".join(frame.pcm for frame in frames) == 2 * BLOCK
    assert [frame.at for frame in frames] == pytest.approx(
        [100.06 - step * frame_ms / 1000 for step in reversed(range(2 * n))]
    )


def test_a_hole_between_blocks_is_one_between_frames() -> None:
    shaper = Shaper(CaptureSettings(), 20, 3)
    frames = shaper.shape(Frame(0, BLOCK, 48000)) + shaper.shape(Frame(10, BLOCK, 48000))

    assert [frame.index for frame in frames] == [0, 1, 2, 10, 11, 12]
    assert frames[0].at == 0


def test_44100_hz_loses_no_frame_in_the_long_run() -> None:
    shaper = Shaper(CaptureSettings(), 20, 3)
    block = tone(1000, 44100, 60)
    frames = [frame for n in range(50) for frame in shaper.shape(Frame(3 * n, block, 44100))]

    assert [frame.index for frame in frames] == list(range(len(frames)))
    assert 147 <= len(frames) <= 150
    assert {frame.rate_hz for frame in frames} == {48000}


def test_the_room_files_gain_and_high_pass() -> None:
    shaper = Shaper(CaptureSettings(gain_db=6, high_pass_hz=300), 20, 3)
    (*_, last) = shaper.shape(Frame(0, BLOCK, 48000))
    loud = np.frombuffer(last.pcm, np.int16)

    assert 15000 < np.abs(loud.astype(int)).max() < 20500


def test_clipping_is_noticed() -> None:
    shaper = Shaper(CaptureSettings(gain_db=20), 20, 3)
    for n in range(200):
        shaper.shape(Frame(3 * n, BLOCK, 48000))

    assert shaper.is_clipping
    assert shaper.clipped_s >= 10


def test_what_was_forgotten_is_not_heard() -> None:
    shaper = Shaper(CaptureSettings(), 20, 3)
    shaper.shape(Frame(0, tone(1000, 44100, 60), 44100))
    shaper.forget()
    frames = shaper.shape(Frame(4, bytes(5292), 44100)) + shaper.shape(Frame(7, bytes(5292), 44100))

    heard = np.frombuffer(b"".join(frame.pcm for frame in frames), np.int16)
    assert np.abs(heard).max() <= 1  # the resampler dithers
