"""Home Assistant's own sentences, where a tool names the intent whose they are. Needs home-assistant-intents.

A sentence is used where all of its lists are parameters of the tool: `<turn> on [<the>] {area} <light>` for a tool with
the parameter `area`, but none that asks for `{name}`. Rules such as `<turn>` are written out.
"""

import functools
import re
from collections.abc import Collection, Mapping
from typing import Any

from home_assistant_intents import get_intents

_RULE = re.compile(r"<([a-z0-9_]+)>")
_LIST = re.compile(r"\{(?:[a-z0-9_]+:)?([a-z0-9_]+)\}")
_DEEPEST = 6
_LONGEST = 1000


@functools.cache
def _known(language: str) -> Mapping[str, Any]:
    return get_intents(language) or {}


def sentences_of(intent: str, domain: str | None, language: str, parameters: Collection[str]) -> list[str]:
    """The templates of an intent for things of this domain (None: of any), with lists that are parameters alone."""
    known = _known(language)
    rules = known.get("expansion_rules", {})
    found: dict[str, None] = {}
    for block in known.get("intents", {}).get(intent, {}).get("data", []):
        if domain is not None and block.get("slots", {}).get("domain", domain) != domain:
            continue
        for sentence in block.get("sentences", []):
            template = _LIST.sub(r"{\1}", _expanded(sentence, rules))
            if set(_LIST.findall(template)) <= set(parameters) and not _RULE.search(template):
                found[template] = None
    return [template for template in found if len(template) <= _LONGEST]


def _expanded(sentence: str, rules: Mapping[str, str]) -> str:
    for _ in range(_DEEPEST):
        sentence = _RULE.sub(lambda rule: f"({rules[rule[1]]})" if rule[1] in rules else rule[0], sentence)
    return sentence
