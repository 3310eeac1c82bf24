"""Windows of attention, by frames that are speech or not and a wake word's engine of ours."""

from collections.abc import Callable, Sequence

import pytest

from voice_node.gate.attention import KEPT_MS, Attention
from voice_node.gate.gate import Gate
from voice_node.model.audio import Frame
from voice_node.model.speech import EndReason, Speech, SpeechAudio, SpeechEnded, SpeechStarted
from voice_node.settings.schema import ActivationSettings, GateSettings

FRAME_MS, RATE_HZ = 20, 16000
SPEECH = b"\x00\x40\x00\xc0" * (RATE_HZ * FRAME_MS // 1000 // 2)
QUIET = bytes(len(SPEECH))
GATE = GateSettings(
    frame_ms=20, onset_ms=40, pre_roll_ms=40, hang_over_ms=100, min_speech_ms=60, min_snr_db=0, confirm="off"
)


class Loud:
    """Every frame that is not silent is speech."""

    asked = 0

    def is_speech(self, frame: Frame) -> bool:
        self.asked += 1
        return any(frame.pcm)


class Words:
    """Hears the word in the frames that the test names."""

    def __init__(self, *at: int) -> None:
        self._at = at
        self.heard: list[Frame] = []

    def hear(self, frame: Frame) -> str | None:
        self.heard.append(frame)
        return "okay_nabu" if frame.index in self._at else None


class Room:
    """An attention and what came out of it."""

    def __init__(self, mode: str, words: Words | None = None, *, follow_up_ms: int = 8000, **gate: float) -> None:
        settings = ActivationSettings.model_validate({"mode": mode, "follow_up_ms": follow_up_ms})
        numbers = iter(range(1, 1000))
        self.detector = Loud()
        self.gate = Gate(GATE.model_copy(update=gate), lambda: f"t{next(numbers)}")
        self.attention = Attention(settings, FRAME_MS, self.gate, self.detector, words)
        self.said: list[Speech] = []
        self.woken: list[str] = []
        self.index = 0

    def hear(self, *pieces: bytes) -> None:
        for pcm in pieces:
            came = self.attention.hear(Frame(self.index, pcm, RATE_HZ))
            self.said += came.said
            self.woken += [came.wake_word] if came.wake_word else []
            self.index += 1

    def of(self, kind: type[Speech]) -> Sequence[Speech]:
        return [value for value in self.said if isinstance(value, kind)]

    @property
    def sound(self) -> bytes:
        return b"".join(value.pcm for value in self.said if isinstance(value, SpeechAudio))


def speech(duration_ms: int) -> list[bytes]:
    return [SPEECH] * (duration_ms // FRAME_MS)


def quiet(duration_ms: int) -> list[bytes]:
    return [QUIET] * (duration_ms // FRAME_MS)


def test_in_voice_mode_everything_reaches_the_gate() -> None:
    room = Room("voice")
    room.hear(*speech(200), *quiet(200))
    assert [type(value) for value in room.said if not isinstance(value, SpeechAudio)] == [SpeechStarted, SpeechEnded]
    assert room.attention.is_open
    assert not room.attention.is_window_open


@pytest.mark.parametrize("mode", ["wake_word", "push_to_talk"])
def test_without_a_window_nothing_opens_the_gate_and_no_verdict_is_asked_for(mode: str) -> None:
    room = Room(mode, Words() if mode == "wake_word" else None)
    room.hear(*speech(1000), *quiet(500))
    assert room.said == []
    assert room.detector.asked == 0


def test_the_noise_floor_goes_on_outside_a_window() -> None:
    room = Room("push_to_talk")
    before = room.gate.floor_db
    room.hear(*[b"\x00\x01\x00\xff" * 160] * 500)
    assert room.gate.floor_db != before


def test_what_is_said_in_the_same_breath_is_kept_from_before_the_wake_word_was_recognised() -> None:
    room = Room("wake_word", Words(40))
    room.hear(*speech(1400), *quiet(200))
    assert room.woken == ["okay_nabu"]
    (started,) = room.of(SpeechStarted)
    (ended,) = room.of(SpeechEnded)
    assert isinstance(started, SpeechStarted)
    assert isinstance(ended, SpeechEnded)
    assert started.start_ms == 41 * FRAME_MS - KEPT_MS, "no more of the wake word than that, and nothing is missing"
    assert ended.is_kept
    assert len(room.sound) * 1000 / (2 * RATE_HZ) >= 1400 - started.start_ms
    assert not room.attention.is_open, "one utterance for one wake word"


@pytest.mark.parametrize("recognised_at", [15, 20, 25, 34])
def test_the_wake_word_alone_is_no_utterance_and_the_node_waits_for_what_follows(recognised_at: int) -> None:
    room = Room("wake_word", Words(recognised_at))
    room.hear(*speech(420), *quiet(2000))
    assert room.woken == ["okay_nabu"]
    assert room.said == []
    assert room.attention.is_window_open
    room.hear(*speech(300), *quiet(200))
    (ended,) = room.of(SpeechEnded)
    assert isinstance(ended, SpeechEnded)
    assert ended.is_kept
    assert ended.start_ms > 2000


def test_a_mute_right_after_the_wake_word_says_nothing() -> None:
    room = Room("wake_word", Words(20))
    room.hear(*speech(440))
    assert room.gate.is_open
    assert room.attention.close() == ()


def test_a_window_ends_by_its_time_and_speech_stops_the_clock() -> None:
    room = Room("push_to_talk")
    room.attention.open(400)
    room.hear(*quiet(300))
    assert room.attention.is_open
    room.hear(*speech(600))
    assert room.attention.is_open, "what began in the window is heard to its end"
    room.hear(*quiet(200))
    assert not room.attention.is_open
    room.attention.open(400)
    room.hear(*quiet(400), *speech(400), *quiet(200))
    assert len(room.of(SpeechStarted)) == 1


def test_a_click_does_not_use_up_the_window() -> None:
    room = Room("push_to_talk")
    room.attention.open(2000)
    room.hear(*speech(40), *quiet(300))
    assert [value.is_kept for value in room.of(SpeechEnded) if isinstance(value, SpeechEnded)] == [False]
    assert room.attention.is_open
    room.hear(*speech(200), *quiet(200))
    assert room.sound


def test_a_segment_that_is_cut_at_its_longest_goes_on() -> None:
    room = Room("push_to_talk", max_segment_s=1)
    room.attention.open(400)
    room.hear(*speech(2500), *quiet(300))
    reasons = [value.reason for value in room.said if isinstance(value, SpeechEnded)]
    assert reasons == [EndReason.LONGEST, EndReason.LONGEST, EndReason.SILENCE]
    assert not room.attention.is_open


def test_a_longer_window_is_not_cut_short_by_a_shorter_one() -> None:
    room = Room("push_to_talk")
    room.attention.open(1000)
    room.attention.open(100)
    room.hear(*quiet(500))
    assert room.attention.is_open


def test_time_stands_still_while_the_node_is_deaf_and_no_sample_from_before_is_kept() -> None:
    room = Room("wake_word", Words(60))
    room.hear(*speech(1000))
    room.said += room.attention.shut()
    room.index += 5
    room.hear(*speech(200), *speech(400), *quiet(200))  # the word at 60 is the fifth after the hole
    (started,) = room.of(SpeechStarted)
    assert isinstance(started, SpeechStarted)
    assert started.start_ms >= 55 * FRAME_MS
    room.attention.open(200)
    room.said += room.attention.shut()
    assert room.attention.is_open


@pytest.mark.parametrize("act", [Attention.close, Attention.shut])
def test_closing_ends_the_segment(act: Callable[[Attention], Sequence[Speech]]) -> None:
    room = Room("push_to_talk")
    room.attention.open(1000)
    room.hear(*speech(300))
    (ended,) = act(room.attention)
    assert isinstance(ended, SpeechEnded)
    assert ended.reason is EndReason.SHUT
    assert room.attention.is_open == (act is Attention.shut)


def test_the_engine_hears_the_sound_that_is_meant_for_it_and_only_while_it_waits() -> None:
    words = Words(1)
    room = Room("wake_word", words)
    other = Frame(0, b"\x01\x00" * 320, RATE_HZ)
    assert room.attention.hear(Frame(0, QUIET, RATE_HZ), other).wake_word is None
    room.attention.hear(Frame(1, QUIET, RATE_HZ))
    room.attention.hear(Frame(2, QUIET, RATE_HZ))
    assert [frame.pcm for frame in words.heard] == [other.pcm, QUIET]


def test_other_wake_words_take_over() -> None:
    room = Room("wake_word", Words(0))
    room.attention.listen_for(Words(3), 60)
    room.hear(*quiet(80))
    assert room.woken == ["okay_nabu"]
    room.hear(*quiet(60))
    assert not room.attention.is_open


def test_a_room_without_follow_up_still_waits_after_its_wake_word() -> None:
    room = Room("wake_word", Words(0), follow_up_ms=0)
    room.hear(*quiet(4000))
    assert room.attention.is_open
    room.hear(*quiet(1100))
    assert not room.attention.is_open
