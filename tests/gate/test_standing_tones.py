"""Whether a chunk is made of standing tones is looked into only where the model hopes, and comes to the same."""

import numpy as np
import pytest

from voice_node.gate import second_opinion
from voice_node.gate.second_opinion import HOPES_ABOVE, SecondOpinion
from voice_node.gate.tonality import Tonality

FRAME_MS = 20
FRAME_BYTES = 640


class Model:
    """Hopes only from a time on."""

    def __init__(self, hopes_after: int) -> None:
        self._left = hopes_after

    def probability(self, _chunk: "np.ndarray[tuple[int], np.dtype[np.float32]]") -> float:
        self._left -= 1
        return 0.0 if self._left >= 0 else 1.0


class Counting(Tonality):
    heard = 0

    def hear(self, chunk: "np.ndarray[tuple[int], np.dtype[np.float32]]") -> float:
        Counting.heard += 1
        return super().hear(chunk)


def melody(seconds: float) -> bytes:
    time_s = np.arange(int(16000 * seconds)) / 16000
    sound = sum(np.sin(2 * np.pi * k * 262 * time_s) / k for k in range(1, 12)) * np.exp(-(time_s % 0.8))
    return (np.asarray(sound) * 3000).astype("<i2").tobytes()


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> type[Counting]:
    monkeypatch.setattr(second_opinion, "Tonality", Counting)
    monkeypatch.setattr(Counting, "heard", 0)
    return Counting


def test_what_gives_no_hope_is_not_looked_into(counting: type[Counting]) -> None:
    opinion = SecondOpinion(Model(hopes_after=1000), FRAME_MS)
    pcm = melody(4)
    for at in range(0, len(pcm), FRAME_BYTES):
        opinion.hear(pcm[at : at + FRAME_BYTES], 16000, 5, is_open=False)
    assert counting.heard == 0


@pytest.mark.parametrize("hopes_after", [1, 10, 25, 70])
def test_a_late_hope_is_judged_by_all_that_was_before(counting: type[Counting], hopes_after: int) -> None:
    opinion = SecondOpinion(Model(hopes_after), FRAME_MS)
    other, chances, wanted = Tonality(), [], []
    pcm, chunk = melody(3), 0
    for at in range(0, len(pcm), FRAME_BYTES):
        opinion.hear(pcm[at : at + FRAME_BYTES], 16000, 5 if at == 0 else 0, is_open=True)
        while at + FRAME_BYTES >= (chunk + 1) * 1024:
            share = other.hear(np.frombuffer(pcm[chunk * 1024 : (chunk + 1) * 1024], "<i2").astype(np.float32))
            wanted.append(0.0 if chunk < hopes_after or share > second_opinion.MOST_TONAL else 1.0)
            chances.append(opinion.probability)
            chunk += 1
    assert chances == wanted
    assert 0.0 in wanted[hopes_after:], "some of it is made of standing tones"
    assert any(chance and chance > HOPES_ABOVE for chance in chances), "and some is not known to be yet"
