from typing import Any

import pytest

from voice_node.local.session import default_session
from voice_node.local.turn_detection import (
    LONGEST_MS,
    Edge,
    SpeechStarted,
    SpeechStopped,
    TimedOut,
    TurnDetector,
    turns_of,
)

CONFIG: dict[str, Any] = default_session("", "realtime", "m")["audio"]["input"]["turn_detection"]


def detector(**config: Any) -> TurnDetector:
    turns = turns_of({**CONFIG, **config})
    assert turns is not None
    return TurnDetector(turns, 0)


def edges(one: TurnDetector, frames: str) -> list[Edge]:
    """`#` is a voiced frame, `.` is none."""
    return [edge for frame in frames if (edge := one.step(frame == "#")) is not None]


def test_a_turn_has_its_padding_and_its_silence() -> None:
    one = detector(prefix_padding_ms=100, silence_duration_ms=200)
    assert edges(one, "." * 50 + "#" * 5) == [SpeechStarted(900)]
    assert one.is_speech
    assert edges(one, "#" * 20 + "." * 9) == []
    assert edges(one, ".") == [SpeechStopped(1000 + 500 + 200)]
    assert not one.is_speech


def test_the_padding_does_not_reach_into_the_turn_before() -> None:
    one = detector(silence_duration_ms=200)
    (_, stopped) = edges(one, "#" * 20 + "." * 10)
    assert isinstance(stopped, SpeechStopped)
    assert edges(one, "#" * 5) == [SpeechStarted(stopped.end_ms)]


def test_a_click_neither_begins_a_turn_nor_holds_it_open() -> None:
    one = detector(silence_duration_ms=400)
    assert edges(one, ("##" + "." * 9) * 10) == []
    started, stopped = edges(one, "#" * 20 + "......#......#......#......#")
    assert isinstance(started, SpeechStarted)
    assert isinstance(stopped, SpeechStopped)


def test_a_higher_threshold_wants_more_voice() -> None:
    assert not edges(detector(threshold=1), "##.#" * 20)
    assert edges(detector(threshold=0.5), "##.#" * 20)
    assert edges(detector(threshold=0), "...###")


def test_speech_without_an_end_is_cut() -> None:
    one = detector()
    found = edges(one, "#" * (LONGEST_MS // 20 + 20))
    assert [type(edge) for edge in found] == [SpeechStarted, SpeechStopped, SpeechStarted]


def test_silence_after_a_reply_times_out_once() -> None:
    one = detector(idle_timeout_ms=5000)
    assert edges(one, "." * 1000) == []  # nobody was answered yet
    one.reply_was_played(21_000)
    assert edges(one, "." * 299) == []
    assert edges(one, "." * 1000) == [TimedOut(21_000, 26_000)]


def test_who_speaks_is_not_timed_out() -> None:
    one = detector(idle_timeout_ms=5000)
    one.reply_was_played(0)
    assert [type(edge) for edge in edges(one, "." * 200 + "#" * 10 + "." * 600)] == [SpeechStarted, SpeechStopped]


@pytest.mark.parametrize(("eagerness", "ms"), [("low", 1200), ("auto", 800), ("medium", 800), ("high", 500)])
def test_eagerness_is_a_silence(eagerness: str, ms: int) -> None:
    config = {"type": "semantic_vad", "eagerness": eagerness, "create_response": True, "interrupt_response": False}
    turns = turns_of(config)
    assert turns is not None
    assert (turns.silence_ms, turns.idle_ms, turns.creates_response, turns.interrupts_response) == (
        ms,
        None,
        True,
        False,
    )


def test_null_leaves_it_to_the_client() -> None:
    assert turns_of(None) is None
