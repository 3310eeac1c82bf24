"""Words that may have been said where the grammar knows no other: each longer word of a command must beat them.

"Turn on the light in the attic" fits "turn on the light in the bedroom" but for one word, and the whole outweighs it.
So what was heard is listened to once more, by a grammar of its own words alone, each with strangers beside it: other
rooms and things of a house, times, colours, deeds. A stranger pays much to come in; one that is heard all the same says
that the word was not. What was said instead it need not be.

The first word has none (a verb that is cut off at its start is like many others), short words have none, and no
stranger is one that sounds much like the word itself.
"""

from collections.abc import Mapping, Sequence

from voice_node.local.judging import changes

_STRANGERS = """
attic basement cellar garage balcony terrace patio bathroom bedroom kitchen office hallway nursery garden library closet
pantry lounge staircase corridor porch driveway toilet shower upstairs downstairs television radio oven stove kettle
toaster fridge freezer dishwasher washing dryer heater boiler computer printer telephone camera alarm doorbell vacuum
speaker music lights lamp ceiling candle pump sprinkler coffee machine clock door window gate curtains blinds shutters
table chair sofa cupboard drawer shelf desk mirror carpet wall floor roof car engine bicycle water soup milk bottle book
bag letter box page picture game film movie song guitar piano football channel chapter phone money dog cat baby children
mother father sister brother people neighbours friend teacher doctor police company country city street hospital school
station red blue green yellow orange purple black white brown clean broken closed ready beautiful expensive different
important quickly properly yourself everything something nothing somebody minutes hours seconds degrees percent meters
dollars weeks years tomorrow yesterday morning evening monday friday weekend summer winter problem question subject
account meeting subscription appointment reminder weather news story price paint build bring watch wash break fix sell
cook find remember forget listen talk think believe wait visit write read drive walk carry push throw leave finish eat
drink sleep never always please because about around without before after another
"""
STRANGERS = tuple(_STRANGERS.split())
_TOLL = 1e-13
"""The chance of a stranger: 30 nats, which the language weight doubles. At 10 nats a third of all commands had one."""
_LEAST_DISTANCE = 0.55
"""Of a stranger to the word, as a part of the phones of the longer."""
_FEWEST_PHONES = 3


class Rivals:
    """`ways` are the pronunciations of the grammar's words and of strangers, phones separated by a space."""

    def __init__(self, ways: Mapping[str, Sequence[str]]) -> None:
        self._ways = ways
        self._strangers: dict[str, str] = {}
        """Of each word that was ever heard, as JSGF; "" where it has none."""

    def to_jsgf(self, words: Sequence[str]) -> str | None:
        """What could have been said instead of these; None where nothing could."""
        beside = ["", *(self._beside(word) for word in words[1:])]
        if not any(beside):
            return None
        parts = (f"(/1/ {word} {others})" if others else word for word, others in zip(words, beside, strict=False))
        return f"#JSGF V1.0;\ngrammar rivals;\npublic <said> = {' '.join(parts)};"

    def _beside(self, word: str) -> str:
        if word not in self._strangers:
            own = [way.split() for way in self._ways[word]]
            others = (other for other in STRANGERS if other in self._ways and other != word)
            is_long = min(map(len, own)) >= _FEWEST_PHONES
            far = [other for other in others if self._distance(own, other) >= _LEAST_DISTANCE] if is_long else []
            self._strangers[word] = "".join(f"| /{_TOLL}/ {other} " for other in far)
        return self._strangers[word]

    def _distance(self, own: Sequence[Sequence[str]], other: str) -> float:
        """The least, of any way to say both."""
        others = [way.split() for way in self._ways[other]]
        return min(changes(one, two) / max(len(one), len(two)) for one in own for two in others)
