"""A step is empty until the protocol fills it."""

from voice_node.session.step import Step


def test_a_step_wants_nothing_at_first() -> None:
    assert Step() == Step([], [], [], [], None, 0.0, None)


def test_steps_share_nothing() -> None:
    assert Step().outcomes is not Step().outcomes
