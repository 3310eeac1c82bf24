import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import pytest

from tests.local.rooms import GET_TIME, SET_LIGHT, UNLOCK, tool
from voice_node.local.dialogue import (
    Answer,
    Call,
    CallAll,
    Called,
    CameBack,
    Dialogue,
    EngineSaid,
    Entry,
    Lack,
    Say,
    UserSaid,
)
from voice_node.local.phrases import Phrase, phrase_of

TEMPERATURE = tool("temperature", [], say="It is {celsius} degrees.")
TOOLS = {one.name: one for one in (SET_LIGHT, GET_TIME, TEMPERATURE)}
LIGHT_ON = Called("c1", "set_light", '{"area": "living_room", "state": "on"}')


NOW = datetime(2026, 11, 20, 14, 5)  # noqa: DTZ001  # what a clock on the wall shows
WHICH_AREA = Lack(Call("set_light", {"state": "on"}), "area", "Which area?")
WHICH_STATE = Lack(Call("set_light", {"area": "kitchen"}), "state", "On or off?")
NOT_UNDERSTOOD = Say("Sorry, I did not understand that.")


class Words:
    """Knows a few."""

    def read(self, text: str, offered: Collection[str]) -> Sequence[Call] | Lack:
        if text == "light":
            return Lack(Call("set_light", {}), "area", "Which area?")
        if text == "light on":
            return WHICH_AREA
        return [Call("get_time", {})] if text == "time" and "get_time" in offered else []

    def fill(self, lack: Lack, text: str) -> Call | Lack | None:
        if lack.missing == "area" and text == "kitchen":
            return Call("set_light", {"area": text, **lack.call.arguments}) if lack.call.arguments else WHICH_STATE
        if lack.missing == "state" and text in ("on", "off"):
            return Call("set_light", {**lack.call.arguments, "state": text})
        return None

    def phrase(self, text: str) -> Phrase | None:
        return phrase_of(text, "en")


def answer_to(*entries: Entry, offered: Collection[str] = ("get_time", "set_light")) -> Answer:
    return Dialogue(TOOLS, Words()).answer(entries, offered, NOW)


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
        (json.dumps('{"error": "no bulb"}'), "That did not work: no bulb."),
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
        ('"{noon}"', "{noon}."),
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
    assert SET_LIGHT.works_offline
    assert not UNLOCK.works_offline
    assert UNLOCK.model_copy(update={"offline": True}).works_offline
    assert not SET_LIGHT.model_copy(update={"offline": False}).works_offline


def test_a_call_that_home_wants_confirmed_is_made_again_after_the_answer() -> None:
    call = Called("c1", "get_time", "{}")
    wanted = CameBack("c1", '{"status": "confirmation_needed", "instruction": "ask"}')
    assert answer_to(UserSaid("time"), call, wanted) == Say("Shall I really do that?")
    asked = (UserSaid("time"), call, wanted, EngineSaid())
    for said in ("", "yes"):
        assert answer_to(*asked, UserSaid(said)) == CallAll((Call("get_time", {}),))
    assert answer_to(*asked, UserSaid(""), EngineSaid(), UserSaid("")) == Say("Sorry, I did not understand that.")
    assert answer_to(*asked, UserSaid("never mind")) == Say("All right.")
    assert answer_to(*asked, UserSaid(""), offered=()) == NOT_UNDERSTOOD


KITCHEN_ON = CallAll((Call("set_light", {"area": "kitchen", "state": "on"}),))


def test_what_a_sentence_lacks_is_asked_for_once() -> None:
    asked = (UserSaid("light on"), EngineSaid())
    assert answer_to(*asked[:1]) == Say("Which area?")
    assert answer_to(*asked, UserSaid("kitchen")) == KITCHEN_ON
    assert answer_to(*asked, UserSaid("time")) == CallAll((Call("get_time", {}),))
    assert answer_to(*asked, UserSaid("sing")) == NOT_UNDERSTOOD
    assert answer_to(*asked, UserSaid("sing"), EngineSaid(), UserSaid("kitchen")) == NOT_UNDERSTOOD
    for said in ("never mind", "no", "Stop!"):
        assert answer_to(*asked, UserSaid(said)) == Say("All right.")
    assert answer_to(*asked, UserSaid("kitchen"), offered=("get_time",)) == NOT_UNDERSTOOD
    assert answer_to(UserSaid("kitchen")) == NOT_UNDERSTOOD


def test_a_second_lack_is_asked_for_next() -> None:
    asked = (UserSaid("light"), EngineSaid(), UserSaid("kitchen"))
    assert answer_to(*asked) == Say("On or off?")
    assert answer_to(*asked, EngineSaid(), UserSaid("on")) == KITCHEN_ON


def test_what_was_heard_badly_is_read_back() -> None:
    asked = (UserSaid("time", is_doubtful=True), EngineSaid())
    assert answer_to(*asked[:1]) == Say("Did you say: time?")
    assert answer_to(*asked, UserSaid("yes please")) == CallAll((Call("get_time", {}),))
    assert answer_to(*asked, UserSaid("no")) == Say("All right.")
    assert answer_to(*asked, UserSaid("yes", is_doubtful=True)) == NOT_UNDERSTOOD
    assert answer_to(*asked, UserSaid("yes"), offered=()) == NOT_UNDERSTOOD
    assert answer_to(*asked, UserSaid("time")) == CallAll((Call("get_time", {}),))
    for said in ("sing", "light on"):
        assert answer_to(UserSaid(said, is_doubtful=True)) == NOT_UNDERSTOOD


def test_a_lack_that_is_filled_badly_is_read_back() -> None:
    asked = (UserSaid("light on"), EngineSaid(), UserSaid("kitchen", is_doubtful=True))
    assert answer_to(*asked) == Say("Did you say: kitchen?")
    assert answer_to(*asked, EngineSaid(), UserSaid("yes")) == KITCHEN_ON


def test_time_and_date_come_from_the_clock() -> None:
    assert answer_to(UserSaid("What time is it, please?")) == Say("It is 14:05.")
    assert answer_to(UserSaid("what's the date")) == Say("It is Friday, 20 November 2026.")


def test_the_last_words_are_said_again() -> None:
    said = (UserSaid("x"), LIGHT_ON, CameBack("c1", "null"), EngineSaid(), UserSaid("say that again"))
    assert answer_to(*said) == Say("The living room light is on.")
    assert answer_to(*said, EngineSaid(), UserSaid("repeat")) == Say("The living room light is on.")
    asked_again = (UserSaid("light on"), EngineSaid(), UserSaid("repeat that"))
    assert answer_to(*asked_again) == Say("Which area?")
    assert answer_to(*asked_again, EngineSaid(), UserSaid("kitchen")) == KITCHEN_ON
    assert answer_to(UserSaid("repeat that")) == NOT_UNDERSTOOD


def test_stop_is_no_misunderstanding_and_yes_to_nothing_is_one() -> None:
    assert answer_to(UserSaid("stop")) == Say("All right.")
    assert answer_to(UserSaid("yes")) == NOT_UNDERSTOOD
