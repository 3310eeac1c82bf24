"""What of a turn the journal gets."""

import logging

import pytest

from voice_node.model.report import EventType, GateOpen, Happening
from voice_node.runtime.turn_log import log_report


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG)
    return caplog


def test_a_turn_is_one_line_with_its_id(lines: pytest.LogCaptureFixture) -> None:
    fields = {"status": "completed", "detail": "", "timings_ms": {"commit": 3, "done": 900}, "usage": {}}
    log_report(Happening(EventType.TURN_FINISHED, fields, "ab-1"))
    (line,) = lines.records
    assert (line.levelno, line.getMessage()) == (logging.INFO, "turn ab-1: completed; commit 3 ms, done 900 ms")


def test_calls_are_for_those_who_look_closely(lines: pytest.LogCaptureFixture) -> None:
    call = {"call_id": "c", "name": "set_light", "arguments": {"area": "kitchen"}}
    log_report(Happening(EventType.TOOL_CALL, call, "ab-1"))
    result = {"call_id": "c", "name": "set_light", "is_ok": False, "error": "no bulb there", "duration_ms": 12}
    log_report(Happening(EventType.TOOL_RESULT, result, "ab-1"))
    assert [line.levelno for line in lines.records] == [logging.DEBUG, logging.DEBUG]
    assert lines.messages == ["turn ab-1: calls set_light", "turn ab-1: set_light failed after 12 ms"]


def test_what_another_room_answers_is_for_those_who_look_closely(lines: pytest.LogCaptureFixture) -> None:
    log_report(Happening(EventType.YIELDED, {"to": "bedroom"}, "ab-1"))
    (line,) = lines.records
    assert (line.levelno, line.getMessage()) == (logging.DEBUG, "turn ab-1: the room bedroom answers")


def test_a_trouble_of_a_turn_is_a_warning_without_what_the_service_says(lines: pytest.LogCaptureFixture) -> None:
    log_report(Happening(EventType.ERROR, {"code": "turn_lost", "detail": "you said: open sesame"}, "ab-1"))
    log_report(Happening(EventType.ERROR, {"code": "you said\nopen sesame", "detail": ""}, "ab-2"))
    assert lines.messages == ["turn ab-1: turn_lost", "turn ab-2: a code that is none"]
    assert {line.levelno for line in lines.records} == {logging.WARNING}


@pytest.mark.parametrize(
    ("code", "detail", "told"),
    [
        ("timeout", "set_light: no answer in time", "set_light: no answer in time (timeout)"),
        (
            "not_confirmed",
            "open_door was not called: not confirmed",
            "open_door was not called: not confirmed (not_confirmed)",
        ),
        ("turn_lost", "the turn was lost: timeout: open sesame", "the turn was lost: timeout (turn_lost)"),
        ("transcription_failed", "the service could not transcribe: open sesame", "transcription_failed"),
    ],
)
def test_a_trouble_says_what_failed(lines: pytest.LogCaptureFixture, code: str, detail: str, told: str) -> None:
    log_report(Happening(EventType.ERROR, {"code": code, "detail": detail}, "ab-1"))
    assert lines.messages == [f"turn ab-1: {told}"]


def test_a_result_that_is_not_used_is_told_and_a_service_that_borrows_the_code_is_not(
    lines: pytest.LogCaptureFixture,
) -> None:
    log_report(Happening(EventType.ERROR, {"code": "late_result", "detail": "light: the result is not used (late)"}))
    log_report(Happening(EventType.ERROR, {"code": "late_result", "detail": "you said: open sesame"}))
    assert [(line.levelno, line.getMessage()) for line in lines.records] == [
        (logging.WARNING, "light: the result is not used (late)")
    ]


def test_words_and_what_belongs_to_no_turn_are_not_logged(lines: pytest.LogCaptureFixture) -> None:
    log_report(Happening(EventType.TRANSCRIPT, {"item_id": "i", "role": "user", "text": "open sesame"}, "ab-1"))
    log_report(Happening(EventType.ERROR, {"code": "bad_input", "detail": ""}))
    log_report(GateOpen(is_open=True))
    assert lines.messages == []
