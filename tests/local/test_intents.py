from typing import Any

import pytest

from tests.local.rooms import ROOM, tool, words
from voice_node.local.intents import Intents
from voice_node.local.needs import Incomplete, Match
from voice_node.settings.tools import Tool

NAMES = {one.name for one in ROOM}


def jsgf_of(template: str, **properties: Any) -> str:
    intents = Intents([tool("t", [template], properties)], "en")
    assert intents.problems == ()
    (sentence,) = (sentence for sentence in intents.grammar.sentences if sentence.tool)
    return sentence.jsgf


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("turn on the kitchen light", Match("set_light", {"area": "kitchen", "state": "on"})),
        ("Please, turn OFF the Living-Room lights!", Match("set_light", {"area": "living_room", "state": "off"})),
        ("switch the bedroom light off please.", Match("set_light", {"area": "bedroom", "state": "off"})),
        ("set the kitchen blinds to 21%", Match("set_blind", {"area": "kitchen", "position": 21})),
        ("set kitchen blind to twenty-one percent", Match("set_blind", {"area": "kitchen", "position": 21})),
        ("What time is it?", Match("get_time", {})),
        ("turn on the attic light", None),
        ("set the kitchen blind to 101 percent", None),
        ("turn on", None),
        ("", None),
        ("x " * 10_000, None),
    ],
)
def test_text_is_matched(text: str, match: Match | None) -> None:
    assert Intents(ROOM, "en").match(text, NAMES) == match


def test_arguments_have_the_types_of_the_schema() -> None:
    properties = {"is_on": {"type": "boolean"}, "level": {"type": "integer", "minimum": -5, "maximum": 5}}
    intents = Intents([tool("t", ["fan {is_on} at {level}"], properties)], "en")
    match = intents.match("fan off at minus 5", {"t"}) or intents.match("fan off at minus five", {"t"})
    assert match is not None
    assert match.arguments == {"is_on": False, "level": -5}
    assert [type(value) for value in match.arguments.values()] == [bool, int]


def test_a_tool_that_is_not_offered_is_not_matched() -> None:
    assert Intents(ROOM, "en").match("what time is it", {"set_light"}) is None


def test_fixed_arguments_need_no_words_and_required_ones_do() -> None:
    properties = {"area": words("hall"), "kind": {"const": "lamp"}, "level": {"type": "integer", "default": 3}}
    intents = Intents([tool("t", ["light [in the {area}]"], properties)], "en")
    assert intents.match("light in the hall", {"t"}) == Match("t", {"kind": "lamp", "level": 3, "area": "hall"})
    assert intents.match("light", {"t"}) is None


def test_parts_are_understood_only_together() -> None:
    intents = Intents(ROOM, "en")
    both = intents.match_all("what time is it and then turn off the kitchen light", NAMES)
    assert [match.tool for match in both] == ["get_time", "set_light"]
    assert intents.match_all("what time is it and sing", NAMES) == ()


@pytest.mark.parametrize(
    ("template", "jsgf"),
    [
        ("(turn|switch) on [the] light[s]", "(turn | switch) on [the] (lights | light)"),
        ("turn[ the] light", "(turn the | turn) light"),
        ("{area}[%| percent]", "(<t0_0> | <t0_0> percent)"),
        ("(a;b) c", "(a b | b a) c"),
        ("It's  HOT!", "it's hot"),
    ],
)
def test_templates_become_a_compact_grammar(template: str, jsgf: str) -> None:
    written = jsgf_of(template, area=words("hall"))
    assert sorted(written.replace("(", "( ").split()) == sorted(jsgf.replace("(", "( ").split())


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("turn (on", "brackets"),
        ("<rule> it", "rules are not known"),
        ("turn {nothing}", "not a parameter"),
        ("turn {text}", "only enum"),
        ("(" * 400 + "a" + ")" * 400, "brackets"),
        ("(a|b|c|d)(a|b|c|d)(a|b|c|d)(a|b|c|d)", "too many spellings"),
        ("(a;b;c;d;e)", "four parts"),
        ("!", "no words"),
    ],
)
def test_a_template_that_cannot_be_used_is_named(template: str, why: str) -> None:
    parameters = {"type": "object", "properties": {"text": {"type": "string"}}}
    one = Tool(name="t", description="t", parameters=parameters, sentences=[template[:512], "good"])
    intents = Intents([one], "en")
    (problem,) = intents.problems
    assert problem.startswith("tool t: the sentence ")
    assert why in problem
    assert intents.match("good", {"t"}) == Match("t", {})


def test_numbers_are_spoken_in_words() -> None:
    intents = Intents([tool("t", ["to {level}"], {"level": {"type": "integer", "minimum": 99, "maximum": 101}})], "en")
    (slot,) = intents.grammar.slots.values()
    assert slot.phrases == ("ninety nine", "one hundred", "one hundred one")


def test_other_languages_have_their_words() -> None:
    intents = Intents(
        [tool("t", ["auf {level} grad"], {"level": {"type": "integer", "minimum": 20, "maximum": 21}})], "de-AT"
    )
    assert intents.match("bitte auf einundzwanzig Grad", {"t"}) == Match("t", {"level": 21})


LACKING_AREA = Incomplete("set_light", {"state": "on"}, "area")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("turn on the light", LACKING_AREA),
        ("turn the bedroom light", Incomplete("set_light", {"area": "bedroom"}, "state")),
        ("set the kitchen blinds", Incomplete("set_blind", {"area": "kitchen"}, "position")),
        ("turn on the attic light", None),
        ("turn on", None),
    ],
)
def test_what_a_sentence_lacks_is_known(text: str, found: Incomplete | None) -> None:
    assert Intents(ROOM, "en").read(text, NAMES) == found
    assert Intents(ROOM, "en").match(text, NAMES) is None


@pytest.mark.parametrize(
    ("text", "area"),
    [("kitchen", "kitchen"), ("In the living room, please.", "living_room"), ("twenty", None), ("", None)],
)
def test_an_answer_completes_it(text: str, area: str | None) -> None:
    completed = Match("set_light", {"state": "on", "area": area}) if area is not None else None
    assert Intents(ROOM, "en").fill(LACKING_AREA, text) == completed


def test_numbers_complete_it_too() -> None:
    lacking = Incomplete("set_blind", {"area": "kitchen"}, "position")
    match = Match("set_blind", {"area": "kitchen", "position": 50})
    for text in ("fifty", "to 50 percent", "fifty percent"):
        assert Intents(ROOM, "en").fill(lacking, text) == match
    assert Intents(ROOM, "en").fill(lacking, "101") is None


def test_two_lacks_are_asked_for_one_after_the_other() -> None:
    one = tool("t", ["light [in the {area}] [{state}]"], {"area": words("hall", "attic"), "state": words("on", "off")})
    intents = Intents([one], "en")
    first = intents.read("light", {"t"})
    assert first == Incomplete("t", {}, "area")
    second = intents.fill(first, "attic")
    assert second == Incomplete("t", {"area": "attic"}, "state")
    assert intents.fill(second, "on") == Match("t", {"area": "attic", "state": "on"})


def test_questions_name_what_there_is() -> None:
    intents = Intents(ROOM, "en")
    assert intents.question(LACKING_AREA) == "Which area: kitchen, bedroom or living room?"
    assert intents.question(Incomplete("set_light", {}, "state")) == "On or off?"
    assert intents.question(Incomplete("set_blind", {}, "position")) == "What position, from 0 to 100?"
    many = tool("t", ["go [to the {room}]"], {"room": words("a", "b", "c", "d", "e")})
    assert Intents([many], "en").question(Incomplete("t", {}, "room")) == "Which room?"


def test_answers_and_phrases_are_listened_for() -> None:
    grammar = Intents(ROOM, "en").grammar
    assert {"yes", "never mind"} <= {sentence.jsgf for sentence in grammar.answers}
    assert {"what time is it"} <= {sentence.jsgf for sentence in grammar.sentences if not sentence.tool}
    assert any(sentence.is_short and "<t0_0>" not in sentence.jsgf for sentence in grammar.sentences)
