from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from voice_node.model.moment import Moment
from voice_node.router.policy import MOST_CALLS, MOST_REFUSALS, MOST_TURNS, Rules, is_within
from voice_node.settings.tools import Tool


def tool(**fields: Any) -> Tool:
    return Tool.model_validate({"name": "light", "description": "x"} | fields)


def moment(at: float = 0.0, local: str = "12:00") -> Moment:
    begin = datetime.fromisoformat(f"2026-01-01T{local}").astimezone()
    return Moment(at, begin.astimezone(UTC) + timedelta(seconds=at))


def code(rules: Rules, wanted: Tool, arguments: Any = None, turn: str = "t1", at: float = 0.0) -> str | None:
    refused = rules.refusal(wanted, arguments or {}, turn, moment(at))
    return None if refused is None else refused.code


@pytest.mark.parametrize("name", ["unlock_door", "garage", "set_alarm", "oven"])
def test_what_looks_dangerous_is_denied_unless_the_file_says_how_it_is_confirmed(name: str) -> None:
    assert code(Rules(), tool(name=name)) == "denied"
    for confirm in ("never", "voice", "mqtt", "pin"):
        assert code(Rules(), tool(name=name, confirm=confirm)) is None


@pytest.mark.parametrize(
    ("hours", "local", "is_in"),
    [
        ("07:00-22:00", "06:59", False),
        ("07:00-22:00", "07:00", True),
        ("07:00-22:00", "22:00", True),
        ("07:00-22:00", "22:01", False),
        ("22:00-06:00", "23:30", True),
        ("22:00-06:00", "00:00", True),
        ("22:00-06:00", "06:01", False),
        ("22:00-06:00", "12:00", False),
        ("00:00-23:59", "23:59", True),
    ],
)
def test_hours(hours: str, local: str, is_in: bool) -> None:
    now = moment(local=local)
    assert is_within(hours, now.wall.astimezone()) is is_in
    refused = Rules().refusal(tool(hours=hours), {}, "t1", now)
    assert (refused is None) is is_in
    assert refused is None or (refused.code, hours in refused.why) == ("outside_hours", True)


def test_a_turn_makes_eight_calls_and_two_the_same() -> None:
    rules, light = Rules(), tool()
    assert [code(rules, light, {"n": 1}) for _ in range(3)] == [None, None, "same_call"]
    assert [code(rules, light, {"n": n}) for n in range(2, 9)] == [None] * (MOST_CALLS - 2) + ["too_many_calls"]
    assert code(rules, light, {"n": 1}, turn="t2") is None


def test_a_minute_slides_and_refused_calls_do_not_count() -> None:
    rules, light = Rules(), tool(max_per_minute=2)
    found = [code(rules, light, turn=f"t{at}", at=at) for at in (0, 30, 59.9, 60, 61, 90)]
    assert found == [None, None, "too_often", None, "too_often", None]
    assert code(rules, tool(name="other", max_per_minute=2), at=61) is None


def test_a_model_that_goes_on_is_stopped_and_the_memory_is_bounded() -> None:
    rules = Rules()
    assert [rules.refused("t0") for _ in range(MOST_REFUSALS + 1)] == [False] * MOST_REFUSALS + [True]
    for number in range(MOST_TURNS + 1):
        rules.refused(f"t{number + 1}")
    assert not rules.refused("t0"), "the oldest turn was forgotten"
