"""The gate is fed frames whose level is known and verdicts that are made up; no detector is near."""

from collections.abc import Iterable, Sequence
from itertools import count

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_node.gate.gate import ABRUPT_MS, FAINT_MS, REACH_MS, TRAILING_MS, Gate, Phase
from voice_node.model.audio import Frame
from voice_node.model.speech import EndReason, Speech, SpeechAudio, SpeechEnded, SpeechStarted
from voice_node.settings.schema import GateSettings

RATE_HZ = 8000
QUIET_DB, FAINT_DB, LOUD_DB = -60.0, -55.5, -20.0
SETTINGS = GateSettings(
    frame_ms=20, onset_ms=100, pre_roll_ms=400, hang_over_ms=700, min_snr_db=6, min_speech_ms=200, max_segment_s=30
)


def frame_of(index: int, level_db: float, frame_ms: int = 20, rate_hz: int = RATE_HZ) -> Frame:
    """A square wave of that level with the index hidden in its first two samples, so that no two frames are equal."""
    samples = np.tile([1.0, -1.0], rate_hz * frame_ms // 2000) * 32768 * 10 ** (level_db / 20)
    samples[0], samples[1] = index // 64, index % 64
    return Frame(index, samples.round().astype("<i2").tobytes(), rate_hz)


class Room:
    """A gate, the frames that it was given, and what it said."""

    def __init__(self, settings: GateSettings = SETTINGS) -> None:
        numbers = count(1)
        self.gate = Gate(settings, lambda: f"turn-{next(numbers)}")
        self.frame_ms = settings.frame_ms
        self.frames: dict[int, bytes] = {}
        self.said: list[Speech] = []
        self.index = 0

    def hear(self, milliseconds: int, level_db: float, *, is_speech: bool, rate_hz: int = RATE_HZ) -> list[Speech]:
        said: list[Speech] = []
        for _ in range(milliseconds // self.frame_ms):
            frame = frame_of(self.index, level_db, self.frame_ms, rate_hz)
            self.frames[self.index] = frame.pcm
            self.index += 1
            said += self.gate.hear(frame, is_speech)
        return self.note(said)

    def quiet(self, milliseconds: int) -> list[Speech]:
        return self.hear(milliseconds, QUIET_DB, is_speech=False)

    def speech(self, milliseconds: int) -> list[Speech]:
        return self.hear(milliseconds, LOUD_DB, is_speech=True)

    def shut(self) -> list[Speech]:
        return self.note(self.gate.shut())

    def note(self, said: Iterable[Speech]) -> list[Speech]:
        self.said += said
        return list(said)

    def pcm(self, start_ms: int, end_ms: int) -> bytes:
        return b"".join(self.frames[index] for index in range(start_ms // self.frame_ms, end_ms // self.frame_ms))

    def audio(self, turn_id: str) -> bytes:
        return b"".join(s.pcm for s in self.said if isinstance(s, SpeechAudio) and s.turn_id == turn_id)


def ends(said: Sequence[Speech]) -> list[SpeechEnded]:
    return [speech for speech in said if isinstance(speech, SpeechEnded)]


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


settings_of = st.builds(
    GateSettings,
    frame_ms=st.sampled_from([10, 20, 30]),
    onset_ms=st.integers(10, 200),
    pre_roll_ms=st.integers(0, 500),
    hang_over_ms=st.integers(100, 900),
    min_snr_db=st.sampled_from([0.0, 6.0]),
    min_speech_ms=st.integers(0, 600),
    max_segment_s=st.sampled_from([1.0, 2.5, 30.0]),
)
sounds = st.tuples(st.sampled_from([QUIET_DB, FAINT_DB, LOUD_DB]), st.booleans(), st.integers(1, 80))
happenings = st.lists(sounds | st.sampled_from(["hole", "shut"]), max_size=25)


@given(settings_of, happenings)
def test_what_holds_whatever_is_heard(settings: GateSettings, script: list[tuple[float, bool, int] | str]) -> None:
    room = Room(settings)
    frame_ms = settings.frame_ms
    closed_frames = -(-settings.pre_roll_ms // frame_ms) + 2 * -(-settings.onset_ms // frame_ms)
    longest_frames = max(-(-int(settings.max_segment_s * 1000) // frame_ms), closed_frames + 1)
    not_before_ms = 0
    for happening in script:
        earlier = len(room.said)
        if isinstance(happening, tuple):
            level_db, is_speech, frames = happening
            room.hear(frames * frame_ms, level_db, is_speech=is_speech)
        elif happening == "hole":
            room.index += 3
        else:
            room.shut()
            assert not room.gate.is_open
            not_before_ms = room.index * frame_ms
        started = [speech for speech in room.said[earlier:] if isinstance(speech, SpeechStarted)]
        assert all(speech.start_ms >= not_before_ms for speech in started)
        assert len(room.gate._unsent) <= closed_frames
        assert room.gate._segment is None or len(room.gate._segment.withheld) <= longest_frames
    room.note(room.gate.end())
    assert_whole(room, longest_frames)


def assert_whole(room: Room, longest_frames: int) -> None:
    """Pairs of beginnings and ends, nothing sent twice, nothing that was not heard."""
    frame_ms = room.frame_ms
    turn: SpeechStarted | None = None
    for speech in room.said:
        match speech:
            case SpeechStarted():
                assert turn is None
                turn = speech
            case SpeechAudio():
                assert turn is not None
                assert speech.turn_id == turn.turn_id
                assert speech.pcm
            case SpeechEnded():
                assert turn is not None
                assert (speech.turn_id, speech.start_ms) == (turn.turn_id, turn.start_ms)
                turn = None
    assert turn is None

    sent_until_ms = 0
    for ended in ends(room.said):
        assert ended.start_ms <= ended.end_ms <= ended.start_ms + longest_frames * frame_ms
        assert ended.voiced_ms <= ended.end_ms - ended.start_ms
        if ended.is_kept:
            assert ended.start_ms >= sent_until_ms
            assert room.audio(ended.turn_id) == room.pcm(ended.start_ms, ended.end_ms)
            sent_until_ms = ended.end_ms
        else:
            assert room.audio(ended.turn_id) == b""


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


class Model:
    """A second opinion that says what the test wants."""

    def __init__(self) -> None:
        self.answer = 0.0
        self.chunks = 0

    def probability(self, chunk: "np.ndarray[tuple[int], np.dtype[np.float32]]") -> float:
        assert len(chunk) == 512
        self.chunks += 1
        return self.answer


class ConfirmedRoom(Room):
    """A room whose gate asks a second opinion."""

    def __init__(self, settings: GateSettings = SETTINGS) -> None:
        super().__init__(settings)
        self.model = Model()
        numbers = count(1)
        self.gate = Gate(settings, lambda: f"turn-{next(numbers)}", self.model)

    def believed(self, milliseconds: int) -> list[Speech]:
        self.model.answer = 1.0
        return self.hear(milliseconds, LOUD_DB, is_speech=True)

    def doubted(self, milliseconds: int) -> list[Speech]:
        self.model.answer = 0.0
        return self.hear(milliseconds, LOUD_DB, is_speech=True)


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


confirmed_sounds = st.tuples(
    st.sampled_from([QUIET_DB, FAINT_DB, LOUD_DB]),
    st.booleans(),
    st.integers(1, 80),
    st.sampled_from([0.0, 0.25, 0.4, 0.9]),
)
confirmed_happenings = st.lists(confirmed_sounds | st.sampled_from(["hole", "shut", "tune"]), max_size=25)


@given(settings_of, confirmed_happenings)
def test_with_a_second_opinion_the_same_holds_whatever_is_heard_and_believed(
    settings: GateSettings, script: list[tuple[float, bool, int, float] | str]
) -> None:
    room = ConfirmedRoom(settings)
    frame_ms = settings.frame_ms
    reach_frames = REACH_MS // frame_ms
    longest_frames = max(-(-int(settings.max_segment_s * 1000) // frame_ms), reach_frames + 1)
    not_before_ms = 0
    for happening in script:
        earlier = len(room.said)
        match happening:
            case "hole":
                room.index += 3
            case "shut":
                room.shut()
                assert not room.gate.is_open
                not_before_ms = room.index * frame_ms
            case "tune":
                room.gate.tune(3.0, 300)
            case (float(level_db), bool(is_speech), int(frames), float(chance)):
                room.model.answer = chance
                room.hear(frames * frame_ms, level_db, is_speech=is_speech)
        started = [speech for speech in room.said[earlier:] if isinstance(speech, SpeechStarted)]
        assert all(speech.start_ms >= not_before_ms for speech in started)
        assert len(room.gate._unsent) <= reach_frames
        assert room.gate._segment is None or len(room.gate._segment.withheld) <= longest_frames
    room.note(room.gate.end())
    assert_whole(room, longest_frames)
