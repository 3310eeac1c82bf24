import pytest

from tests.local.rooms import tool, words
from voice_node.local.intents import Intents
from voice_node.local.needs import Match
from voice_node.settings.tools import HomeIntent, Tool

home_sentences = pytest.importorskip("voice_node.local.home_sentences", reason="the extra `intents` is not installed")

AREA, STATE = words("kitchen", "living_room"), words("on", "off")


def light(*intents: HomeIntent, **more: object) -> Tool:
    return tool("set_light", [], {"area": AREA, "state": STATE}, intents=list(intents), **more)


ON = HomeIntent(intent="HassTurnOn", domain="light", arguments={"state": "on"})
OFF = HomeIntent(intent="HassTurnOff", domain="light", arguments={"state": "off"})


def test_only_sentences_of_the_tools_parameters_are_used() -> None:
    found = home_sentences.sentences_of("HassTurnOn", "light", "en", {"area"})
    assert found
    assert all("<" not in template for template in found)
    assert not [template for template in found if "{" in template.replace("{area}", "")]
    assert home_sentences.sentences_of("HassNothing", None, "en", {"area"}) == []
    assert home_sentences.sentences_of("HassTurnOn", "light", "xx", {"area"}) == []


@pytest.mark.parametrize(
    ("text", "area", "state"),
    [
        ("switch on the lights in the kitchen", "kitchen", "on"),
        ("turn the living room lamps on", "living_room", "on"),
        ("turn off the lights in the living room", "living_room", "off"),
        ("turn off the fridge", None, None),
    ],
)
def test_they_mean_the_tool(text: str, area: str | None, state: str | None) -> None:
    intents = Intents([light(ON, OFF)], "en")
    assert intents.problems == ()
    expected = Match("set_light", {"area": area, "state": state}) if area is not None else None
    assert intents.match(text, {"set_light"}) == expected
    assert len([sentence for sentence in intents.grammar.sentences if sentence.tool == "set_light"]) > 5


def test_other_languages_have_theirs() -> None:
    intents = Intents([light(ON, OFF)], "de")
    match = intents.match("schalte das Licht im living room aus", {"set_light"})
    assert match in (None, Match("set_light", {"area": "living_room", "state": "off"}))
    assert home_sentences.sentences_of("HassTurnOn", "light", "de", {"area"})


def test_an_intent_without_a_sentence_is_named() -> None:
    intents = Intents([light(HomeIntent(intent="HassVacuumStart"))], "en")
    assert "HassVacuumStart" in intents.problems[0]
