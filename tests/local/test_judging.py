import pytest

from voice_node.local.judging import Piece, changes, evidence, is_ruled_out


def pieces(*spans: tuple[str, int, int]) -> list[Piece]:
    return [Piece(tuple(phones.split()), start, end, 0.0) for phones, start, end in spans]


@pytest.mark.parametrize(
    ("left", "right", "cost"),
    [
        ("K IH CH", "K IH CH", 0),
        ("", "K IH", 2),
        ("K IH", "", 2),
        ("AO F", "AA F", 0.35),
        ("P", "B", 0.5),
        ("IY", "AW", 0.7),
        ("S", "K", 1),
        ("L AY T", "L AY", 0.6),
    ],
)
def test_like_phones_are_near(left: str, right: str, cost: float) -> None:
    assert changes(left.split(), right.split()) == pytest.approx(cost)


def test_what_was_said_has_little_against_it() -> None:
    words = pieces(("L AY T", 30, 59), ("AO N", 60, 79))
    phones = pieces(("L", 30, 39), ("AY", 40, 49), ("T", 50, 59), ("AO", 60, 69), ("N", 70, 79))
    assert evidence(words, phones, gain=-25.0) == pytest.approx((-0.5, 0, 0))


def test_one_word_that_was_not_said_is_seen_among_others() -> None:
    words = pieces(("L AY T", 30, 59), ("K IH CH AH N", 60, 99), ("AO N", 100, 119))
    phones = pieces(
        ("L", 30, 39), ("AY", 40, 49), ("T", 50, 59), ("B", 60, 69), ("OY", 70, 99), ("AO", 100, 109), ("N", 110, 119)
    )
    _, worst, outside = evidence(words, phones, gain=-90.0)
    assert worst > 0.5
    assert outside == 0


def test_speech_around_the_words_counts() -> None:
    words = pieces(("AO N", 100, 119))
    phones = pieces(("S", 60, 79), ("AO", 100, 109), ("N", 110, 119), ("K", 130, 139))
    assert evidence(words, phones, gain=0.0)[2] == pytest.approx(0.6)


def test_a_word_that_nobody_could_say_so_quickly_rules_a_path_out() -> None:
    phones = pieces(("L", 0, 3), ("AY", 4, 8), ("T", 9, 12))
    assert is_ruled_out(pieces(("L AY T", 0, 12)), phones)
    assert not is_ruled_out(pieces(("L AY T", 0, 13)), phones)
    assert not is_ruled_out(pieces(("DH AH", 0, 5), ("L AY T", 6, 30)), phones)  # short words are swallowed


def test_speech_between_its_words_rules_a_path_out() -> None:
    words = pieces(("DH AH", 0, 9), ("L AY T", 40, 60))
    assert is_ruled_out(words, pieces(("S", 12, 17), ("T EH", 18, 30)))
    assert not is_ruled_out(words, pieces(("S", 0, 12), ("L", 31, 60)))  # it reaches over a word's edge
    assert not is_ruled_out(words, pieces(("S", 70, 99)))  # not between: `evidence` weighs that
