"""The model is ours here: it says what the test wants of each chunk, and counts them."""

from itertools import pairwise

import numpy as np
import pytest

from voice_node.gate.second_opinion import (
    FIRST_REST_MS,
    LONGEST_REST_MS,
    LOOK_BACK_MS,
    LULL_MS,
    PATIENCE_MS,
    SHORT_LOOK_BACK_MS,
    SecondOpinion,
)

FRAME_MS = 20
CHUNK_MS = 32
HISS = np.random.default_rng(5).normal(0, 100, 48000).astype("<i2").tobytes()


class Model:
    """Says `answer`, or what is in `answers`, and keeps what it was given."""

    def __init__(self, answer: float = 0.0) -> None:
        self.answer = answer
        self.chunks: list[np.ndarray[tuple[int], np.dtype[np.float32]]] = []

    def probability(self, chunk: "np.ndarray[tuple[int], np.dtype[np.float32]]") -> float:
        self.chunks.append(chunk)
        return self.answer

    @property
    def heard_ms(self) -> int:
        return len(self.chunks) * CHUNK_MS


class Ear:
    """A second opinion that is fed frames of hiss."""

    def __init__(self, answer: float = 0.0, rate_hz: int = 16000, frame_ms: int = FRAME_MS) -> None:
        self.model = Model(answer)
        self.opinion = SecondOpinion(self.model, frame_ms)
        self.frame_ms = frame_ms
        self.rate_hz = rate_hz
        self._at = 0

    def hear(self, milliseconds: int, *, is_nominated: bool = False, is_open: bool = False) -> None:
        size = 2 * self.rate_hz * self.frame_ms // 1000
        for _ in range(milliseconds // self.frame_ms):
            pcm = HISS[self._at : self._at + size]
            self._at = (self._at + size) % (len(HISS) - size) // 2 * 2
            self.opinion.hear(pcm, self.rate_hz, 5 if is_nominated else 0, is_open=is_open)


def test_a_room_without_nomination_costs_nothing() -> None:
    ear = Ear(answer=1.0)
    ear.hear(5000)
    assert ear.model.chunks == []
    assert (ear.opinion.is_listening, ear.opinion.probability, ear.opinion.is_speech) == (False, None, False)


def test_it_looks_back_and_catches_up_a_few_chunks_a_frame() -> None:
    ear = Ear()
    ear.hear(2000)
    ear.hear(FRAME_MS, is_nominated=True)
    assert len(ear.model.chunks) == 2
    ear.hear(13 * FRAME_MS, is_nominated=True)
    behind_ms = LOOK_BACK_MS + 13 * FRAME_MS - ear.model.heard_ms
    assert 0 <= behind_ms < CHUNK_MS


def test_two_of_three_chunks_are_speech() -> None:
    ear = Ear(answer=0.6)
    ear.hear(1000)
    ear.hear(FRAME_MS, is_nominated=True)
    assert ear.opinion.is_speech
    assert ear.opinion.probability == 0.6
    ear.model.answer = 0.4
    ear.hear(4 * FRAME_MS, is_open=True)
    assert not ear.opinion.is_speech
    assert ear.opinion.is_held
    assert not ear.opinion.is_voiced


def test_speech_may_have_begun_with_the_nomination_or_with_the_first_hope() -> None:
    ear = Ear(answer=0.0)
    ear.hear(1000)
    ear.hear(FRAME_MS, is_nominated=True)
    assert ear.opinion.speech_for == 5
    ear.hear(4 * FRAME_MS, is_nominated=True)
    assert ear.opinion.speech_for == 9
    ear = Ear(answer=0.3)
    ear.hear(1000)
    ear.hear(FRAME_MS, is_nominated=True)
    assert ear.opinion.speech_for == pytest.approx(LOOK_BACK_MS / FRAME_MS, abs=1)


def listening_spells(ear: Ear, milliseconds: int) -> list[tuple[int, int]]:
    """When it listened, from and to, while everything is nominated."""
    spells: list[tuple[int, int]] = []
    was = False
    for at in range(0, milliseconds, FRAME_MS):
        ear.hear(FRAME_MS, is_nominated=True)
        if ear.opinion.is_listening and not was:
            spells.append((at, at))
        if was and not ear.opinion.is_listening:
            spells[-1] = (spells[-1][0], at)
        was = ear.opinion.is_listening
    return spells


def test_a_steady_noise_is_rejected_and_rests_grow() -> None:
    ear = Ear(answer=0.0)
    ear.hear(1000)
    spells = listening_spells(ear, 12_000)
    assert spells[0][1] - spells[0][0] == pytest.approx(PATIENCE_MS, abs=CHUNK_MS)
    rests = [later[0] - earlier[1] for earlier, later in pairwise(spells)]
    assert rests[:3] == pytest.approx([FIRST_REST_MS, 2 * FIRST_REST_MS, LONGEST_REST_MS], abs=FRAME_MS)
    assert set(rests[2:]) <= {LONGEST_REST_MS, LONGEST_REST_MS + FRAME_MS, LONGEST_REST_MS - FRAME_MS}
    assert ear.model.heard_ms < 0.45 * 12_000
    assert ear.model.heard_ms > SHORT_LOOK_BACK_MS * len(spells)


def test_after_a_lull_what_comes_is_new_and_heard_at_once() -> None:
    ear = Ear(answer=0.0)
    listening_spells(ear, 6000)
    ear.hear(LULL_MS)
    ear.hear(FRAME_MS, is_nominated=True)
    assert ear.opinion.is_listening
    ear.hear(PATIENCE_MS - 2 * FRAME_MS)
    assert ear.opinion.is_listening, "the first patience is the long one again"


def test_hope_makes_it_listen_on() -> None:
    ear = Ear(answer=0.3)
    ear.hear(1000)
    ear.hear(3000, is_nominated=True)
    assert ear.opinion.is_listening
    assert not ear.opinion.is_speech
    ear.model.answer = 0.1
    ear.hear(PATIENCE_MS + 2 * CHUNK_MS)
    assert not ear.opinion.is_listening


def test_an_open_gate_is_never_rejected() -> None:
    ear = Ear(answer=0.9)
    ear.hear(1000)
    ear.hear(FRAME_MS, is_nominated=True)
    ear.model.answer = 0.0
    ear.hear(3000, is_open=True)
    assert ear.opinion.is_listening
    ear.opinion.stop()
    assert (ear.opinion.is_listening, ear.opinion.is_held, ear.opinion.is_speech) == (False, False, False)


def test_no_sample_from_before_is_heard_after_forgetting() -> None:
    ear = Ear(answer=0.0)
    ear.hear(2000)
    ear.opinion.forget()
    ear.hear(5 * FRAME_MS, is_nominated=True)
    assert ear.model.heard_ms <= 5 * FRAME_MS


@pytest.mark.parametrize("rate_hz", [8000, 16000, 32000, 48000])
@pytest.mark.parametrize("frame_ms", [10, 20, 30])
def test_the_model_hears_chunks_of_its_rate_whatever_comes(rate_hz: int, frame_ms: int) -> None:
    ear = Ear(rate_hz=rate_hz, frame_ms=frame_ms, answer=0.3)
    ear.hear(1200)
    ear.hear(1200, is_nominated=True)
    assert {len(chunk) for chunk in ear.model.chunks} == {512}
    assert ear.model.heard_ms == pytest.approx(1200 + LOOK_BACK_MS, abs=2 * frame_ms + CHUNK_MS)
    assert max(float(np.abs(chunk).max()) for chunk in ear.model.chunks) <= 1


def test_a_melody_is_no_speech_whatever_the_model_says() -> None:
    model = Model(1.0)
    opinion = SecondOpinion(model, FRAME_MS)
    time_s = np.arange(16000 * 2) / 16000
    pitch_hz = np.where(time_s % 0.8 < 0.4, 262, 330)
    melody = sum(np.sin(2 * np.pi * k * np.cumsum(pitch_hz) / 16000) / k for k in range(1, 12))
    pcm = (np.asarray(melody) * 3000).astype("<i2").tobytes()
    opinion.hear(pcm[:640], 16000, 5, is_open=False)
    for at in range(640, len(pcm), 640):
        opinion.hear(pcm[at : at + 640], 16000, 0, is_open=True)
    assert not opinion.is_held
