"""A gate that asks a second opinion."""

import pytest

from tests.gate.room import FAINT_DB, LOUD_DB, SETTINGS, ConfirmedRoom, ends
from voice_node.gate.gate import ABRUPT_MS, FAINT_MS, REACH_MS, Phase
from voice_node.model.speech import EndReason, SpeechStarted


def test_what_the_second_opinion_doubts_never_opens() -> None:
    room = ConfirmedRoom()
    room.quiet(1000)
    assert room.doubted(3000) == []
    assert room.model.chunks > 0
    assert not room.gate.is_open


def test_a_candidate_is_no_open_gate() -> None:
    room = ConfirmedRoom()
    room.quiet(1000)
    room.doubted(100)
    assert (room.gate.phase, room.gate.is_open, room.gate.probability) == (Phase.CANDIDATE, False, 0.0)
    room.quiet(1000)
    assert (room.gate.phase, room.gate.probability) == (Phase.CLOSED, None)


def test_what_it_confirms_opens_with_the_pre_roll() -> None:
    room = ConfirmedRoom()
    room.quiet(3000)
    (started,) = room.believed(100)
    assert isinstance(started, SpeechStarted)
    look_back_ms = 500 - 2 * 16
    assert started.start_ms == pytest.approx(3100 - look_back_ms - SETTINGS.pre_roll_ms, abs=40)
    assert room.gate.phase is Phase.WITHHELD


def test_speech_in_a_quiet_room_costs_no_second_opinion_before_and_after() -> None:
    room = ConfirmedRoom()
    room.quiet(5000)
    assert room.model.chunks == 0
    room.believed(1000)
    room.model.answer = 0.0
    room.quiet(1500)
    assert [ended.is_kept for ended in ends(room.said)] == [True]
    heard = room.model.chunks
    room.quiet(5000)
    assert room.model.chunks == heard


def test_it_alone_holds_what_it_confirmed() -> None:
    room = ConfirmedRoom()
    room.quiet(1000)
    room.believed(500)
    room.doubted(SETTINGS.hang_over_ms + ABRUPT_MS + 40)
    (ended,) = ends(room.said)
    assert (ended.reason, ended.is_kept) == (EndReason.SILENCE, True)
    assert room.audio("turn-1") == room.pcm(ended.start_ms, ended.end_ms)


def test_half_of_the_levels_and_lengths_is_enough_for_what_is_confirmed() -> None:
    room = ConfirmedRoom()
    room.quiet(1000)
    room.model.answer = 1.0
    said = room.hear(200, FAINT_DB, is_speech=True)  # 4.5 dB of 6
    assert isinstance(said[0], SpeechStarted)
    room.model.answer = 0.0
    room.quiet(1500)
    assert [ended.is_kept for ended in ends(room.said)] == [True]


def test_faint_words_are_reached_back_for() -> None:
    starts = []
    for level_db in (FAINT_DB, LOUD_DB):
        room = ConfirmedRoom(SETTINGS.model_copy(update={"pre_roll_ms": 100}))
        room.quiet(3000)
        room.model.answer = 1.0
        started = room.hear(200, level_db, is_speech=True)[0]
        assert isinstance(started, SpeechStarted)
        starts.append(started.start_ms)
    faint_ms, loud_ms = starts
    assert loud_ms - faint_ms == FAINT_MS
    assert faint_ms >= 3100 - REACH_MS


def test_nothing_is_reached_for_behind_a_shut() -> None:
    room = ConfirmedRoom()
    room.quiet(1000)
    room.doubted(100)
    room.shut()
    assert room.gate.phase is Phase.CLOSED
    (started, *_) = room.believed(200)
    assert started == SpeechStarted("turn-1", 1100)
