import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_node.audio.level import SILENCE_DBFS
from voice_node.gate.noise_floor import MEMORY_MS, NoiseFloor

STEP_MS = 60
STEPS_REMEMBERED = MEMORY_MS // STEP_MS

levels = st.floats(min_value=SILENCE_DBFS, max_value=0)


def test_before_the_first_level_the_floor_is_silence() -> None:
    assert NoiseFloor(STEP_MS).level_dbfs == SILENCE_DBFS


def test_the_first_level_is_the_floor() -> None:
    floor = NoiseFloor(STEP_MS)
    floor.hear(-40)
    assert floor.level_dbfs == -40


def test_speech_between_pauses_leaves_the_floor_alone() -> None:
    floor = NoiseFloor(STEP_MS)
    for _ in range(4):
        for level in [-50.0] * 10 + [-20.0] * (STEPS_REMEMBERED - 12):
            floor.hear(level)
    assert floor.level_dbfs == pytest.approx(-50, abs=1)


def test_a_fan_switched_on_becomes_the_floor_after_three_seconds() -> None:
    floor = NoiseFloor(STEP_MS)
    for _ in range(100):
        floor.hear(-50)
    for _ in range(STEPS_REMEMBERED - 1):
        floor.hear(-30)
    assert floor.level_dbfs == -50
    for _ in range(20):
        floor.hear(-30)
    assert floor.level_dbfs == pytest.approx(-30, abs=0.5)


def test_a_fan_switched_off_lowers_the_floor_within_half_a_second() -> None:
    floor = NoiseFloor(STEP_MS)
    for _ in range(100):
        floor.hear(-30)
    for _ in range(8):
        floor.hear(-50)
    assert floor.level_dbfs == pytest.approx(-50, abs=1)


def test_one_dip_does_not_become_the_floor() -> None:
    floor = NoiseFloor(STEP_MS)
    for level in [-30.0] * 20 + [-60.0] + [-30.0] * 20:
        floor.hear(level)
    assert -42 < floor.level_dbfs < -30


@given(st.lists(levels, min_size=1, max_size=300))
def test_the_floor_is_the_minimum_of_what_is_remembered(heard: list[float]) -> None:
    floor = NoiseFloor(STEP_MS)
    for level in heard:
        floor.hear(level)
        assert floor.level_dbfs == min(floor._recent)
    assert len(floor._recent) == min(len(heard), STEPS_REMEMBERED)
    assert min(heard) - 1e-9 <= floor.level_dbfs <= max(heard) + 1e-9
