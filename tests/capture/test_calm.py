import numpy as np
import pytest

from voice_node.capture.calm import CALM_MS, QUIET_SPAN, Calm

BLOCK_MS = 100
RNG = np.random.default_rng(7)


def span(sound: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> int:
    return int(np.rint(sound.max()) - np.rint(sound.min()))


def hiss(dbfs: float) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """A block at 48 kHz."""
    return RNG.normal(0, 32768 * 10 ** (dbfs / 20), 4800)


def after(calm: Calm, milliseconds: int, dbfs: float = -60) -> list[bool]:
    return [calm.hear(span(hiss(dbfs))) for _ in range(milliseconds // BLOCK_MS)]


@pytest.mark.parametrize("dbfs", [-90, -70, -60, -50])
def test_a_quiet_room_is_calm_after_a_while_and_stays_so(dbfs: float) -> None:
    calm = Calm(BLOCK_MS)
    assert not any(after(calm, CALM_MS - BLOCK_MS, dbfs))
    assert all(after(calm, 60_000, dbfs))


def test_silence_of_a_driver_is_calm() -> None:
    calm = Calm(BLOCK_MS)
    assert [calm.hear(0) for _ in range(100)][-1]
    assert not calm.hear(50)


def test_who_speaks_up_ends_it_at_once_and_for_long() -> None:
    calm = Calm(BLOCK_MS)
    after(calm, 20_000)
    voice = 32768 * 10 ** (-50 / 20) * 2**0.5 * np.sin(np.arange(4800) / 20)
    assert not calm.hear(span(hiss(-60) + voice))
    assert not any(after(calm, CALM_MS - BLOCK_MS))
    assert all(after(calm, 1000))


def test_beside_an_appliance_it_is_never_calm() -> None:
    assert not any(after(Calm(BLOCK_MS), 60_000, dbfs=-44))


def test_a_new_steady_noise_becomes_the_usual_one() -> None:
    calm = Calm(BLOCK_MS)
    after(calm, 20_000, dbfs=-66)
    assert not any(after(calm, CALM_MS, dbfs=-56))
    assert all(after(calm, 30_000, dbfs=-56)[-100:])


def test_an_offset_of_the_card_is_no_sound() -> None:
    calm = Calm(BLOCK_MS)
    offset = [calm.hear(span(hiss(-60) + 5000)) for _ in range(100)]
    assert offset[-1]
    assert 0 < span(hiss(-60)) < QUIET_SPAN
