import pytest

from voice_node.capture.duplex import FullDuplex, HalfDuplex
from voice_node.model.audio import Cleaned, Frame

PCM = bytes(640)
SPOKE_UNTIL = 50.0


def frame(at: float) -> Frame:
    return Frame(7, PCM, 16000, at)


@pytest.mark.parametrize(("came_at", "is_heard"), [(49.0, False), (50.0, False), (50.01, False), (50.021, True)])
def test_what_came_in_while_the_node_spoke_is_not_heard_however_late_it_is_looked_at(
    came_at: float, is_heard: bool
) -> None:
    half = HalfDuplex(lambda at: at < SPOKE_UNTIL, lambda: 99.0)

    assert (half.hear(frame(came_at)) is not None) is is_heard


@pytest.mark.parametrize("now", [49.0, 51.0])
def test_a_frame_without_a_time_is_of_now(now: float) -> None:
    half = HalfDuplex(lambda at: at < SPOKE_UNTIL, lambda: now)

    assert (half.hear(frame(0)) is None) is (now < SPOKE_UNTIL)


def test_full_duplex_hears_everything() -> None:
    heard = frame(49.0)

    assert FullDuplex().hear(heard) == Cleaned(heard, heard)
