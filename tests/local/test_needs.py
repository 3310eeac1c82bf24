import pytest

from tests.local.rooms import tool, words
from voice_node.local.needs import Incomplete, Match, Needs
from voice_node.local.slots import Sayable, Span, Values
from voice_node.settings.tools import Tool

HEAT = tool("heat", [], {"area": words("hall"), "celsius": {"type": "integer"}, "boost": {"const": True}})
"""Everything is required."""


def needs_of(one: Tool, **sayable: Sayable) -> Needs:
    needs = Needs([one])
    for name, said in sayable.items():
        needs.add(one.name, name, said)
    return needs


def values(*names: str) -> Values:
    return Values(tuple((name, name) for name in names))


def test_a_sentence_is_whole_incomplete_or_nothing() -> None:
    needs = needs_of(HEAT, area=values("hall"), celsius=Span(15, 25))
    whole = {"boost": True, "area": "hall", "celsius": 20}
    assert needs.judge("heat", {"area": "hall", "celsius": 20}) == Match("heat", whole)
    assert needs.judge("heat", {"celsius": 20}) == Incomplete("heat", {"boost": True, "celsius": 20}, "area")
    assert needs.judge("heat", {}) == Incomplete("heat", {"boost": True}, "area")
    assert needs_of(HEAT, celsius=Span(15, 25)).judge("heat", {"celsius": 20}) is None  # nobody can say an area


@pytest.mark.parametrize(
    ("sayable", "question"),
    [
        (values("living_room"), "Which area?"),
        (values("on", "off"), "On or off?"),
        (values("hall", "attic", "living_room"), "Which area: hall, attic or living room?"),
        (values("a", "b", "c", "d", "e"), "Which area?"),
        (Span(15, 25), "What area, from 15 to 25?"),
    ],
)
def test_questions_name_what_there_is_if_it_is_little(sayable: Sayable, question: str) -> None:
    assert needs_of(HEAT, area=sayable).question(Incomplete("heat", {}, "area")) == question
