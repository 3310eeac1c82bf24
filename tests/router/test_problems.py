from voice_node.model.report import EventType, Happening
from voice_node.router.problems import MOST_PROBLEMS, Problems


def test_problems_are_told_and_counted_and_their_kinds_are_bounded() -> None:
    problems = Problems()
    assert problems.tell("a", "b", "t1") == [Happening(EventType.ERROR, {"code": "a", "detail": "b"}, "t1")]
    for number in range(MOST_PROBLEMS + 5):
        problems.tell(f"code {number}", "")
    problems.tell("a", "")
    assert problems.counts["a"] == 2
    assert problems.counts["others"] == 6
    assert len(problems.counts) == MOST_PROBLEMS + 1
