from collections.abc import Collection, Sequence
from typing import Any

import pytest

from tests.local.rooms import GET_TIME, SET_LIGHT, UNLOCK, tool
from voice_node.local.dialogue import (
    Answer,
    Call,
    CallAll,
    Called,
    CameBack,
    EngineSaid,
    Entry,
    Say,
    UserSaid,
    answer,
    is_offline_allowed,
)

TEMPERATURE = tool("temperature", [], say="It is {celsius} degrees.")
TOOLS = {one.name: one for one in (SET_LIGHT, GET_TIME, TEMPERATURE)}
LIGHT_ON = Called("c1", "set_light", '{"area": "living_room", "state": "on"}')


def understand(text: str, offered: Collection[str]) -> Sequence[Call]:
    return [Call("get_time", {})] if text == "time" and "get_time" in offered else []


def answer_to(*entries: Entry) -> Answer:
    return answer(entries, {"get_time"}, TOOLS, understand)


def test_what_is_understood_is_called() -> None:
    assert answer_to(UserSaid("time")) == CallAll((Call("get_time", {}),))


@pytest.mark.parametrize("entries", [[], [UserSaid("")], [UserSaid("sing")], [UserSaid("time"), EngineSaid()]])
def test_everything_else_is_not_understood(entries: list[Entry]) -> None:
    assert answer_to(*entries) == Say("Sorry, I did not understand that.")


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ("null", "The living room light is on."),
        ('{"state": "off"}', "The living room light is off."),
        ("not json", "The living room light is on."),
        ('{"error": "home unreachable"}', "No answer from home."),
        ('{"error": "nobody answered: timeout"}', "No answer from home."),
        ('{"error": "the bulb is missing."}', "That did not work: the bulb is missing."),
        ('{"error": {"message": "no\\nbulb"}}', "That did not work: no bulb."),
        ('{"success": false}', "That did not work."),
        ('{"error": null}', "The living room light is on."),
    ],
)
def test_results_are_spoken(output: str, text: str) -> None:
    assert answer_to(UserSaid("x"), LIGHT_ON, CameBack("c1", output)) == Say(text)


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ('"It is noon"', "It is noon."),
        ("21.0", "21."),
        ('"ok"', "Done."),
        ("true", "Done."),
        ("{}", "Done."),
        ("[" * 5000, "[" * 160 + "."),
    ],
)
def test_results_of_a_tool_without_say(output: str, text: str) -> None:
    assert answer_to(Called("c", "get_time", "{}"), CameBack("c", output)) == Say(text)


@pytest.mark.parametrize(("output", "text"), [('{"celsius": 21}', "It is 21 degrees."), ("null", "Done.")])
def test_say_may_name_fields_of_the_result(output: str, text: str) -> None:
    assert answer_to(Called("c", "temperature", "[]"), CameBack("c", output)) == Say(text)


def test_several_results_are_one_answer() -> None:
    calls: list[Any] = [LIGHT_ON, Called("c2", "get_time", "{}"), CameBack("c1", "null"), CameBack("c2", '"Noon."')]
    assert answer_to(UserSaid("x"), *calls) == Say("The living room light is on. Noon.")


def test_a_result_is_spoken_once() -> None:
    said = answer_to(UserSaid("x"), LIGHT_ON, CameBack("c1", "null"), EngineSaid(), UserSaid("time"))
    assert said == CallAll((Call("get_time", {}),))


def test_a_call_without_result_is_waited_for() -> None:
    assert answer_to(UserSaid("x"), LIGHT_ON) == Say("I am still waiting for your home.")


def test_what_asks_for_confirmation_is_not_for_the_engine() -> None:
    assert is_offline_allowed(SET_LIGHT)
    assert not is_offline_allowed(UNLOCK)
    assert is_offline_allowed(UNLOCK.model_copy(update={"offline": True}))
    assert not is_offline_allowed(SET_LIGHT.model_copy(update={"offline": False}))


def test_a_call_that_home_wants_confirmed_is_made_again_after_the_answer() -> None:
    call = Called("c1", "get_time", "{}")
    wanted = CameBack("c1", '{"status": "confirmation_needed", "instruction": "ask"}')
    assert answer_to(UserSaid("time"), call, wanted) == Say("Shall I really do that?")
    asked = (UserSaid("time"), call, wanted, EngineSaid())
    for said in ("", "yes"):
        assert answer_to(*asked, UserSaid(said)) == CallAll((Call("get_time", {}),))
    assert answer_to(*asked, UserSaid(""), EngineSaid(), UserSaid("")) == Say("Sorry, I did not understand that.")
    not_offered = answer((*asked, UserSaid("")), set(), TOOLS, understand)
    assert not_offered == Say("Sorry, I did not understand that.")
