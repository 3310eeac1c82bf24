"""The trace as values: what is worth a line, and what a line says."""

import json
from pathlib import Path

import pytest

from voice_node.cli.gate_trace import HEADER, Observation, as_json, as_row, why_changed, worth_reading
from voice_node.gate.gate import Phase
from voice_node.model.speech import EndReason

ENDS = [EndReason.SILENCE, EndReason.LONGEST, EndReason.HOLE, EndReason.SHUT, EndReason.END]


def observed(at_ms: int, why: str = "", probability: float | None = None) -> Observation:
    return Observation(at_ms, True, -31.26, -60.04, probability, Phase.CANDIDATE, why)


def test_every_change_and_one_of_a_hundred_milliseconds_are_worth_reading() -> None:
    frames = [observed(at_ms, "it opened" if at_ms == 140 else "") for at_ms in range(0, 400, 20)]
    assert [frame.at_ms for frame in worth_reading(frames)] == [0, 100, 140, 200, 300]


def test_frames_that_do_not_fall_on_the_tick_are_not_lost() -> None:
    frames = [observed(at_ms) for at_ms in range(0, 400, 30)]
    assert [frame.at_ms for frame in worth_reading(frames)] == [0, 120, 210, 300]


def test_a_row_stands_under_its_header_and_splits_at_blanks() -> None:
    row = as_row(observed(12_340, "enough frames were voiced", 0.256))
    assert row.split("<-")[0].split() == ["12.34", "speech", "-31.3", "-60.0", "0.26", "candidate"]
    assert row.endswith("  <- enough frames were voiced")
    assert row.index("candidate") == HEADER.index("state")
    assert as_row(observed(0)).split()[4] == "-"


def test_json_holds_the_same() -> None:
    assert json.loads(as_json(observed(20, "why", 0.25678))) == {
        "at_ms": 20,
        "is_speech": True,
        "level_db": -31.3,
        "floor_db": -60.0,
        "probability": 0.257,
        "phase": "candidate",
        "why": "why",
    }
    assert json.loads(as_json(observed(0), Path("a.wav")))["file"] == "a.wav"


@pytest.mark.parametrize("before", list(Phase))
@pytest.mark.parametrize("after", list(Phase))
def test_each_change_has_its_reason_and_no_change_has_none(before: Phase, after: Phase) -> None:
    assert bool(why_changed(before, after, None, is_kept=False)) == (before is not after)


@pytest.mark.parametrize("reason", ENDS)
def test_each_end_says_whether_it_was_sent(reason: EndReason) -> None:
    assert "nothing was sent" not in why_changed(Phase.SENT, Phase.CLOSED, reason, is_kept=True)
    assert "nothing was sent" in why_changed(Phase.WITHHELD, Phase.CLOSED, reason, is_kept=False)
    assert "the next began" in why_changed(Phase.SENT, Phase.WITHHELD, reason, is_kept=True)
