from datetime import UTC, datetime, timedelta
from typing import Literal

from voice_node.model.turn import Transcript
from voice_node.router.questions import LONGEST_S, MOST_QUESTIONS, SHORTEST_WINDOW_S, Questions, Verdict

START = datetime(2026, 1, 1, tzinfo=UTC)
CALL = 'unlock {"door": "front"}'


class Talk:
    """Questions, and the clock of those who talk."""

    def __init__(self, follow_up_ms: int = 0) -> None:
        self.questions = Questions("en", follow_up_ms)
        self.at = 100.0

    @property
    def wall(self) -> datetime:
        return START + timedelta(seconds=self.at)

    def asks(self, turn: str = "t1", call: str = CALL) -> None:
        """The model wants it, and asks."""
        assert self.verdict(turn, call) is Verdict.ASK
        self.questions.ask(call, turn, self.at)
        self.at += 1
        self.questions.put(turn, self.at, self.wall)
        self.at += 1
        self.questions.fell_silent(self.at)

    def says(self, text: str, turn: str = "t2", *, role: Literal["user", "assistant"] = "user") -> None:
        """A person speaks for a second; the transcript comes a second later."""
        began = self.wall
        self.questions.speech(turn, self.at)
        self.at += 2
        self.questions.heard(Transcript(turn, "i", role, text, True, began, self.wall), self.at)

    def verdict(self, turn: str = "t2", call: str = CALL) -> Verdict:
        return self.questions.verdict(call, turn, self.at)

    def ends(self, turn: str, *, is_lost: bool = False) -> list[str]:
        return self.questions.turn_over(turn, self.at, self.wall, is_lost=is_lost)


def test_a_yes_in_the_next_turn_is_good_for_one_call() -> None:
    talk = Talk()
    talk.asks()
    talk.says("Yes, please.")
    assert talk.verdict() is Verdict.AGREED
    assert talk.verdict() is Verdict.ASK


def test_anything_else_declines_for_the_whole_turn() -> None:
    talk = Talk()
    talk.asks()
    talk.says("Well, perhaps")
    assert [talk.verdict(), talk.verdict()] == [Verdict.DECLINED] * 2
    assert talk.ends("t2") == []
    assert talk.verdict("t3") is Verdict.ASK


def test_the_yes_of_another_call_or_of_another_turn_does_not_count() -> None:
    talk = Talk()
    talk.asks()
    talk.says("yes")
    assert talk.verdict(call='unlock {"door": "back"}') is Verdict.ASK
    assert talk.verdict("t3") is Verdict.ASK
    assert talk.verdict("t1") is Verdict.ASK, "the model cannot agree for the person"


def test_the_model_may_be_quicker_than_the_transcript() -> None:
    talk = Talk()
    talk.asks()
    assert talk.verdict() is Verdict.WAIT
    talk.says("yes")
    assert talk.verdict() is Verdict.AGREED


def test_words_from_before_the_question_are_no_answer() -> None:
    talk = Talk()
    early = talk.wall
    talk.asks()
    talk.questions.heard(Transcript("t0", "i", "user", "yes", True, early, talk.wall), talk.at)
    assert talk.verdict() is Verdict.WAIT
    talk.says("no")
    assert talk.verdict() is Verdict.DECLINED


def test_a_turn_without_words_declines() -> None:
    talk = Talk()
    talk.asks()
    talk.questions.speech("t2", talk.at)
    assert talk.ends("t2") == []
    talk.says("yes", "t3")
    assert talk.verdict("t3") is Verdict.ASK


def test_the_answer_must_begin_in_time() -> None:
    for late_s, verdict in ((SHORTEST_WINDOW_S - 0.1, Verdict.AGREED), (SHORTEST_WINDOW_S, Verdict.ASK)):
        talk = Talk()
        talk.asks()
        talk.at += late_s
        talk.says("yes")
        assert talk.verdict() is verdict
    patient = Talk()
    patient.questions.follow_up(20_000)
    patient.asks()
    patient.at += 19
    patient.says("yes")
    assert patient.verdict() is Verdict.AGREED


def test_noise_does_not_keep_a_question_open_for_ever() -> None:
    talk = Talk()
    talk.asks()
    for _ in range(20):
        talk.at += 7
        talk.questions.speech("noise", talk.at)
    assert talk.at > 100 + LONGEST_S
    assert talk.verdict() is Verdict.ASK


def test_a_question_that_was_never_put_has_no_answer() -> None:
    talk = Talk()
    talk.questions.ask(CALL, "t1", talk.at)
    talk.says("yes")
    assert talk.verdict() is Verdict.ASK
    assert talk.ends("t1", is_lost=True) == []
    talk.says("yes", "t3")
    assert talk.verdict("t3") is Verdict.ASK


def test_the_end_of_its_turn_puts_a_question_too() -> None:
    talk = Talk()
    talk.questions.ask(CALL, "t1", talk.at)
    talk.ends("t1")
    talk.at += 1
    talk.says("yes")
    assert talk.verdict() is Verdict.AGREED


def test_a_yes_that_no_call_used_is_told() -> None:
    talk = Talk()
    talk.asks()
    talk.says("yes")
    assert talk.ends("t2") == [CALL]
    assert talk.verdict("t3") is Verdict.ASK


def test_typing_voids_and_the_memory_is_bounded() -> None:
    talk = Talk()
    talk.asks()
    talk.questions.void()
    talk.says("yes")
    assert talk.verdict() is Verdict.ASK
    for number in range(MOST_QUESTIONS + 1):
        talk.asks(call=f"call {number}")
    talk.says("yes")
    found = [talk.verdict(call=f"call {number}") for number in range(MOST_QUESTIONS + 1)]
    assert found.count(Verdict.ASK) >= 1
    assert len(found) - found.count(Verdict.ASK) <= MOST_QUESTIONS
