"""The picture is drawn; what is in it is for eyes. Here: that every kind of recording can be drawn."""

import struct
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.fakes.tone import tone
from voice_node.cli.gate_trace import Observation
from voice_node.gate.gate import Phase
from voice_node.model.speech import EndReason, SpeechEnded

pytestmark = pytest.mark.skipif(find_spec("matplotlib") is None, reason="the extra `plot` is not installed")

RATE_HZ = 16000
SEGMENT = SpeechEnded("1", 400, 1200, 500, 20.0, is_kept=True, reason=EndReason.SILENCE)


def observations(seconds: int, probability: float | None) -> list[Observation]:
    return [
        Observation(
            at_ms, at_ms % 400 < 200, -40.0, -60.0, probability, Phase.SENT if at_ms > 500 else Phase.CLOSED, ""
        )
        for at_ms in range(0, seconds * 1000, 20)
    ]


def size(path: Path) -> tuple[int, int]:
    """Width and height of a PNG."""
    head = path.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", head[16:24])
    return width, height


@pytest.mark.parametrize(("seconds", "probability"), [(2, 0.7), (2, None), (100, 0.2)])
def test_a_recording_becomes_a_picture(tmp_path: Path, seconds: int, probability: float | None) -> None:
    from voice_node.cli.gate_plot import draw

    path = tmp_path / "a.png"
    draw(path, "a.wav", tone(300, RATE_HZ, seconds * 1000), RATE_HZ, observations(seconds, probability), [SEGMENT])
    width, height = size(path)
    assert 900 <= width <= 6000
    assert height >= 600
    assert (width > 3000) == (seconds == 100)


@pytest.mark.parametrize(
    ("name", "begin"), [("a.png", b"\x89PNG"), ("a.PNG", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.pdf", b"%PDF")]
)
def test_the_ending_says_what_is_written(tmp_path: Path, name: str, begin: bytes) -> None:
    from voice_node.cli.gate_plot import draw

    draw(tmp_path / name, "a.wav", tone(300, RATE_HZ, 1000), RATE_HZ, observations(1, None), [SEGMENT])
    assert (tmp_path / name).read_bytes().startswith(begin)


def test_an_empty_recording_is_an_empty_picture(tmp_path: Path) -> None:
    from voice_node.cli.gate_plot import draw

    draw(tmp_path / "a.png", "a.wav", b"", RATE_HZ, [], [])
    assert size(tmp_path / "a.png")[0] >= 900
