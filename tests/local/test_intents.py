from typing import Any

import pytest

from tests.local.rooms import ROOM, tool, words
from voice_node.local.intents import Intents, Match
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
