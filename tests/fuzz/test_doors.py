"""Bad input at every door of the node: 150,000 by a seed. `script/fuzz` takes a million, and other seeds."""

import logging
from collections.abc import Iterator
from random import Random

import pytest

from tests.fuzz.campaign import run
from tests.fuzz.doors import DOORS, shares

SEED = 20_261
INPUTS = shares(150_000)


@pytest.fixture
def silent() -> Iterator[None]:
    """What is refused is said in the log."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("silent")
@pytest.mark.parametrize("name", DOORS)
def test_bad_input_is_refused_at_the_door(name: str) -> None:
    outcome = run(name, DOORS[name].target, INPUTS[name], SEED)
    print(outcome)  # noqa: T201 - pytest shows it on failure
    assert outcome.findings == [], str(outcome)
    assert outcome.inputs == INPUTS[name]


@pytest.mark.usefixtures("silent")
@pytest.mark.parametrize("name", DOORS)
def test_a_seed_makes_the_same_input_again(name: str) -> None:
    first, second = (_inputs(name) for _ in range(2))
    assert first == second
    assert len(set(first)) > 10


def _inputs(name: str) -> list[str]:
    target = DOORS[name].target(Random(1))
    try:
        return [repr(target.make()) for _ in range(20)]
    finally:
        target.close()


class _Doorless:
    """Stands nothing."""

    def __init__(self, _dice: Random) -> None:
        self.is_closed = False

    def make(self) -> int:
        return 1

    def feed(self, case: int) -> None:
        raise ValueError(f"{case} is too much")

    def close(self) -> None:
        self.is_closed = True


def test_what_a_door_does_not_stand_is_told_with_its_input() -> None:
    outcome = run("doorless", _Doorless, 100, 1)
    assert (outcome.inputs, len(outcome.findings)) == (5, 5)
    assert "input 1: 1" in outcome.findings[0]
    assert "ValueError: 1 is too much" in outcome.findings[0]
