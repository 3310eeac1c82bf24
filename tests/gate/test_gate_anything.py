"""What holds whatever is heard, believed, cut and tuned."""

from hypothesis import given
from hypothesis import strategies as st

from tests.gate.room import FAINT_DB, LOUD_DB, QUIET_DB, ConfirmedRoom, Room, ends
from voice_node.gate.gate import REACH_MS
from voice_node.model.speech import SpeechAudio, SpeechEnded, SpeechStarted
from voice_node.settings.schema import GateSettings

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
confirmed_sounds = st.tuples(
    st.sampled_from([QUIET_DB, FAINT_DB, LOUD_DB]),
    st.booleans(),
    st.integers(1, 80),
    st.sampled_from([0.0, 0.25, 0.4, 0.9]),
)
confirmed_happenings = st.lists(confirmed_sounds | st.sampled_from(["hole", "shut", "tune"]), max_size=25)
Happening = tuple[float, bool, int] | tuple[float, bool, int, float] | str


def assert_holds(room: Room, script: list[Happening], longest_unsent_ms: int, settings: GateSettings) -> None:
    """Nothing from before a shut begins a segment, what waits has a bound, and what was said is whole."""
    frame_ms = settings.frame_ms
    most_unsent = longest_unsent_ms // frame_ms
    longest_frames = max(-(-int(settings.max_segment_s * 1000) // frame_ms), most_unsent + 1)
    not_before_ms = 0
    for happening in script:
        earlier = len(room.said)
        match happening:
            case "hole":
                room.index += 3
            case "tune":
                room.gate.tune(3.0, 300)
            case str():
                room.shut()
                assert not room.gate.is_open
                not_before_ms = room.index * frame_ms
            case level_db, is_speech, frames, *belief:
                if isinstance(room, ConfirmedRoom):
                    (room.model.answer,) = belief
                room.hear(frames * frame_ms, level_db, is_speech=is_speech)
        started = [speech for speech in room.said[earlier:] if isinstance(speech, SpeechStarted)]
        assert all(speech.start_ms >= not_before_ms for speech in started)
        assert len(room.gate._unsent) <= most_unsent
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


@given(settings_of, happenings)
def test_what_holds_whatever_is_heard(settings: GateSettings, script: list[Happening]) -> None:
    pre_roll, onset = (-(-ms // settings.frame_ms) for ms in (settings.pre_roll_ms, settings.onset_ms))
    assert_holds(Room(settings), script, (pre_roll + 2 * onset) * settings.frame_ms, settings)


@given(settings_of, confirmed_happenings)
def test_with_a_second_opinion_the_same_holds_whatever_is_heard_and_believed(
    settings: GateSettings, script: list[Happening]
) -> None:
    assert_holds(ConfirmedRoom(settings), script, REACH_MS, settings)
