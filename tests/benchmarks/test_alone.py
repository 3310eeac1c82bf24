import sys
from pathlib import Path

import pytest

from tests.benchmarks.alone import measure_alone, run_part


def test_a_part_that_breaks_is_a_result_with_its_reason(capfd: pytest.CaptureFixture[str]) -> None:
    result = measure_alone("no-such-part")
    assert result.failure == "KeyError: 'no-such-part'"
    assert not result.is_well
    assert "Traceback" in capfd.readouterr().err


def test_a_part_that_hangs_is_ended() -> None:
    assert measure_alone("mute", timeout_s=0.05).failure == "it took more than 0.05 s"


def test_a_part_has_a_state_of_its_own(tmp_path: Path) -> None:
    tell = "import os, sys; sys.exit(os.environ['STATE_DIRECTORY'])"
    assert run_part([sys.executable, "-c", tell], tmp_path / "complaint.txt", 30) == str(tmp_path / "state")
