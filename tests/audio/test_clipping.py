import numpy as np

from tests.fakes.tone import tone
from voice_node.audio.clipping import ClippingMeter

RATE_HZ = 16000
CLEAN = tone(200, RATE_HZ, 1000, 30000)
CLIPPED = np.clip(np.frombuffer(tone(200, RATE_HZ, 1000, 30000), "<i2").astype(int) * 2, -32768, 32767).astype("<i2")


def hear(meter: ClippingMeter, sound: bytes, seconds: int = 1) -> list[bool]:
    """In blocks of 60 ms, as a microphone gives them."""
    sound = sound * seconds
    return [meter.hear(sound[start : start + 1920], RATE_HZ) for start in range(0, len(sound), 1920)]


def test_loud_is_not_clipped() -> None:
    meter = ClippingMeter()

    assert not any(hear(meter, CLEAN, 70))
    assert (meter.clipped_s, meter.is_persistent) == (0, False)


def test_a_shout_is_counted_and_not_yet_a_problem() -> None:
    meter = ClippingMeter()

    assert not any(hear(meter, CLIPPED.tobytes(), 3) + hear(meter, CLEAN, 5))
    assert (meter.clipped_s, meter.is_persistent) in [(3, False), (4, False)]


def test_what_goes_on_is_told_once_and_over_after_a_clean_minute() -> None:
    meter = ClippingMeter()

    assert hear(meter, CLIPPED.tobytes(), 20).count(True) == 1
    hear(meter, CLEAN, 50)
    assert meter.is_persistent
    hear(meter, CLEAN, 15)
    assert not meter.is_persistent
    assert hear(meter, CLIPPED.tobytes(), 20).count(True) == 1


def test_single_samples_at_full_scale_are_chance() -> None:
    meter = ClippingMeter()
    sound = np.frombuffer(CLEAN, "<i2").copy()
    sound[500] = 32767

    assert not any(hear(meter, sound.tobytes(), 10))
    assert meter.clipped_s == 0


def test_what_a_gain_will_cut_off_is_clipped() -> None:
    meter = ClippingMeter(gain_db=12)

    assert hear(meter, CLEAN, 10).count(True) == 1


def test_what_a_gain_dampens_was_cut_off_before_it() -> None:
    meter = ClippingMeter(gain_db=-12)

    assert hear(meter, CLIPPED.tobytes(), 10).count(True) == 1
    assert not any(hear(ClippingMeter(gain_db=-12), CLEAN, 10))


def test_nothing_is_not_clipped() -> None:
    assert not ClippingMeter().hear(b"", RATE_HZ)
