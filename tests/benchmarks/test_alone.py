import pytest

from tests.benchmarks.alone import measure_alone


def test_a_part_that_breaks_is_a_result_with_its_reason(capfd: pytest.CaptureFixture[str]) -> None:
    result = measure_alone("no-such-part")
    assert result.failure == "KeyError: 'no-such-part'"
    assert not result.is_well
    assert "Traceback" in capfd.readouterr().err


def test_a_part_that_hangs_is_ended() -> None:
    assert measure_alone("mute", timeout_s=0.05).failure == "it took more than 0.05 s"
