"""Segments that are cut: by the longest one, by a hole, by a shut and by the end."""

from tests.gate.room import LOUD_DB, SETTINGS, Room, ends
from voice_node.gate.gate import TRAILING_MS
from voice_node.model.speech import EndReason, SpeechEnded, SpeechStarted


def test_the_longest_segment_goes_on_in_the_next_without_losing_a_sample() -> None:
    room = Room(SETTINGS.model_copy(update={"max_segment_s": 2.0, "min_snr_db": 0.0}))  # steady sound becomes the floor
    room.quiet(1000)
    room.speech(4500)
    room.quiet(700)
    reasons = [ended.reason for ended in ends(room.said)]
    assert reasons == [EndReason.LONGEST, EndReason.LONGEST, EndReason.SILENCE]
    assert all(ended.is_kept and ended.end_ms - ended.start_ms <= 2000 for ended in ends(room.said))
    sent = room.audio("turn-1") + room.audio("turn-2") + room.audio("turn-3")
    assert sent == room.pcm(600, 5500 + TRAILING_MS)


def test_silence_after_the_longest_segment_is_not_sent_as_a_segment() -> None:
    room = Room(SETTINGS.model_copy(update={"max_segment_s": 2.0}))
    room.quiet(1000)
    room.speech(1600)
    room.quiet(700)
    first, second = ends(room.said)
    assert (first.reason, first.end_ms) == (EndReason.LONGEST, 2600)
    assert (second.is_kept, second.voiced_ms, second.snr_db) == (False, 0, 0)


def test_a_syllable_after_the_longest_segment_is_sent() -> None:
    room = Room(SETTINGS.model_copy(update={"max_segment_s": 2.0}))
    room.quiet(1000)
    room.speech(1500)
    room.quiet(140)
    room.speech(20)
    room.quiet(680)
    assert ends(room.said)[1:] == []
    room.quiet(20)
    assert room.audio("turn-1") + room.audio("turn-2") == room.pcm(600, 2660 + TRAILING_MS)


def test_a_pause_goes_on_across_the_longest_segment() -> None:
    room = Room(SETTINGS.model_copy(update={"max_segment_s": 2.0}))
    room.quiet(1000)
    room.speech(1500)
    assert [ended.reason for ended in ends(room.quiet(680))] == [EndReason.LONGEST]
    assert [ended.end_ms for ended in ends(room.quiet(20))] == [2500 + TRAILING_MS]


def test_what_a_longest_segment_withheld_in_vain_is_not_spliced_to_a_later_one() -> None:
    room = Room(SETTINGS.model_copy(update={"max_segment_s": 1.0, "min_speech_ms": 400}))
    room.quiet(1000)
    for speech_ms, quiet_ms in [(100, 280), (20, 100), (600, 500), (500, 0)]:
        room.speech(speech_ms)
        room.quiet(quiet_ms)
    room.note(room.gate.end())
    kept = [ended for ended in ends(room.said) if ended.is_kept]
    assert [(ended.start_ms, ended.end_ms) for ended in kept] == [(1600, 2400), (2400, 3100)]
    for ended in kept:
        assert room.audio(ended.turn_id) == room.pcm(ended.start_ms, ended.end_ms)


def test_the_longest_segment_reached_in_a_pause_closes_the_gate() -> None:
    room = Room(SETTINGS.model_copy(update={"max_segment_s": 2.0}))
    room.quiet(1000)
    room.speech(1100)
    room.quiet(500)
    (ended,) = ends(room.said)
    assert (ended.reason, ended.end_ms) == (EndReason.LONGEST, 2100 + TRAILING_MS)
    assert not room.gate.is_open
    assert room.speech(100) == [SpeechStarted("turn-2", ended.end_ms)]


def test_a_hole_ends_the_segment_and_nothing_is_spliced() -> None:
    room = Room()
    room.quiet(1000)
    room.speech(1000)
    room.index += 10
    (ended,) = ends(room.speech(20))
    assert (ended.end_ms, ended.reason, ended.is_kept) == (2000, EndReason.HOLE, True)
    assert room.speech(80) == [SpeechStarted("turn-2", start_ms=2200)]


def test_the_first_frame_after_a_hole_may_open_again() -> None:
    room = Room(SETTINGS.model_copy(update={"onset_ms": 20}))
    room.quiet(1000)
    room.speech(1000)
    room.index += 1
    assert [type(speech) for speech in room.speech(20)] == [SpeechEnded, SpeechStarted]


def test_a_change_of_rate_is_a_hole() -> None:
    room = Room()
    room.quiet(1000)
    room.speech(1000)
    (ended,) = room.hear(20, LOUD_DB, is_speech=True, rate_hz=16000)
    assert isinstance(ended, SpeechEnded)
    assert ended.reason is EndReason.HOLE


def test_nothing_from_before_a_shut_is_sent_after_it() -> None:
    room = Room()
    room.quiet(1000)
    room.speech(80)
    assert room.shut() == []
    assert room.speech(80) == []
    assert room.speech(20) == [SpeechStarted("turn-1", start_ms=1080)]
    (ended,) = ends(room.shut())
    assert (ended.reason, ended.is_kept) == (EndReason.SHUT, False)
    assert room.speech(100) == [SpeechStarted("turn-2", start_ms=1180)]


def test_the_noise_floor_outlives_shuts_and_holes() -> None:
    room = Room()
    room.quiet(1000)
    room.shut()
    room.index += 100
    assert room.speech(100) == [SpeechStarted("turn-1", start_ms=3000)]


def test_the_end_of_the_source_ends_the_segment() -> None:
    room = Room()
    room.quiet(1000)
    room.speech(1000)
    (ended,) = ends(room.note(room.gate.end()))
    assert (ended.end_ms, ended.reason, ended.is_kept) == (2000, EndReason.END, True)
    assert room.gate.end() == ()
