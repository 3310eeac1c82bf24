"""Who is listened to after a reply without a wake word."""

from voice_node.model.control import OpenGate
from voice_node.router.follow_up import MOST_TURNS, FollowUp


def test_a_reply_to_a_voice_is_followed_up_once() -> None:
    follow_up = FollowUp(8000, is_always=False)
    assert follow_up.reply_over() == []
    follow_up.reply_started("t1")
    assert follow_up.reply_over() == [OpenGate(8000)]
    assert follow_up.reply_over() == [], "a chime is no reply"


def test_an_announcement_is_not_unless_it_was_asked_for() -> None:
    follow_up = FollowUp(8000, is_always=False)
    for turn_id, is_followed, wanted in (("t1", False, []), ("t2", True, [OpenGate(8000)])):
        follow_up.typed(turn_id, is_followed=is_followed)
        follow_up.reply_started(turn_id)
        assert follow_up.reply_over() == wanted


def test_a_room_that_always_listens_or_wants_no_follow_up_opens_nothing() -> None:
    for follow_up in (FollowUp(8000, is_always=True), FollowUp(0, is_always=False)):
        follow_up.reply_started("t1")
        assert follow_up.reply_over() == []


def test_what_is_kept_of_turns_is_bounded() -> None:
    follow_up = FollowUp(8000, is_always=False)
    for number in range(10 * MOST_TURNS):
        follow_up.typed(f"t{number}", is_followed=False)
    follow_up.reply_started(f"t{10 * MOST_TURNS - 1}")
    assert follow_up.reply_over() == []
    follow_up.reply_started("t0")
    assert follow_up.reply_over() == [OpenGate(8000)]
