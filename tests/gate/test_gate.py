"""When the gate opens and closes, what it sends and what it withholds."""

import pytest

from tests.gate.room import FAINT_DB, LOUD_DB, QUIET_DB, SETTINGS, Room, ends
from voice_node.gate.gate import TRAILING_MS, Phase
from voice_node.model.speech import EndReason, SpeechAudio, SpeechEnded, SpeechStarted


def test_a_quiet_room_says_nothing() -> None:
    room = Room()
    assert room.quiet(5000) == []
    assert not room.gate.is_open
    assert room.gate.phase is Phase.CLOSED
    assert room.gate.floor_db == pytest.approx(QUIET_DB, abs=1)


def test_the_onset_opens_at_once_and_reaches_back_by_the_pre_roll() -> None:
    room = Room()
    room.quiet(1000)
    assert room.speech(80) == []
    assert room.speech(20) == [SpeechStarted("turn-1", start_ms=1000 - 400)]
    assert room.gate.phase is Phase.WITHHELD


def test_the_onset_may_have_gaps_within_twice_its_length() -> None:
    room = Room()
    room.quiet(1000)
    for _ in range(4):
        assert room.speech(20) == []
        assert room.quiet(20) == []
    assert room.speech(20) == [SpeechStarted("turn-1", start_ms=600)]


def test_single_voiced_frames_do_not_open() -> None:
    room = Room()
    for _ in range(50):
        assert room.quiet(40) == []
        assert room.speech(20) == []


@pytest.mark.parametrize(("frame_ms", "voiced_frames"), [(10, 10), (20, 5), (30, 4)])
def test_the_onset_is_rounded_up_to_whole_frames(frame_ms: int, voiced_frames: int) -> None:
    room = Room(SETTINGS.model_copy(update={"frame_ms": frame_ms}))
    room.quiet(900)
    assert room.speech((voiced_frames - 1) * frame_ms) == []
    assert len(room.speech(frame_ms)) == 1


def test_audio_is_withheld_until_enough_was_voiced_and_then_live() -> None:
    room = Room()
    room.quiet(1000)
    room.speech(180)
    assert room.said == [SpeechStarted("turn-1", 600)]
    assert room.speech(20) == [SpeechAudio("turn-1", room.pcm(600, 1200))]
    assert room.gate.phase is Phase.SENT
    assert room.speech(20) == [SpeechAudio("turn-1", room.pcm(1200, 1220))]


def test_without_a_least_length_audio_leaves_with_the_onset() -> None:
    room = Room(SETTINGS.model_copy(update={"min_speech_ms": 0}))
    room.quiet(1000)
    assert room.speech(100) == [SpeechStarted("turn-1", 600), SpeechAudio("turn-1", room.pcm(600, 1100))]


def test_a_cough_is_reported_but_never_sent() -> None:
    room = Room()
    room.quiet(1000)
    room.speech(160)
    assert [type(speech) for speech in room.quiet(2000)] == [SpeechEnded]
    (ended,) = ends(room.said)
    assert not ended.is_kept
    assert (ended.start_ms, ended.end_ms, ended.voiced_ms) == (600, 1160 + TRAILING_MS, 160)
    assert room.audio("turn-1") == b""


def test_only_the_beginning_of_the_last_pause_is_sent() -> None:
    room = Room()
    room.quiet(1000)
    room.speech(1000)
    assert ends(room.quiet(680)) == []
    (ended,) = ends(room.quiet(20))
    assert ended == SpeechEnded("turn-1", 600, 2000 + TRAILING_MS, 1000, ended.snr_db, True, EndReason.SILENCE)
    assert ended.snr_db == pytest.approx(LOUD_DB - QUIET_DB, abs=1)
    assert room.audio("turn-1") == room.pcm(600, 2000 + TRAILING_MS)
    assert room.quiet(5000) == []


def test_a_pause_within_a_segment_is_sent_whole() -> None:
    room = Room()
    room.quiet(1000)
    room.speech(1000)
    room.quiet(TRAILING_MS)
    assert room.quiet(300) == []
    assert room.speech(20) == [SpeechAudio("turn-1", room.pcm(2000 + TRAILING_MS, 2620))]
    room.quiet(700)
    assert room.audio("turn-1") == room.pcm(600, 2620 + TRAILING_MS)


def test_the_next_segment_never_repeats_what_was_sent() -> None:
    room = Room()
    room.quiet(1000)
    room.speech(1000)
    room.quiet(700)
    room.speech(1000)
    room.quiet(700)
    first, second = ends(room.said)
    assert first.end_ms == second.start_ms == 2000 + TRAILING_MS
    assert room.audio("turn-1") + room.audio("turn-2") == room.pcm(first.start_ms, second.end_ms)


def test_what_was_withheld_in_vain_is_pre_roll_again() -> None:
    room = Room(SETTINGS.model_copy(update={"hang_over_ms": 200}))
    room.quiet(1000)
    room.speech(160)
    room.quiet(200)
    assert not room.gate.is_open
    assert room.speech(100) == [SpeechStarted("turn-2", 1360 - 400)]


def test_faint_speech_holds_but_neither_opens_nor_counts() -> None:
    room = Room()
    room.quiet(1000)
    assert room.hear(1000, FAINT_DB, is_speech=True) == []
    room.quiet(1000)
    room.speech(200)
    room.hear(1400, FAINT_DB, is_speech=True)
    (ended,) = ends(room.quiet(700))
    assert (ended.end_ms, ended.voiced_ms) == (4600 + TRAILING_MS, 200)


def test_speech_at_the_noise_floor_is_not_voiced() -> None:
    room = Room()
    assert room.hear(5000, QUIET_DB, is_speech=True) == []


def test_without_a_least_snr_the_detector_decides_alone() -> None:
    room = Room(SETTINGS.model_copy(update={"min_snr_db": 0.0}))
    room.quiet(1000)
    assert len(room.hear(100, QUIET_DB - 10, is_speech=True)) == 1


def test_loud_noise_that_is_no_speech_does_not_open() -> None:
    room = Room()
    room.quiet(1000)
    assert room.hear(5000, LOUD_DB, is_speech=False) == []


def test_a_gate_is_tuned_between_segments() -> None:
    room = Room()
    room.quiet(1000)
    room.speech(500)
    room.gate.tune(min_snr_db=0, hang_over_ms=200)
    assert ends(room.quiet(680)) == [], "the open segment keeps its hang-over"
    assert len(ends(room.quiet(20))) == 1
    room.speech(500)
    assert ends(room.quiet(180)) == []
    assert len(ends(room.quiet(20))) == 1


def test_a_gate_is_tuned_at_once_where_nobody_speaks() -> None:
    room = Room()
    room.quiet(1000)
    assert room.hear(500, FAINT_DB, is_speech=True) == []
    room.gate.tune(min_snr_db=2, hang_over_ms=700)
    assert isinstance(room.hear(500, FAINT_DB, is_speech=True)[0], SpeechStarted)
